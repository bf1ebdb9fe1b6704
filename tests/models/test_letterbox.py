import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.detections import detections
from assay.models.letterbox import Fit, boxes_of, flipped, letterbox, to_input

SIDES = st.integers(1, 700)
SQUARE = Fit(1, 1, 0, 0, 100, 100)  # a picture that fits as it is
ASKED = {"confidence": 0.25, "nms_iou": 0.5, "max_boxes": 10}


def raw_of(*boxes):
    """(x1, y1, x2, y2, score of class 0, of class 1) as the network answers: centre and size, a column each."""
    table = np.array(boxes, np.float32)
    centre, side = (table[:, :2] + table[:, 2:4]) / 2, table[:, 2:4] - table[:, :2]
    return np.concatenate([centre, side, table[:, 4:]], axis=1).T


def rows(found):
    """[(class, score in %, x1, y1, x2, y2)], in order."""
    return [
        (int(label), round(float(score) * 100), *box.round(3).tolist())
        for label, score, box in zip(found.class_id, found.confidence, found.xyxy, strict=True)
    ]


@given(SIDES, SIDES, st.sampled_from([32, 64, 640]), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_boxes_come_back_from_where_the_picture_was_put(width, height, size, shares):
    square, fit = letterbox(np.zeros((height, width, 3), np.uint8), size)
    assert square.shape == (size, size, 3)
    x1, x2 = sorted(share * width for share in shares[:2])
    y1, y2 = sorted(share * height for share in shares[2:])
    box = np.array([[x1, y1, x2, y2]], np.float32)
    # where the picture's own corner lands: the rows and columns that are not the padding's grey
    filled = np.argwhere((square != 114).any(axis=2))
    (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0) + 1
    to = np.array([(right - left) / width, (bottom - top) / height] * 2)
    placed = box * to + [left, top, left, top]
    assert np.abs(fit.back(placed.astype(np.float32)) - box).max() <= 1e-3 * max(width, height)


@given(SIDES, SIDES, st.sampled_from([32, 64, 640]))
def test_the_picture_keeps_its_proportions_and_lies_in_the_middle(width, height, size):
    square, _ = letterbox(np.zeros((height, width, 3), np.uint8), size)
    filled = np.argwhere((square != 114).any(axis=2))
    (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0) + 1
    scale = size / max(width, height)
    assert max(right - left, bottom - top) == size
    assert abs((right - left) - max(1, width * scale)) <= 0.5
    assert abs((bottom - top) - max(1, height * scale)) <= 0.5
    assert abs(left - (size - right)) <= 1 and abs(top - (size - bottom)) <= 1


def test_content_lands_where_the_boxes_do():
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 40:80] = 255  # a white object at (40, 20) - (80, 60)
    square, fit = letterbox(picture, 64)
    white = np.argwhere(square.min(axis=2) > 200)
    (y1, x1), (y2, x2) = white.min(axis=0), white.max(axis=0) + 1
    back = fit.back(np.array([[x1, y1, x2, y2]], np.float32))
    np.testing.assert_allclose(back, [[40, 20, 80, 60]], atol=200 / 64)  # within a px of the input


def test_a_picture_of_the_right_size_is_not_touched():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(letterbox(picture, 64)[0], picture)


def test_boxes_are_cut_at_the_pictures_edges():
    fit = Fit(0.5, 0.5, 0, 16, 128, 64)
    back = fit.back(np.array([[-5, 0, 70, 64], [10, 26, 20, 36]], np.float32))
    assert back.tolist() == [[0, 0, 128, 64], [20, 20, 40, 40]]


def test_the_network_sees_channels_first_from_0_to_1():
    squares = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    found = to_input(squares)
    assert found.dtype == np.float32 and found.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(found[1, 2], squares[1, :, :, 2] / 255, rtol=1e-6)


def test_of_overlapping_boxes_of_one_class_the_surest_stays():
    raw = raw_of(
        (10, 10, 30, 30, 0.6, 0),
        (11, 10, 31, 30, 0.9, 0),  # IoU .9 with the first
        (60, 60, 80, 80, 0.5, 0),
        (12, 10, 32, 30, 0, 0.7),  # at the same place, of the other class
    )
    found = boxes_of(raw, SQUARE, **ASKED)
    assert rows(found) == [(0, 90, 11, 10, 31, 30), (1, 70, 12, 10, 32, 30), (0, 50, 60, 60, 80, 80)]


def test_boxes_that_overlap_less_than_asked_both_stay():
    raw = raw_of((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 20, 0.8, 0))  # IoU .5
    assert len(boxes_of(raw, SQUARE, **ASKED | {"nms_iou": 0.51})) == 2
    assert len(boxes_of(raw, SQUARE, **ASKED | {"nms_iou": 0.49})) == 1


def test_an_anchor_may_answer_with_both_classes_and_doubt_is_dropped():
    raw = raw_of((10, 10, 30, 30, 0.5, 0.25), (50, 50, 60, 60, 0.249, 0))
    assert rows(boxes_of(raw, SQUARE, **ASKED)) == [(0, 50, 10, 10, 30, 30), (1, 25, 10, 10, 30, 30)]


def test_so_many_boxes_at_most_and_the_surest_of_them():
    raw = raw_of(*((10 * k, 0, 10 * k + 8, 8, 0.3 + k / 20, 0) for k in range(8)))
    found = boxes_of(raw, SQUARE, **ASKED | {"max_boxes": 3})
    assert [round(float(score), 2) for score in found.confidence] == [0.65, 0.6, 0.55]


def test_a_box_in_the_padding_is_no_box():
    fit = Fit(1, 1, 0, 25, 100, 50)  # rows 0-25 and 75-100 are grey
    raw = raw_of((10, 2, 40, 20, 0.9, 0), (10, 10, 40, 40, 0.8, 0), (10, 80, 40, 100, 0.7, 0.6))
    assert rows(boxes_of(raw, fit, **ASKED)) == [(0, 80, 10, 0, 40, 15)]


@pytest.mark.parametrize("scores", [0.0, np.nan])
def test_no_box_is_an_answer(scores):
    raw = raw_of((10, 10, 30, 30, scores, scores))
    found = boxes_of(raw, SQUARE, **ASKED)
    assert len(found) == 0 and found.xyxy.shape == (0, 4) and found.confidence.shape == (0,)


def test_mirroring_exchanges_left_and_right_and_twice_is_nothing():
    found = detections([[10, 20, 30, 40], [0, 0, 100, 5]], [1, 0], [0.9, 0.8])
    mirrored = flipped(found, 100)
    assert mirrored.xyxy.tolist() == [[70, 20, 90, 40], [0, 0, 100, 5]]
    assert mirrored.class_id.tolist() == [1, 0]
    assert np.array_equal(flipped(mirrored, 100).xyxy, found.xyxy)
    assert found.xyxy[0].tolist() == [10, 20, 30, 40]  # the argument stays as it was


def test_an_anchor_answers_with_all_its_classes_or_with_the_best():
    raw = np.zeros((4 + 3, 2), np.float32)
    raw[:4] = [[20, 60], [20, 60], [10, 10], [10, 10]]
    raw[4:] = [[0.9, 0.0], [0.6, 0.7], [0.0, 0.2]]
    fit = Fit(1, 1, 0, 0, 100, 100)
    asked = {"confidence": 0.5, "nms_iou": 0.5, "max_boxes": 10}
    assert boxes_of(raw, fit, **asked).class_id.tolist() == [0, 1, 1]
    assert boxes_of(raw, fit, **asked, one_class=True).class_id.tolist() == [0, 1]
