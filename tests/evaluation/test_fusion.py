"""Boxes of several looks, fused by their authors' library."""

import numpy as np
import pytest

from assay.data.detections import detections
from assay.evaluation.fusion import fuse


def look(*boxes):
    """(class, confidence, left, top, right, bottom) each."""
    rows = np.array(boxes, float).reshape(-1, 6)
    return detections(rows[:, 2:], rows[:, 0], rows[:, 1])


def fused(*looks, iou=0.55, max_boxes=10):
    found = fuse(looks, width=200, height=100, iou=iou, max_boxes=max_boxes)
    return [
        (int(label), round(float(score), 3), *np.round(box, 1).tolist())
        for label, score, box in zip(found.class_id, found.confidence, found.xyxy, strict=True)
    ]


def test_what_two_looks_found_is_one_box_weighted_by_confidence():
    # left edges 10 and 14 with 0.9 and 0.3: 11; the mean confidence is 0.6
    assert fused(look((1, 0.9, 10, 10, 60, 60)), look((1, 0.3, 14, 10, 60, 60))) == [(1, 0.6, 11, 10, 60, 60)]


def test_what_one_of_two_looks_found_is_half_as_sure():
    assert fused(look((0, 0.8, 10, 10, 60, 60)), look()) == [(0, 0.4, 10, 10, 60, 60)]


def test_classes_and_distant_boxes_stay_apart():
    found = fused(look((0, 0.8, 10, 10, 60, 60)), look((1, 0.6, 10, 10, 60, 60), (0, 0.4, 100, 10, 150, 60)))
    assert [(label, score) for label, score, *_ in found] == [(0, 0.4), (1, 0.3), (0, 0.2)]
    assert len(fused(look((0, 0.8, 10, 10, 60, 60)), look((1, 0.6, 10, 10, 60, 60)), max_boxes=1)) == 1


def test_one_look_stays_as_it_is_and_none_found_is_none():
    only = look((0, 0.8, 10, 10, 60, 60), (0, 0.7, 11, 10, 60, 60))
    assert fuse([only], width=200, height=100, iou=0.55, max_boxes=1) is only
    assert fused(look(), look()) == []


@pytest.mark.parametrize("width", [1, 5000])
def test_boxes_come_back_in_px_of_the_picture(width):
    both = [look((0, 0.5, 0, 0, width, 50))] * 2
    found = fuse(both, width=width, height=100, iou=0.5, max_boxes=5)
    np.testing.assert_allclose(found.xyxy, [[0, 0, width, 50]], rtol=1e-5)
