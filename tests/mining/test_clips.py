import csv
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.errors import UserError
from assay.mining.clip import clip_key
from assay.mining.clip_table import COLUMNS, statistics
from assay.mining.clips import minable_clips, mine_clips, one_by_one
from assay.mining.work import open_work
from tests.mining.clip_project import bytes_below, folders_in, frames


def test_rows_snapshots_and_cap_agree(project):
    project.clip("a")
    project.clip("b")
    mined, table = project.mine(cap=3)
    assert list(table.columns) == list(COLUMNS)
    assert table.groupby("group").size().to_dict() == {"a": 3, "b": 3}
    jpegs = sorted(p.relative_to(project.out).as_posix() for p in project.out.rglob("*.jpg"))
    assert jpegs == sorted(table["image"]) == sorted(table["snapshot"])
    assert all(
        name == f"{clip}/{clip}_f{frame:06d}.jpg"
        for name, clip, frame in zip(table["image"], table["group"], table["frame"], strict=True)
    )
    assert pd.read_parquet(project.out / "candidates.parquet").equals(table)
    assert len(pd.read_csv(project.out / "candidates.csv")) == 6
    assert mined.frames == 2 * 14 and mined.quarantine == []
    assert table["candidate"].is_unique and table["candidate"].str.fullmatch("[0-9a-f]{12}").all()


def test_the_best_of_what_is_in_range_and_passes_is_kept(project):
    project.clip("a")
    _, table = project.mine(cap=4)
    timeline = pd.read_csv(project.out / "a/timeline.csv")
    assert timeline["frame"].tolist() == list(range(0, 28, 2))
    fit = timeline[timeline["fused_score_ema"].between(0.45, 0.91) & (timeline["p1_multi_cue_pass"] == 1)]
    best = fit.sort_values(["fused_score_ema", "frame"], ascending=[False, True]).head(4)
    assert len(fit) > 4 and table["frame"].tolist() == sorted(best["frame"])
    assert set(table["p1_multi_cue_pass"]) == {1}
    assert set(table["clip_used"]) == {0} and table["clip_score"].isna().all()
    assert set(table["verifier"]) == {"none"} and set(table["label"]) == {""}


def test_without_the_gate_one_cue_is_enough(project):
    project.clip("cones", [(6, 0)] * 12)
    assert len(project.mine()[1]) == 0
    _, table = project.mine(gate=False)
    assert len(table) == 5 and set(table["reason"]) == {"score"}


def test_scores_out_of_range_are_no_candidates(project):
    project.clip("a")
    assert len(project.mine(score_range=(0.905, 0.91))[1]) == 0


def test_a_snapshot_shows_its_own_frame(project):
    project.clip("a", [(0, 0)] + [(k % 3 + 4, 1) for k in range(30)])
    _, table = project.mine(stride=3, cap=6)
    for row in table.to_dict("records"):
        value = int(np.asarray(Image.open(project.out / row["image"]))[0, 0, 0])
        assert abs(value - (10 * row["count_channelization"] + 1)) <= 2  # JPEG
        assert sum(box["label"] == "cone" for box in json.loads(row["boxes"])) == row["count_channelization"]


def test_a_run_that_is_killed_between_clips_goes_on_and_ends_the_same(project, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in "abc":
        project.clip(name)
    project.mine()
    whole, inside = bytes_below(project.out), bytes_below(project.work)

    project.work, project.out = tmp_path / "again/work", tmp_path / "again/candidates"
    opened = []

    def killed(path, *, stride):
        opened.append(path.stem)
        if len(opened) == 2:
            next(frames(path, stride=stride))
            raise KeyboardInterrupt  # in the middle of clip 2
        yield from frames(path, stride=stride)

    with pytest.raises(KeyboardInterrupt):
        project.mine(frames=killed)
    assert not project.out.exists() and len(folders_in(project.work)) == 1
    left = project.work / ".0123456789abcdef.x.partial"  # as a kill -9 leaves it
    left.mkdir()

    opened.clear()

    def counted(path, *, stride):
        opened.append(path.stem)
        yield from frames(path, stride=stride)

    mined, _ = project.mine(frames=counted)
    assert opened == ["b", "c"] and mined.resumed == 1
    assert bytes_below(project.out) == whole and bytes_below(project.work) == inside
    assert not left.exists()


def test_a_finished_clip_that_lost_a_snapshot_is_done_again(project):
    project.clip("a")
    project.mine()
    whole = bytes_below(project.out)
    assert project.mine()[0].resumed == 1
    next(project.work.rglob("*.jpg")).unlink()
    assert project.mine()[0].resumed == 0 and bytes_below(project.out) == whole


def test_other_settings_model_or_bytes_are_another_clip(settings):
    keys = {clip_key("a", "v/a.mp4", "0" * 64, "m", settings)}
    keys.add(clip_key("a", "v/a.mp4", "1" * 64, "m", settings))
    keys.add(clip_key("a", "v/a.mp4", "0" * 64, "n", settings))
    for change in (
        {"stride": 3},
        {"cap": 6},
        {"gate": False},
        {"score_range": (0.4, 0.91)},
        {"classes": ("x",)},
    ):
        keys.add(clip_key("a", "v/a.mp4", "0" * 64, "m", dataclasses.replace(settings, **change)))
    window = dataclasses.replace(settings.rules.gate, window=7)
    rules = dataclasses.replace(settings.rules, gate=window)
    keys.add(clip_key("a", "v/a.mp4", "0" * 64, "m", dataclasses.replace(settings, rules=rules)))
    assert len(keys) == 9
    assert clip_key("a", "v/a.mp4", "0" * 64, "m", dataclasses.replace(settings)) in keys


def test_only_the_last_settings_results_stay_in_the_work_folder(project):
    project.clip("a")
    project.mine()
    (only,) = folders_in(project.work)
    project.mine(cap=2)
    (other,) = folders_in(project.work)
    assert only != other


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ([(6, 1)] * 10 + [(-1, -1)] * 3, "damaged"),  # in the middle: what came before does not count either
        ([], "holds no frame"),
    ],
)
def test_a_corrupt_clip_is_set_aside_and_the_rest_goes_on(project, shown, reason):
    project.clip("a")
    project.clip("broken", shown)
    project.clip("c")
    mined, table = project.mine()
    assert mined.quarantine == [("videos/broken.txt", reason)]
    assert set(table["group"]) == {"a", "c"} and not (project.out / "broken").exists()
    with (project.out / "quarantine.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [["clip", "reason"], ["videos/broken.txt", reason]]
    assert json.loads((project.out / "statistics.json").read_text())["quarantined"] == 1


def test_a_copy_of_a_clip_is_not_shown_twice(project):
    project.clip("a")
    (project.data / "videos/copy.txt").write_bytes((project.data / "videos/a.txt").read_bytes())
    mined, table = project.mine()
    assert set(table["group"]) == {"a"}
    assert mined.quarantine == [("videos/copy.txt", "the same file as videos/a.txt")]


def test_real_files_that_are_no_clips_are_set_aside(project, settings):
    project.clip("a")
    clips = project.clips().assign(sha256="0" * 64)
    missing = pd.DataFrame([{"clip": "gone", "path": "videos/gone.mp4"}])
    with open_work(project.work) as work:
        engine = one_by_one(project.detector, project.data, work.path, settings, model_id="m")
        everything = pd.concat([clips, missing])
        mined = mine_clips(everything, project.data, engine, work, settings, model_id="m")
    assert mined.finished == [] and [path for path, _ in mined.quarantine] == [
        "videos/a.txt",
        "videos/gone.mp4",
    ]
    assert [reason.split(":")[0] for _, reason in mined.quarantine] == ["not a video", "no such file"]


def test_clips_of_a_recording_with_a_held_out_frame_are_not_mined():
    clips = pd.DataFrame(
        {
            "clip": ["a_1", "a_2", "b_1", "c_f", "d"],
            "recording": ["a", "a", "b", "c_f", "d"],
        }
    )
    manifest = pd.DataFrame(
        {
            "split": ["val", "train", "test", "val"],
            "source": ["frames/val/a_1_f000010.jpg", "x/b_1_f000002.jpg", "x/c_f_f000002.jpg", "x/d.jpg"],
        }
    )
    assert minable_clips(clips, manifest)["clip"].tolist() == ["b_1", "d"]
    none = manifest.iloc[:0]
    assert len(minable_clips(clips, none)) == 5


def test_a_full_disk_is_no_corrupt_clip(project, monkeypatch):
    project.clip("a")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        project.mine()


def test_two_clips_of_one_name_and_no_clips_are_said(project):
    with pytest.raises(UserError, match="no readable clip"):
        project.mine()
    project.clip("a")
    double = project.clips
    project.clips = lambda: pd.concat([double(), double()])
    with pytest.raises(UserError, match="two clips are called 'a'"):
        project.mine()


def test_the_detector_is_asked_at_the_lowest_floor_and_never_holds_a_clip(project):
    project.clip("a", [(1, 0)] * 100)
    project.mine(stride=1)
    assert project.detector.asked == (0.25, 0.7, 100) and project.detector.held == 8


def test_a_detector_that_loses_a_frame_is_found_out(project, monkeypatch):
    project.clip("a")
    predict = project.detector.predict
    monkeypatch.setattr(
        project.detector,
        "predict",
        lambda images, **asked: itertools.islice(predict(images, **asked), 1, None),
    )
    with pytest.raises(ValueError, match=r"14 frames .* 13"):
        project.mine()


def test_a_verifier_joins_the_score_and_says_so(project):
    project.clip("a")
    _, table = project.mine(verifier="fake", verify=lambda rgb: 0.2)
    assert set(table["verifier"]) == {"fake"} and set(table["clip_used"]) == {1}
    assert set(table["clip_score"]) == {0.2}
    assert (table["fused_score_ema"] < table["yolo_score_ema"]).all()


def test_statistics_are_document_002s(project):
    project.clip("a")
    project.clip("nothing", [(0, 0)] * 20)
    _, table = project.mine()
    numbers = json.loads((project.out / "statistics.json").read_text())
    assert (numbers["clips"], numbers["frames"], numbers["candidates"]) == (2, 14 + 10, 5)
    assert numbers["clips_with_candidates"] == 1 and numbers["gate_passed"] == 5
    assert numbers["sustained_cues"] == {"2": 5} and sum(numbers["states"].values()) == 5
    bins = numbers["channelization"]
    assert sum(bins[name] for name in ("0", "1-5", "6-10", "11-20", "21+")) == 5
    empty = statistics(table.iloc[:0])
    assert empty["candidates"] == 0 and empty["yolo_score"]["mean"] is None


@pytest.mark.parametrize(
    ("cones", "name"), [(0, "0"), (1, "1-5"), (5, "1-5"), (6, "6-10"), (20, "11-20"), (21, "21+")]
)
def test_bins_of_channelization(project, cones, name):
    project.clip("a")
    table = project.mine()[1].assign(count_channelization=cones)
    assert statistics(table)["channelization"][name] == 5
