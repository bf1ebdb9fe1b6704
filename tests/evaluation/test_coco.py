import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.coco import coco_scores
from tests.evaluation.detectors import random_boxes, stored, two_images


def scored(predictions, images=None):
    names = predictions.images["image"].tolist() if images is None else images
    return coco_scores(predictions.of("m"), predictions.truth, names, predictions.classes)


def test_two_images_and_three_boxes_by_hand():
    """Recall 1/2 at precision 1, recall 1 at 2/3: of 101 recalls 51 (0 to 0.50) read 1 and 50 read 2/3."""
    found = scored(two_images())
    at_50 = (51 + 50 * 2 / 3) / 101
    at_85 = 51 / 101  # from IoU 0.85 on the box of IoU 0.82 is wrong too
    assert found.map50 == pytest.approx(at_50)
    assert found.ap[0].tolist() == pytest.approx([at_50] * 7 + [at_85] * 3)
    assert found.map50_95 == pytest.approx(0.7 * at_50 + 0.3 * at_85)
    assert found.ar == pytest.approx(0.7 * 1 + 0.3 * 0.5)


def test_perfect_boxes_score_one():
    predictions = random_boxes(20)
    truth = predictions.truth[~predictions.truth["ignore"]]
    perfect = truth.drop(columns="ignore").assign(model="m", score=0.6)
    found = scored(dataclasses.replace(predictions, boxes=perfect))
    assert found.map50 == found.map50_95 == found.ar == 1.0


def test_a_class_without_objects_is_in_no_mean():
    predictions = stored(
        [("m", "0.png", "cone", 0, 0, 10, 10, 0.9), ("m", "0.png", "drum", 0, 0, 10, 10, 0.9)],
        [("0.png", "cone", 0, 0, 10, 10, False)],
        1,
    )
    found = scored(predictions)
    assert np.isnan(found.ap[1]).all() and np.isnan(found.recall[1]).all()
    assert found.map50 == 1.0


def test_a_box_on_a_region_to_ignore_counts_neither_way():
    objects = [("0.png", "cone", 0, 0, 10, 10, False)]
    boxes = [
        ("m", "0.png", "cone", 50, 50, 60, 60, 0.9),  # on nothing, surer than the right one
        ("m", "0.png", "cone", 0, 0, 10, 10, 0.8),
    ]
    assert scored(stored(boxes, objects, 1)).map50 == pytest.approx(0.5)
    region = ("0.png", "", 40, 40, 90, 90, True)
    assert scored(stored(boxes, [*objects, region], 1)).map50 == 1.0
    elsewhere = ("0.png", "", 60, 60, 90, 90, True)
    assert scored(stored(boxes, [*objects, elsewhere], 1)).map50 == pytest.approx(0.5)


def test_a_region_does_not_take_a_right_box_away():
    truth = [("0.png", "cone", 0, 0, 10, 10, False), ("0.png", "", 0, 0, 100, 100, True)]
    assert scored(stored([("m", "0.png", "cone", 0, 0, 10, 10, 0.8)], truth, 1)).map50 == 1.0


def test_the_hundred_and_first_box_does_not_count():
    wrong = [("m", "0.png", "cone", 50, 50, 60, 60, 0.9)] * 99
    right = ("m", "0.png", "cone", 0, 0, 10, 10, 0.8)
    truth = [("0.png", "cone", 0, 0, 10, 10, False)]
    assert scored(stored([*wrong, right], truth, 1)).map50 == pytest.approx(1 / 100)
    assert scored(stored([wrong[0], *wrong, right], truth, 1)).map50 == 0.0


def test_nothing_found_and_nothing_there():
    predictions = two_images()
    assert scored(dataclasses.replace(predictions, boxes=predictions.boxes.iloc[:0])).map50 == 0.0
    assert np.isnan(scored(dataclasses.replace(predictions, truth=predictions.truth.iloc[:0])).map50)
    assert np.isnan(scored(predictions, images=[]).map50)


def test_rows_of_other_images_are_left_out():
    predictions = two_images()
    assert scored(predictions, images=["0.png"]).map50 == 1.0
    more = pd.concat([predictions.truth, predictions.truth.assign(image="elsewhere.png")])
    assert scored(dataclasses.replace(predictions, truth=more)).map50 == scored(predictions).map50
