import json

import cv2
import numpy as np
import pandas as pd
import pytest

from assay.data.items import Bad, Box, Item
from assay.data.workzone import (
    ClipRow,
    class_names,
    clips,
    copies_across_splits,
    read,
    read_intervals,
    recording,
    write_clips,
)
from assay.errors import UserError
from assay.sample.video import write_h264

NAMES = ["cone", "Cone", "car", "crowd"]
MAP = {"cone": "cone", "Cone": "cone", "car": ""}


def _photo(data, place, label="0 0.5 0.5 0.2 0.4\n", size=(80, 60), shade=90):
    path = data / place
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), shade, np.uint8))
    if label is not None:
        text = path.parent.parent / "labels" / f"{path.stem}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text(label)
    return path


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "workzone"
    _photo(folder, "cones/train/images/a.jpg")
    (folder / "cones/classes.txt").write_text("\n".join(NAMES) + "\n")
    return folder


def _read(data, **changes):
    return list(read(data, **({"class_map": MAP, "ignore": ["crowd"], "max_side": 500} | changes)))


def _reasons(data, **changes):
    return {item.source: item.reason for item in _read(data, **changes) if isinstance(item, Bad)}


def test_a_photo_becomes_an_item(data):
    (item,) = _read(data)
    assert (item.source, item.name, item.split) == ("cones/train/images/a.jpg", "cones_a.jpg", "train")
    assert (item.subset, item.group, item.width, item.height) == ("cones", "cones/a", 80, 60)
    (box,) = item.boxes
    assert box.xyxy == pytest.approx((32, 18, 48, 42)) and (box.label, box.raw) == ("cone", "cone")
    assert item.read() == (data / item.source).read_bytes()


def test_names_are_merged_ignored_or_background(data):
    _photo(data, "cones/valid/images/b.png", "1 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.4 0.4\n3 0.5 0.5 0.5 0.5\n")
    item = next(item for item in _read(data) if item.split == "val")
    assert item.boxes == (
        Box("cone", (32, 24, 48, 36), "Cone"),
        Box("", (20, 15, 60, 45), "crowd", ignore=True),
    )
    assert item.notes == ("car: background",)


# what lies in the data, and what is said of it
@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("0 0.5 1.7 0.1 0.1\n", "line 1: y centre 1.7 is outside 0-1"),
        ("0 nan 0.5 0.1 0.1\n", "line 1: nan among its numbers"),
        ("7 0.5 0.5 0.1 0.1\n", "line 1: unknown class id 7 of 4"),
        ("0 0.1 0.1 0.2 0.2 0.1 0.1\n", "line 1: a polygon of 2 points"),
        (None, "no label file"),
    ],
)
def test_a_bad_label_sets_its_image_aside_and_no_other(data, label, reason):
    _photo(data, "cones/test/images/bad.jpg", label)
    assert _reasons(data) == {"cones/test/images/bad.jpg": reason}
    assert sum(isinstance(item, Item) for item in _read(data)) == 1


def test_a_class_that_nothing_is_said_of_stops_before_every_image_is_set_aside(data):
    (data / "cones/classes.txt").write_text("cone\ncones\n")
    with pytest.raises(
        UserError, match=r"cones: unknown class 'cones'; did you mean 'cone'\? .* knows cone, Cone, car"
    ):
        _read(data)


def test_images_that_are_none(data):
    cut = _photo(data, "cones/train/images/cut.jpg", "", size=(200, 200))
    cut.write_bytes(cut.read_bytes()[:300])
    _photo(data, "cones/train/images/huge.png", "", size=(501, 4))
    (data / "cones/train/images/notes.md").write_text("x")
    _photo(data, "cones/train/images/same.jpg", "")
    _photo(data, "cones/train/images/same.png", "")
    (data / "cones/train/labels/alone.txt").write_text("")
    assert _reasons(data) == {
        "cones/train/images/cut.jpg": "truncated",
        "cones/train/images/huge.png": "too large: 501x4 pixels, at most 500 a side",
        "cones/train/images/notes.md": "not an image: the name ends in .md",
        "cones/train/images/same.png": "same.jpg has the same label file",
        "cones/train/labels/alone.txt": "no image of this name",
    }


def test_copies_and_frames_share_a_group(data):
    for split, name in (
        ("train", "p_jpg.rf.0a1b2c"),
        ("valid", "p_jpg.rf.9f8e7d"),
        ("train", "drive_f000012"),
        ("train", "drive_f000018"),
    ):
        _photo(data, f"cones/{split}/images/{name}.jpg")
    items = _read(data)
    assert {item.group for item in items} == {"cones/a", "cones/p_jpg", "cones/drive"}
    assert copies_across_splits(items) == {"copies": 2, "across": 1}


def test_negatives_are_background_by_turns_and_one_road_stays_together(data):
    for name in ("a", "b", "b2", "c"):
        _photo(data, f"negatives/images/{name}.jpg", None)
    (data / "negatives/images/d.jpg").write_bytes(b"")
    negatives = [item for item in _read(data) if isinstance(item, Item) and item.subset == "negatives"]
    assert {item.name: item.split for item in negatives} == {
        "negatives_a.jpg": "train", "negatives_b.jpg": "test", "negatives_b2.jpg": "test", "negatives_c.jpg": "train",
    }  # fmt: skip
    assert all(item.boxes == () for item in negatives)
    assert _reasons(data) == {"negatives/images/d.jpg": "empty file"}


def test_class_lists(data):
    folder = data / "cones"
    assert class_names(folder) == NAMES
    (folder / "data.yaml").write_text("names: {1: drum, 0: cone}\n")
    assert class_names(folder) == ["cone", "drum"]
    (folder / "data.yaml").write_text("names: {0: cone, 2: drum}\n")
    with pytest.raises(UserError, match=r"ids \[0, 2\]"):
        class_names(folder)
    (folder / "data.yaml").write_text("nc: 2\n")
    with pytest.raises(UserError, match="expected a key `names`"):
        class_names(folder)
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").unlink()
    with pytest.raises(UserError, match="no class list; write data"):
        _read(data)


def test_a_folder_of_another_layout_is_refused(tmp_path):
    (tmp_path / "workzone/photos").mkdir(parents=True)
    with pytest.raises(UserError, match="no labelled images"):
        _read(tmp_path / "workzone")


def test_clips_are_listed_and_the_damaged_set_aside(data, tmp_path):
    pictures = [np.full((32, 48, 3), 9 * k, np.uint8) for k in range(12)]
    for place in ("videos/boston_0a_000001_00030_snippet.mp4", "negatives/videos/quiet.mp4"):
        (data / place).parent.mkdir(parents=True, exist_ok=True)
        write_h264(data / place, pictures, 12)
    whole = (data / "negatives/videos/quiet.mp4").read_bytes()
    (data / "negatives/videos/boston_0a_000001_00030_snippet.mp4").write_bytes(whole)
    (data / "videos/cut.mp4").write_bytes(whole[: len(whole) // 2])
    (data / "videos/list.txt").write_text("x")
    rows, bad = clips(data)
    same = "videos/boston_0a_000001_00030_snippet.mp4"
    assert [(row.clip, row.path, row.recording) for row in rows] == [
        ("boston_0a_000001_00030_snippet", "videos/boston_0a_000001_00030_snippet.mp4", "boston_0a"),
        ("quiet", "negatives/videos/quiet.mp4", "quiet"),
    ]
    assert (rows[0].frames, rows[0].fps, rows[0].width, rows[0].height) == (12, 12.0, 48, 32)
    assert {item.source: item.reason for item in bad} == {
        "videos/cut.mp4": "truncated: the index (moov) is missing",
        "videos/list.txt": "not a video: the name ends in .txt",
        f"negatives/{same}": f"{same} has the same name; rename one",
    }
    write_clips(tmp_path / "clips.csv", rows)
    assert [ClipRow(**row) for row in pd.read_csv(tmp_path / "clips.csv").to_dict("records")] == rows
    write_clips(tmp_path / "none.csv", [])
    assert list(pd.read_csv(tmp_path / "none.csv")) == list(ClipRow.__dataclass_fields__)


def _annotated(tmp_path, content):
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    return tmp_path / "annotations.json"


def test_intervals_are_read_and_oddities_counted(tmp_path):
    first = {"outside": [[0, 9], [40, 50]], "approaching": [[10, 39]], "inside": [], "exiting": []}
    content = {
        "boston_0a_000001_00030_snippet.mp4": first,
        "boston_0a_000001_00060_snippet.mp4": {state: [] for state in first},
        "c.mp4": {"outside": [[5, 9]], "inside": [[9, 20], [30, 25]]},
    }
    path = _annotated(tmp_path, content)
    table, counts = read_intervals(path, {"c": 20})
    assert counts == {
        "clips": 3, "recordings": 2, "intervals": 5, "empty": 1, "reversed": 1, "overlaps": 1, "gaps": 1, "beyond_end": 1,
    }  # fmt: skip
    assert list(table.columns) == ["clip", "recording", "start", "end", "state"]
    assert table.iloc[1].tolist() == ["boston_0a_000001_00030_snippet", "boston_0a", 10, 39, "approaching"]
    assert recording("boston") == "boston"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "expected"),
        ({"a.mp4": []}, "a.mp4: expected"),
        ({"a.mp4": {"parked": [[0, 1]]}}, "unknown state 'parked'"),
        ({"a.mp4": {"inside": [[0, 1.5]]}}, r"\[0, 1.5\] is no pair of frames"),
        ({"a.mp4": {"inside": [[3]]}}, r"\[3\] is no pair of frames"),
    ],
)
def test_annotations_of_another_form_are_refused(tmp_path, content, says):
    with pytest.raises(UserError, match=says):
        read_intervals(_annotated(tmp_path, content))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="not readable as JSON"):
        read_intervals(tmp_path / "broken.json")
