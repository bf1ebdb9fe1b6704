import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.evaluation import detection_metrics
from assay.evaluation.detection_metrics import (
    average_precision,
    class_thresholds,
    counts_at,
    curve,
)
from assay.evaluation.matching import match
from tests.evaluation.detectors import random_boxes, stored, two_images


def matches_of(predictions, images=None):
    images = predictions.images["image"].tolist() if images is None else images
    return match(predictions.of("m"), predictions.truth, images, predictions.classes)


def all_metrics(predictions, weights):
    limits = np.full(len(predictions.classes), 0.4)
    return detection_metrics.detection_metrics(
        matches_of(predictions), np.atleast_2d(weights), limits, predictions.classes
    )


def repeated(predictions, times):
    """The images as often as `times` says, under new names."""
    copies = []
    for table in (predictions.boxes, predictions.truth, predictions.images):
        parts = []
        for image, count in zip(predictions.images["image"], times, strict=True):
            rows = table[table["image"] == image]
            parts += [rows.assign(image=f"{image}-{copy}") for copy in range(int(count))]
        copies.append(pd.concat(parts, ignore_index=True))
    return dataclasses.replace(predictions, boxes=copies[0], truth=copies[1], images=copies[2])


@pytest.mark.parametrize("seed", range(3))
def test_a_weight_is_that_many_copies_of_the_image(seed):
    predictions = random_boxes(16, seed=seed)
    times = np.random.default_rng(seed).multinomial(16, [1 / 16] * 16).astype(float)
    assert (times == 0).any() and (times > 1).any()
    weighted = all_metrics(predictions, times)
    copied = repeated(predictions, times)
    expected = all_metrics(copied, np.ones(len(copied.images)))
    assert set(weighted) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(weighted[name], value, atol=1e-12, err_msg=name)


def test_draws_are_worked_off_in_parts(monkeypatch):
    predictions = random_boxes(20)
    weights = np.random.default_rng(0).multinomial(20, [1 / 20] * 20, size=30).astype(float)
    whole = average_precision(matches_of(predictions), weights)
    monkeypatch.setattr(detection_metrics, "_CELLS", 100)
    np.testing.assert_array_equal(average_precision(matches_of(predictions), weights), whole)


def test_operating_point_by_hand():
    found = all_metrics(two_images(), [1, 1]) | {}
    assert found["precision/cone"] == found["precision/micro"] == pytest.approx(2 / 3)
    assert found["recall/macro"] == 1.0
    assert found["f1/cone"] == pytest.approx(4 / 5)
    assert found["false_positives/all"] == pytest.approx(1 / 2)
    heavier = all_metrics(two_images(), [1, 3])
    assert heavier["false_positives/all"] == pytest.approx(3 / 4)
    assert heavier["precision/cone"] == pytest.approx(4 / 7)


def test_each_class_has_its_own_threshold_and_equality_counts():
    predictions = two_images()
    right, wrong = counts_at(matches_of(predictions), np.array([0.8]))
    assert right.tolist() == [[1], [0]] and wrong.tolist() == [[0], [1]]
    right, wrong = counts_at(matches_of(predictions), np.array([0.81]))
    assert right.sum() == 1 and wrong.sum() == 0
    assert class_thresholds({"b": 0.2, "a": 0.1}, ["a", "b"]).tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match="no confidence threshold for b"):
        class_thresholds({"a": 0.1}, ["a", "b"])


def test_boxes_of_a_class_without_objects_are_false_positives_but_in_no_macro_mean():
    predictions = stored(
        [("m", "0.png", "cone", 0, 0, 10, 10, 0.9), ("m", "0.png", "drum", 0, 0, 10, 10, 0.9)],
        [("0.png", "cone", 0, 0, 10, 10, False)],
        1,
    )
    found = all_metrics(predictions, [1])
    assert found["precision/micro"] == 0.5 and found["precision/macro"] == 1.0
    assert found["false_positives/drum"] == 1.0
    assert np.isnan(found["ap50/drum"]) and np.isnan(found["recall/drum"]) and np.isnan(found["f1/drum"])
    assert found["map50"] == 1.0


def test_a_sample_without_the_object_is_undefined():
    predictions = stored(
        [("m", "0.png", "cone", 0, 0, 10, 10, 0.9)], [("0.png", "cone", 0, 0, 10, 10, False)], 2
    )
    found = all_metrics(predictions, [[1, 1], [0, 2]])
    assert found["map50"][0] == 1.0 and np.isnan(found["map50"][1])
    assert found["false_positives/all"].tolist() == [0, 0]


def test_curve_by_hand():
    line = curve(matches_of(two_images()), 0)
    assert line.confidence.tolist() == [0.9, 0.8, 0.7]
    assert line.recall.tolist() == [0.5, 0.5, 1.0]
    assert line.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert line.f1.tolist() == pytest.approx([2 / 3, 1 / 2, 4 / 5])


def test_boxes_of_equal_score_are_one_point_of_the_curve():
    predictions = two_images()
    predictions = dataclasses.replace(predictions, boxes=predictions.boxes.assign(score=0.5))
    line = curve(matches_of(predictions), 0)
    assert line.confidence.tolist() == [0.5] and line.precision.tolist() == pytest.approx([2 / 3])
    without = dataclasses.replace(predictions, truth=predictions.truth.iloc[:0])
    assert len(curve(matches_of(without), 0).f1) == 0
