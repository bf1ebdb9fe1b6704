import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.detections import detections
from assay.mining.images import REASONS, barred, minable, rank_images

CLASSES = ("drain", "toe")
A, B, C = (10, 10, 50, 50), (60, 60, 90, 90), (0, 60, 30, 95)


class FakeDetector:
    """Answers by the image's number, which is its colour; `mirrored` where the two views differ."""

    def __init__(self, plain, mirrored=None):
        self.plain, self.mirrored = plain, {**plain, **(mirrored or {})}

    def predict(self, images, *, confidence, nms_iou, max_boxes, flip=False):
        for image in images:
            boxes = (self.mirrored if flip else self.plain).get(int(image[0, 0, 0]), [])
            boxes = [box for box in boxes if box[2] >= confidence]
            yield detections(
                np.array([box[0] for box in boxes]),
                np.array([CLASSES.index(box[1]) for box in boxes]),
                np.array([box[2] for box in boxes]),
            )


def manifest(count, **changes):
    rows = [
        {
            "image": f"images/train/{number}.png",
            "split": "train",
            "group": f"g{number}",
            "sha256": f"{number:012x}".ljust(64, "0"),
        }
        for number in range(count)
    ]
    return pd.DataFrame(rows).assign(**changes)


def truth(*rows):
    table = pd.DataFrame(
        [(f"images/train/{n}.png", label, *box, label == "") for n, label, box in rows],
        columns=["image", "label", "x1", "y1", "x2", "y2", "ignore"],
    )
    return table.astype({"ignore": bool})


def load(image):
    return np.full((100, 100, 3), int(image.split("/")[-1].split(".")[0]), np.uint8)


def rank(images, detector, labels=None, max_candidates=50, **changes):
    options = {"uncertain": (0.1, 0.5), "match_iou": 0.5, "classes": CLASSES} | changes
    return rank_images(
        images,
        detector,
        load,
        truth=truth() if labels is None else labels,
        max_candidates=max_candidates,
        **options,
    )


@pytest.mark.parametrize(
    ("found", "mirrored", "labels", "reason", "surprise"),
    [
        # a labelled drain, nothing found there
        ([], None, [(0, "drain", A)], "miss", 1.0),
        # found, but below .25: as surprising as far from it
        ([(A, "drain", 0.2)], None, [(0, "drain", A)], "miss", 0.8),
        # found as something else
        ([(A, "toe", 0.9)], None, [(0, "drain", A)], "miss", 1.0),
        # the label is found, and one thing more
        ([(A, "drain", 0.9), (B, "toe", 0.6)], None, [(0, "drain", A)], "false_alarm", 0.6),
        # the views agree about the label, one of them sees a second thing
        ([(A, "drain", 0.9)], [(A, "drain", 0.9), (B, "toe", 0.7)], [(0, "drain", A)], "disagreement", 0.7),
        # a weak partner is a partner: no disagreement, and the best box is sure
        ([(A, "drain", 0.9)], [(A, "drain", 0.12)], [(0, "drain", A)], None, None),
        # right and sure
        ([(A, "drain", 0.9)], None, [(0, "drain", A)], None, None),
        # right and unsure
        ([(A, "drain", 0.4)], None, [(0, "drain", A)], "uncertain", 0.8),
        # nothing labelled, nothing found
        ([], None, [], None, None),
        # nothing labelled, a weak box: unsure, no false alarm
        ([(A, "drain", 0.2)], None, [], "uncertain", 0.4),
        # a region to ignore is no miss, and what is found in it no false alarm
        ([(A, "drain", 0.9)], None, [(0, "", (5, 5, 60, 60))], None, None),
        ([(A, "drain", 0.9)], [], [(0, "", (5, 5, 60, 60))], None, None),
        ([(A, "drain", 0.9)], None, [(0, "", (40, 40, 60, 60))], "false_alarm", 0.9),
    ],
)
def test_why_a_labelled_image_is_shown(found, mirrored, labels, reason, surprise):
    detector = FakeDetector({0: found}, None if mirrored is None else {0: mirrored})
    table = rank(manifest(1), detector, truth(*labels))
    assert table["reason"].tolist() == ([] if reason is None else [reason])
    if reason:
        assert table["surprise"][0] == pytest.approx(surprise)


@pytest.mark.parametrize(
    ("found", "mirrored", "reason"),
    [
        ([(A, "drain", 0.9)], None, None),  # without labels a sure box is right
        ([], None, None),  # and so is none
        ([(A, "drain", 0.5)], None, "uncertain"),
        ([(A, "drain", 0.51)], None, None),
        ([(A, "drain", 0.9)], [], "disagreement"),
        ([], [(A, "drain", 0.9)], "disagreement"),
        ([(A, "drain", 0.9)], [(A, "toe", 0.9)], "disagreement"),
        ([(A, "drain", 0.2)], [], "uncertain"),  # too weak to disagree about
    ],
)
def test_why_an_image_of_the_pool_is_shown(found, mirrored, reason):
    detector = FakeDetector({0: found}, None if mirrored is None else {0: mirrored})
    table = rank(manifest(1, split="pool"), detector)
    assert table["reason"].tolist() == ([] if reason is None else [reason])
    assert table["label"].tolist() == [""] * len(table)


def test_the_row_says_what_a_reviewer_needs():
    detector = FakeDetector(
        {0: [(A, "drain", 0.9), (B, "toe", 0.12)]}, {0: [(A, "drain", 0.9), (C, "toe", 0.7)]}
    )
    (row,) = rank(manifest(1), detector, truth((0, "drain", A), (0, "toe", B))).to_dict("records")
    assert (row["candidate"], row["reason"], row["label"], row["about"]) == (
        "0" * 12,
        "miss",
        "drain+toe",
        "toe",
    )
    assert (row["confidence"], row["found"], row["labelled"]) == (0.9, 1, 2)
    assert [(box["label"], box["origin"]) for box in json.loads(row["boxes"])] == [
        ("drain", "model"),
        ("toe", "model"),
        ("toe", "mirrored"),
        ("drain", "label"),
        ("toe", "label"),
    ]


def test_of_a_group_the_most_surprising_is_shown_and_images_without_one_stand_alone():
    detector = FakeDetector({k: [(A, "drain", 0.3 + 0.04 * k)] for k in range(4)})
    images = manifest(4, split="pool", group=["g", "g", "", ""])
    table = rank(images, detector)
    assert table["image"].str[-5].tolist() == ["3", "2", "1"]
    assert table["group_size"].tolist() == [1, 1, 2]


def test_reasons_take_turns_where_there_are_more_than_fit():
    found = {k: [(A, "drain", 0.3)] for k in range(6, 10)}
    labels = truth(*[(k, "drain", A) for k in range(6)])  # six misses of surprise 1, four alarms of .3
    table = rank(manifest(10), FakeDetector(found), labels, max_candidates=4)
    assert table["reason"].tolist() == ["miss", "miss", "false_alarm", "false_alarm"]
    assert table["surprise"].is_monotonic_decreasing


@pytest.mark.parametrize("split", ["val", "test"])
def test_held_out_images_are_never_mined(split):
    images = manifest(3, split=["train", split, "pool"])
    with pytest.raises(ValueError, match="must not be mined"):
        rank(images, FakeDetector({}))
    assert minable(images)["split"].tolist() == ["train", "pool"]


def test_nor_is_what_shows_the_same_as_a_held_out_one():
    images = manifest(
        6,
        split=["train", "val", "train", "test", "pool", "train"],
        group=["twin", "twin", "", "", "alone", "flight"],
        sha256=["a", "b", "c", "d", "d", "f"],
    )
    assert minable(images)["image"].str[-5].tolist() == ["2", "5"]


def test_a_flight_is_no_near_duplicate_where_the_manifest_tells_them_apart():
    images = manifest(4, split=["train", "train", "val", "pool"], group="flight", alike=["a", "b", "b", "a"])
    assert minable(images)["image"].str[-5].tolist() == ["0", "3"]
    detector = FakeDetector({k: [(A, "drain", 0.3 + 0.04 * k)] for k in range(4)})
    table = rank(minable(images), detector, truth((0, "drain", A)))
    assert table["image"].str[-5].tolist() == ["3"] and table["group_size"].tolist() == [2]


def test_what_is_of_a_flight_held_out_whole_is_not_minable():
    """Of flight "torn" training has its part, of "whole" none."""
    images = manifest(
        5,
        split=["train", "val", "pool", "test", "pool"],
        group=["torn", "torn", "torn", "whole", "whole"],
        alike=[*"abcde"],
    )
    assert minable(images)["image"].str[-5].tolist() == ["0", "2"]
    assert barred(images) == {images["sha256"][k][:12] for k in (1, 3, 4)}


def test_no_images_and_no_candidates_are_empty_tables(tmp_path):
    table = rank(manifest(2), FakeDetector({}))
    assert len(table) == 0 and "boxes" in table
    table.to_parquet(tmp_path / "candidates.parquet")


BOX = st.tuples(st.sampled_from([A, B, C]), st.sampled_from(CLASSES), st.floats(0.05, 1))
BOXES = st.dictionaries(st.integers(0, 7), st.lists(BOX, max_size=3))


@given(BOXES, BOXES, st.integers(1, 6))
def test_any_ranking_is_capped_ordered_and_of_known_reasons(plain, mirrored, most):
    labels = truth(*[(k, "drain", A) for k in range(0, 8, 2)])
    images = manifest(8, split=["train"] * 5 + ["pool"] * 3)
    table = rank(
        images, FakeDetector(plain, mirrored), labels[labels["image"].isin(images["image"][:5])], most
    )
    assert len(table) <= most and table["group"].is_unique
    assert set(table["reason"]) <= set(REASONS)
    assert table["surprise"].between(0, 1).all() and table["surprise"].is_monotonic_decreasing
    assert not set(table.loc[table["split"] == "pool", "reason"]) & {"miss", "false_alarm"}


def test_further_reasons_stand_behind_the_labels_and_before_doubt():
    """Image 0 misses an object, 1 is a further finding that two views also disagree about, 2 is nothing to `further`."""
    detector = FakeDetector({1: [(A, "toe", 0.9)], 2: [(A, "toe", 0.9)]}, {1: [], 2: []})
    images = manifest(3, split=["train", "pool", "pool"])
    asked = []

    def further(picture, found):
        asked.append(int(picture[0, 0, 0]))
        return ("merged", 0.8, "toe") if picture[0, 0, 0] == 1 else None

    table = rank(images, detector, truth((0, "drain", B)), further=further)
    assert dict(zip(table["image"], table["reason"], strict=True)) == {
        "images/train/0.png": "miss",
        "images/train/1.png": "merged",
        "images/train/2.png": "disagreement",
    }
    assert asked == [1, 2]  # what the labels tell is known already


def test_augmentation_may_be_the_second_look():
    detector = FakeDetector({0: [(A, "toe", 0.9)], 1: [(A, "toe", 0.9)]}, {1: []})
    agreed = FakeDetector({0: [(A, "toe", 0.8), (B, "drain", 0.6)], 1: [(A, "toe", 0.7)]})
    images = manifest(2, split="pool")
    mirrored = rank(images, detector)
    assert mirrored["image"].tolist() == ["images/train/1.png"]
    augmented = rank(images, detector, augmented=agreed.predict)  # it finds what a plain look does not
    (row,) = augmented.to_dict("records")
    assert (row["image"], row["reason"], row["about"]) == ("images/train/0.png", "disagreement", "drain")
    assert row["surprise"] == 0.6
    assert [box["origin"] for box in json.loads(row["boxes"])] == ["model", "augmented"]
