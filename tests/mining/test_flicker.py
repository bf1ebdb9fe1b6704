import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.detections import detections
from assay.mining.flicker import Flicker, FlickerRule, FlickerWindow, flicker_of, matches, moved_iou
from tests.mining.clip_project import ZONE

RULE = FlickerRule(window=2, confidence=0.25, iou=0.3, motion=0.5, cap=3)
CLASSES = ("cone", "worker")


def frame(*boxes):
    """(left, class, score) each: boxes of 10 x 10 px in one row."""
    xyxy = np.array([[left, 0, left + 10, 10] for left, _, _ in boxes], float).reshape(-1, 4)
    return xyxy, np.array([label for _, label, _ in boxes], int), np.array([score for *_, score in boxes])


@pytest.mark.parametrize(
    ("shift", "motion", "iou"),
    [
        (0, 0.0, 1.0),
        (5, 0.0, 1 / 3),  # 5 of 10 px overlap: 50 / 150
        (10, 0.0, 0.0),
        (5, 0.5, 1.0),  # it may have moved 5 px
        (10, 0.5, 1 / 3),
        (15, 0.5, 0.0),
    ],
)
def test_overlap_after_motion(shift, motion, iou):
    one, other = frame((0, 0, 1))[0], frame((shift, 0, 1))[0]
    assert moved_iou(one, other, motion) == pytest.approx(np.array([[iou]]))
    assert moved_iou(other, one, motion) == pytest.approx(np.array([[iou]]))


def test_a_box_inside_a_larger_one():
    assert moved_iou(np.array([[0, 0, 10, 10]]), np.array([[4, 4, 6, 6]]), 0.0).item() == pytest.approx(0.04)


@given(st.lists(st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(1, 30)] * 2), min_size=2, max_size=6))
def test_without_motion_it_is_the_iou(boxes):
    from torch import tensor
    from torchvision.ops import box_iou

    xyxy = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes])
    expected = box_iou(tensor(xyxy), tensor(xyxy)).numpy()
    np.testing.assert_allclose(moved_iou(xyxy, xyxy, 0.0), expected, atol=1e-9)
    assert (moved_iou(xyxy, xyxy, 0.5) >= expected - 1e-9).all()


def test_another_class_is_another_thing():
    assert not matches(frame((0, 0, 1)), frame((0, 1, 1)), RULE, 1).any()


STILL, NONE = frame((0, 0, 0.8)), frame()


@pytest.mark.parametrize(
    ("frames", "flicker"),
    [
        ([NONE, NONE, STILL, NONE, NONE], Flicker((0,), (), 0.8)),  # seen once
        ([NONE, NONE, STILL, STILL, NONE], None),  # seen twice
        ([STILL, NONE, STILL, NONE, NONE], None),  # two frames away is near enough
        ([STILL] * 5, None),
        ([frame((k * 6, 0, 0.8)) for k in range(5)], None),  # it moves by .6 of its width per frame
        ([frame((k * 30, 0, 0.8)) for k in range(5)], Flicker((0,), (), 0.8)),  # too fast to be one thing
        ([STILL, STILL, NONE, STILL, STILL], Flicker((), ((0, 0.8),), 0.8)),  # a gap
        ([NONE, STILL, NONE, STILL, NONE], None),  # two false boxes with nothing between: no gap
        ([NONE, STILL, NONE, STILL, STILL], Flicker((), ((0, 0.8),), 0.8)),
        ([STILL, STILL, NONE, NONE, STILL], None),  # gone for two frames: it may have gone
        (
            [STILL, STILL, frame((90, 1, 0.4)), frame((3, 0, 0.5)), STILL],
            Flicker((0,), ((0, 0.5),), 0.5),
        ),
        ([NONE] * 5, None),
    ],
)
def test_hand_made_neighbourhoods(frames, flicker):
    assert flicker_of(frames, RULE) == flicker


def test_the_window_judges_its_middle_frame_and_says_what_it_saw():
    def found(frame):
        return detections(*frame)

    window = FlickerWindow(RULE, CLASSES)
    sequence = [NONE, NONE, frame((0, 1, 0.61), (50, 0, 0.2)), NONE, NONE, NONE]  # .2 does not count
    answers = [window.step(found(one), number) for number, one in enumerate(sequence)]
    assert [answer is None for answer in answers] == [True] * 4 + [False, True]
    flicker, about, boxes, number = answers[4]
    assert (flicker.isolated, number, len(boxes)) == ((0,), 2, 2)
    assert about == "worker .61 in this frame alone"
    window = FlickerWindow(RULE, CLASSES)
    *_, last = [window.step(found(one), None) for one in [STILL, STILL, NONE, STILL, STILL]]
    assert last[1] == "cone .80 missing between its neighbours"


def test_flickering_frames_are_candidates_beside_the_others(project):
    rule = dataclasses.replace(project.settings.flicker, cap=4)
    # 28 frames of a work zone and 72 of nothing; then a cone in frame 100 alone, and two with a gap in frame 110
    shown = [*ZONE, *[(0, 0)] * 72, (1, 0), *[(0, 0)] * 6, *[(2, 0)] * 3, (0, 0), *[(2, 0)] * 3]
    project.clip("a", shown)
    _, without = project.mine(stride=1)
    _, table = project.mine(stride=1, flicker=rule)
    extra = table[table["reason"] == "flicker"]
    assert extra["frame"].tolist() == [100, 110]
    assert extra["about"].tolist() == [
        "cone .90 in this frame alone",
        "cone .90 missing between its neighbours; cone .90 missing between its neighbours",
    ]
    assert json.loads(extra["boxes"].iloc[1]) == []
    rest = table[table["reason"] != "flicker"].reset_index(drop=True)
    assert rest["frame"].tolist() == without["frame"].tolist()
    assert len(list(project.out.rglob("*.jpg"))) == len(table)
    _, capped = project.mine(stride=1, flicker=dataclasses.replace(rule, cap=1))
    assert (capped["about"] != "").sum() == 1


def test_a_frame_that_both_miners_choose_is_one_candidate(project):
    rule = dataclasses.replace(project.settings.flicker, cap=9)
    shown = (
        [(6, 1)] * 10 + [(7, 1)] + [(6, 1)] * 10
    )  # the seventh cone and the board that moved aside, for one frame
    project.clip("a", shown)
    _, table = project.mine(stride=1, cap=50, flicker=rule)
    both = table[table["frame"] == 10]
    assert both["reason"].tolist() == ["several cues and flicker"] and table["image"].is_unique
