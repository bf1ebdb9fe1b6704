import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evaluation.coco import coco_scores
from assay.evaluation.detection_metrics import average_precision, average_recall
from assay.evaluation.matching import match, overlap
from tests.evaluation.detectors import random_boxes, stored, two_images


def both(predictions, model="m"):
    """(AP, recall) by the scorer and from the matches with every weight 1, (K, 10) each."""
    images = predictions.images["image"].tolist()
    found, truth, classes = predictions.of(model), predictions.truth, predictions.classes
    official = coco_scores(found, truth, images, classes)
    matches = match(found, truth, images, classes)
    ones = np.ones((1, len(images)))
    return (official.ap, official.recall), (
        average_precision(matches, ones)[0],
        average_recall(matches, ones)[0],
    )


def test_two_images_by_hand():
    predictions = two_images()
    matches = match(predictions.of("m"), predictions.truth, ["0.png", "1.png"], ["cone"])
    assert matches.row.tolist() == [0, 1, 2] and matches.image.tolist() == [0, 1, 1]
    assert matches.hit[:, 0].tolist() == [0, -1, 1]
    assert matches.hit[2].tolist() == [1] * 7 + [-1] * 3  # IoU 0.82
    assert matches.objects.tolist() == [[1], [1]]
    assert not matches.ignored.any()


@pytest.mark.parametrize("decimals", [9, 1])  # 1: many boxes of equal score
@pytest.mark.parametrize("seed", range(4))
def test_unit_weights_give_the_scorers_numbers(seed, decimals):
    official, ours = both(random_boxes(30, seed=seed, decimals=decimals))
    for expected, found in zip(official, ours, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


corner = st.integers(0, 12)
side = st.integers(1, 8)
place = st.tuples(st.integers(0, 2), corner, corner, side, side)
scene = st.tuples(
    st.lists(st.tuples(place, st.integers(0, 2)), max_size=8),  # label 2: a region to ignore
    st.lists(st.tuples(place, st.integers(0, 1), st.sampled_from([0.2, 0.5, 0.5, 0.9])), max_size=12),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(scene)
def test_crowded_grids_give_the_scorers_numbers(drawn):
    """Small integer boxes: equal overlaps, equal scores, IoUs exactly on a threshold, boxes on regions."""
    names = ("cone", "drum", "")
    objects, found = drawn
    truth = [(f"{i}.png", names[k], x, y, x + w, y + h, k == 2) for (i, x, y, w, h), k in objects]
    boxes = [("m", f"{i}.png", names[k], x, y, x + w, y + h, s) for (i, x, y, w, h), k, s in found]
    official, ours = both(stored([*boxes, ("m", "0.png", "cone", 90, 90, 95, 95, 0.1)], truth, 3))
    for expected, mine in zip(official, ours, strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-12)


def test_one_object_is_found_once_by_the_surest_box():
    predictions = stored(
        [
            ("m", "0.png", "cone", 0, 0, 10, 10, 0.5),
            ("m", "0.png", "cone", 0, 0, 10, 9, 0.6),
        ],
        [("0.png", "cone", 0, 0, 10, 10, False)],
        1,
    )
    matches = match(predictions.of("m"), predictions.truth, ["0.png"], predictions.classes)
    assert matches.row.tolist() == [1, 0]
    assert matches.hit[:, 0].tolist() == [0, -1]
    assert matches.hit[:, 9].tolist() == [-1, 0]  # at IoU 0.95 the surer one is not good enough


def test_overlap_of_regions_is_a_share_of_the_box():
    found, there = (
        np.array([[0.0, 0, 10, 10]]),
        np.array([[0.0, 0, 10, 5], [0, 0, 100, 100], [20, 20, 30, 30]]),
    )
    assert overlap(found, there, np.zeros(3, bool)).tolist() == [[0.5, 0.01, 0.0]]
    assert overlap(found, there, np.ones(3, bool)).tolist() == [[0.5, 1.0, 0.0]]
