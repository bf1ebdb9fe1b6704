import json

import pandas as pd

from assay.data.zone_annotations import read_annotations, said_of, write_annotations

CLIPS = pd.DataFrame({"clip": ["a", "b"], "frames": [20, 10]})


def _write(folder, name, content):
    (folder / name).write_text(json.dumps(content))


def test_two_files_become_one_table_and_their_oddities_a_report(tmp_path):
    # `a` is in both with other intervals, `b` is empty in the first, `c` is in the second only and not here
    _write(tmp_path, "workzone_annotations.json", {"a.mp4": {"outside": [[0, 19]]}, "b.mp4": {"inside": []}})
    second = {
        "a.mp4": {"outside": [[0, 18]]},
        "b.mp4": {"inside": [[0, 10]]},
        "c.mp4": {"outside": [[0, 3], [2, 9]]},
    }
    _write(tmp_path, "workzone_annotations_full.json", second)
    table, report = read_annotations(tmp_path, CLIPS)
    assert table[["clip", "start", "end", "state"]].to_numpy().tolist() == [
        ["a", 0, 19, "outside"],
        ["b", 0, 10, "inside"],
        ["c", 0, 3, "outside"],
        ["c", 2, 9, "outside"],
    ]
    assert table["file"].nunique() == 2 and table["file"].iloc[0] == "workzone_annotations.json"
    assert {key: report[key] for key in ("twice", "differing", "clips", "clips_here")} == {
        "twice": 1, "differing": 1, "clips": 3, "clips_here": 2,
    }  # fmt: skip
    first, other, whole = said_of(report)
    assert first.endswith("oddities: 1 clips without an interval")
    assert other.endswith("oddities: 1 overlaps, 1 intervals that end beyond the clip") or "beyond" in other
    assert whole == (
        "3 clips have zone states, 1 of them in several files (1 with other intervals); 2 of these clips are here"
    )


def test_data_without_annotations_have_an_empty_table(tmp_path):
    report = write_annotations(tmp_path, tmp_path, CLIPS)
    assert report["clips"] == 0 and said_of(report) == []
    assert pd.read_csv(tmp_path / "zone_states.csv").empty
