import json

import pandas as pd

from assay.evaluation.timeline_report import judge, write_timeline_metrics

CLIPS = pd.DataFrame({"clip": ["a", "b", "c"], "frames": [8, 8, 8], "recording": ["a", "b", "c"]})
MARKED = pd.DataFrame(
    [("a", 0, 3, "outside"), ("a", 4, 7, "inside"), ("c", 0, 7, "outside")],
    columns=["clip", "start", "end", "state"],
)


def _timeline(folder, clip, states, stride=2):
    rows = [{"frame": stride * k, "time_sec": 0.0, "state": state} for k, state in enumerate(states)]
    (folder / clip).mkdir()
    path = folder / clip / "timeline.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_stored_timelines_are_judged_frame_by_frame_where_people_marked_states(tmp_path):
    timelines = {
        "a": _timeline(tmp_path, "a", ["OUT", "OUT", "OUT", "INSIDE"]),  # inside from frame 6, marked from 4
        "b": _timeline(tmp_path, "b", ["OUT"] * 4),  # nobody marked it
    }
    counts = judge(timelines, CLIPS, MARKED, tolerances=(0, 5))
    assert counts["clip"].tolist() == ["a"]  # c was not mined
    row = counts.iloc[0]
    assert (row["frames"], row["frames_right"], row["transitions_0"], row["transitions_5"]) == (8, 6, 0, 1)
    found = write_timeline_metrics(tmp_path, counts, tolerances=(0, 5), draws=100, seed=0)
    assert found["metrics"]["frame_accuracy"] == {"value": 0.75, "low": None, "high": None}  # one recording
    text = (tmp_path / "timeline_metrics.md").read_text()
    assert "| frames right | 75.0 % (no interval) |" in text
    assert "| transitions within 5 frames: recall | 100.0 % (no interval) |" in text
    assert json.loads((tmp_path / "timeline_metrics.json").read_text()) == found


def test_no_clip_in_common_gives_an_empty_table(tmp_path):
    assert judge({}, CLIPS, MARKED, tolerances=(0,)).empty
