import hashlib

import pandas as pd
import pytest
from PIL import Image

from assay.data.condition import read_manifest
from assay.data.condition_added import DrawnPhoto, add_photos
from tests.data.test_condition import photo, run  # noqa: F401  a fixture

WHOLE = (6.0, 8.0, 30.0, 28.0)  # px of 60x40: the box of every row of `run`'s table


def drawn(path, name, boxes, labels, confidence=None):
    candidate = hashlib.sha256((path / name).read_bytes()).hexdigest()[:12]
    kinds = ["slope_drain" if k else "rock_toe" for k in range(len(boxes))]
    return DrawnPhoto(name, candidate, "2026-01-01", boxes, kinds, labels, confidence or [None] * len(boxes))


@pytest.fixture
def add(run, tmp_path):  # noqa: F811
    """Add photos to the prepared set of `run`."""
    manifest = read_manifest(run()[1])
    photo(run.data / "pool/new.png", 50)

    def add(*photos):
        folder = tmp_path / "build/hard_examples"
        folder.mkdir(parents=True)
        return manifest, add_photos(folder, photos, manifest, data=run.data, distance=0.1, dropped="unusable")

    add.data, add.crops = run.data, tmp_path / "build/hard_examples/crops"
    return add


def test_objects_of_a_pool_photo_become_instances_with_every_column(add):
    boxes = [WHOLE, (40.0, 4.0, 50.0, 36.0), (0.0, 0.0, 9.0, 9.0)]
    manifest, found = add(
        drawn(add.data, "pool/new.png", boxes, ["normal", "conditional", ""], confidence=[0.9, None, None])
    )
    rows = found.rows
    assert list(rows.columns) == list(manifest.columns) and not rows.drop(columns="label").isna().any(
        axis=None
    )
    assert rows["image"].tolist() == [
        "pool/new.png#drawn0",
        "pool/new.png#drawn1",
    ]  # the third says no condition
    assert found.labels["label"].tolist() == ["normal", "conditional"] and set(rows["split"]) == {"pool"}
    assert set(rows["group"]) == {"pool/new.png"} and found.refused == []
    assert rows["detector_confidence"].tolist() == [0.9, 0.5]  # .5: its detector had missed it
    assert rows[["x1", "y2"]].values.tolist() == [[0.1, 0.7], [pytest.approx(2 / 3), 0.9]]
    assert (rows["relative_position"] == 0.5).any()  # the one without a condition is a neighbour all the same
    path = add.crops.parents[1] / "dataset" / rows["crop"][0]
    assert path.is_file() and Image.open(path).size == (24, 20)


def test_a_training_photo_drawn_anew_keeps_same_boxes_and_loses_the_others(add):
    _, same = add(drawn(add.data, "photos/p0.png", [WHOLE], ["conditional"]))
    assert len(same.rows) == 0
    assert same.labels[["image", "label"]].values.tolist() == [["photos/p0.png#2", "conditional"]]


def test_a_training_box_that_nobody_drew_again_is_dropped(add):
    _, found = add(drawn(add.data, "photos/p1.png", [(0.0, 0.0, 20.0, 20.0)], ["normal"]))
    assert dict(zip(found.labels["image"], found.labels["label"], strict=True)) == {
        "photos/p1.png#3": "unusable",
        "photos/p1.png#drawn0": "normal",
    }
    assert found.rows["group"].tolist() == ["photos/p1.png"]


def test_what_is_held_out_looks_like_it_or_is_gone_teaches_nothing(add):
    held_out, copy = add.data / "photos/p4.png", add.data / "pool/copy.png"
    Image.open(held_out).resize((120, 80)).save(copy)
    gone = drawn(add.data, "pool/new.png", [WHOLE], ["normal"])
    (add.data / "pool/new.png").unlink()
    _, found = add(
        drawn(add.data, "photos/p4.png", [WHOLE], ["normal"]),
        drawn(add.data, "pool/copy.png", [WHOLE], ["normal"]),
        gone,
    )
    assert len(found.rows) == len(found.labels) == 0 and not list(add.crops.iterdir())
    assert [name for name, _ in found.refused] == ["pool/new.png", "photos/p4.png", "pool/copy.png"]
    assert "gone" in found.refused[0][1] and all("held out" in reason for _, reason in found.refused[1:])


def test_nothing_drawn_is_nothing_added(add):
    manifest, found = add()
    assert found.rows.empty and found.labels.empty
    assert len(pd.concat([manifest, found.rows])) == len(manifest)
