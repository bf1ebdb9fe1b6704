import csv
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from assay.data.clips import frames
from assay.data.items import Bad, Item
from assay.data.source import content_hash, read_source
from assay.data.workzone import clips, copies_across_splits, read, read_intervals
from assay.sample.workzone import (
    CLASSES,
    CONE_COPIES,
    CONES,
    COPIED,
    DAMAGED,
    DRIVES,
    FRAMES_EACH,
    NEGATIVES,
    RECORDINGS,
    SHARED,
    make,
)

CONTENT = "32fb4944210615bfd9f3003a4658a46d9caa2be010c4de70a0ab9ef2eeab3133"


FEW = {"train": 12, "val": 4, "test": 2}
SHORT = [replace(DRIVES[k], seconds=1.2) for k in (0, 3, 5, 10)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The whole sample."""
    folder = tmp_path_factory.mktemp("data") / "workzone"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Fewer recordings and shorter clips."""
    folder = tmp_path_factory.mktemp("data") / "workzone"
    make(folder, drives=SHORT, recordings=FEW)
    return folder


@pytest.fixture(scope="module")
def found(small):
    return list(read(small, class_map={name: name for name in CLASSES}, ignore=(), max_side=1000))


@pytest.fixture(scope="module")
def items(found):
    return [item for item in found if isinstance(item, Item)]


@pytest.fixture(scope="module")
def truth(sample):
    with (sample / "truth_clips.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_the_bytes_are_the_committed_ones(sample):
    assert content_hash(sample) == CONTENT == read_source(sample)["content"]


@pytest.mark.slow
def test_it_is_described_as_a_sample_and_small(sample):
    source = read_source(sample)
    assert (source["project"], source["source"]) == ("workzone", "sample")
    assert sum(path.stat().st_size for path in sample.rglob("*")) < 25e6


def test_there_are_as_many_images_as_the_constants_say(items):
    counts = Counter((item.subset, item.split) for item in items)
    frame_counts = {split: count * FRAMES_EACH + COPIED.get(split, 0) for split, count in FEW.items()}
    frame_counts["val"] += SHARED
    expected = {("frames", split): count for split, count in frame_counts.items()}
    expected[("cones", "train")] = CONES["train"] + CONE_COPIES // 2
    expected[("cones", "val")] = CONES["valid"] + CONE_COPIES // 2
    expected[("cones", "test")] = CONES["test"]
    assert counts == expected | {
        ("negatives", "train"): NEGATIVES // 2,
        ("negatives", "test"): NEGATIVES // 2,
    }


def test_the_damaged_files_and_only_they_are_set_aside(small, found):
    bad = [item for item in found if isinstance(item, Bad)] + clips(small)[1]
    reasons = {item.source: item.reason for item in bad}
    assert set(reasons) == set(DAMAGED)
    says = {
        "text": "not a video",
        "outside": "outside 0-1",
        "no label": "no label file",
        "unknown class": "unknown class id",
    }
    for source, kind in DAMAGED.items():
        assert says.get(kind, kind) in reasons[source]


def test_leaks_are_copies_of_train_frames_and_of_neighbours(items):
    content = defaultdict(set)
    for item in items:
        content[item.read()].add(item.split)
    assert sum(splits == {"train", "val"} for splits in content.values()) == COPIED["val"]
    assert sum(splits == {"train", "test"} for splits in content.values()) == COPIED["test"]
    assert copies_across_splits(items)["across"] == 1 + CONE_COPIES // 2  # one recording, and cones


@pytest.mark.slow
def test_most_classes_have_boxes_in_every_split_and_there_is_background(sample):
    found = read(sample, class_map={name: name for name in CLASSES}, ignore=(), max_side=1000)
    items = [item for item in found if isinstance(item, Item)]
    assert (
        sum(item.subset == "frames" and item.split == "train" for item in items)
        == RECORDINGS["train"] * FRAMES_EACH
    )
    for split in ("train", "val", "test"):
        labels = Counter(box.label for item in items if item.split == split for box in item.boxes)
        assert len(labels) >= 9 and labels["cone"] > 50, split
        empty = sum(not item.boxes for item in items if item.split == split)
        assert 0.2 < empty / sum(item.split == split for item in items) < 0.7


@pytest.mark.slow
def test_every_drive_is_a_clip_as_planned(sample):
    rows, _ = clips(sample)
    assert {row.clip: (row.frames, row.fps, (row.width, row.height)) for row in rows} == {
        drive.name: (round(drive.seconds * drive.fps), drive.fps, drive.size) for drive in DRIVES
    }


@pytest.mark.slow
def test_truth_covers_every_frame_once_and_speaks_the_reviewers_words(truth):
    labels = set(yaml.safe_load(Path("conf/project/workzone.yaml").read_text("utf-8"))["review"]["labels"])
    of_clip = defaultdict(list)
    for row in truth:
        assert row["truth"] in labels and row["objects"] in ("0", "1")
        of_clip[row["clip"]].append((int(row["first_frame"]), int(row["last_frame"])))
    assert set(of_clip) == {drive.name for drive in DRIVES}
    for drive in DRIVES:
        covered = [frame for first, last in of_clip[drive.name] for frame in range(first, last + 1)]
        assert covered == list(range(round(drive.seconds * drive.fps)))


@pytest.mark.slow
def test_lookalikes_hold_no_object_and_the_other_truths_do(truth):
    held = defaultdict(set)
    for row in truth:
        held[row["truth"]].add(row["objects"])
    assert held["work_zone"] == held["random_cones"] == {"1"}
    for label in ("roadside_signs", "orange_trucks", "weather_artifacts", "other_lookalike"):
        assert held[label] == {"0"}, label


@pytest.mark.slow
def test_annotations_cover_the_clips_and_one_goes_through_every_state(sample):
    rows, _ = clips(sample)
    table, counts = read_intervals(
        sample / "workzone_annotations.json", {row.clip: row.frames for row in rows}
    )
    assert (counts["empty"], counts["overlaps"], counts["gaps"], counts["beyond_end"]) == (1, 0, 0, 0)
    states = {clip: list(part["state"]) for clip, part in table.groupby("clip")}
    assert states["harbour_road"] == ["approaching", "inside", "exiting", "outside"]
    last = table.groupby("clip")["end"].max()
    assert all(last[row.clip] == row.frames - 1 for row in rows)


@pytest.mark.slow
def test_the_parked_car_sees_next_to_no_change_and_a_driving_one_much(sample):
    def change(name):
        pictures = [image.astype(int) for _, _, image in frames(sample / f"videos/{name}.mp4", stride=15)]
        return np.mean([np.abs(a - b).mean() for a, b in pairwise(pictures)])

    assert 8 * change("market_square") < change("harbour_road")


def test_two_generations_are_the_same(small, tmp_path):
    make(tmp_path / "again", drives=SHORT, recordings=FEW)
    assert content_hash(tmp_path / "again") == content_hash(small)


@pytest.mark.slow
def test_another_seed_is_another_sample(small, tmp_path):
    make(tmp_path / "other", seed=5, drives=SHORT, recordings=FEW)
    assert content_hash(tmp_path / "other") != content_hash(small)
