import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.detections import detections
from assay.errors import UserError
from assay.mining.timeline import (
    Fusion,
    Smoothing,
    Timeline,
    as_row,
    rules_from,
    similarity_score,
    smooth,
    smoothing_alpha,
)

SMOOTHING = Smoothing(base=0.1, gain=0.2, enough=8, share=0.5)


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("objects", "score", "alpha"),
    [
        (0, 0.0, 0.10),
        (4, 0.5, 0.20),  # .1 + .2 * (.5 * .5 + .5 * .5)
        (8, 1.0, 0.30),
        (80, 1.0, 0.30),  # more than enough is enough
    ],
)
def test_evidence_makes_the_average_follow(objects, score, alpha):
    assert smoothing_alpha(objects, score, SMOOTHING) == pytest.approx(alpha)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_an_average_stays_between_what_it_has_seen(steps):
    value = None
    for score, alpha in steps:
        before, value = value, smooth(value, score, alpha)
        if before is not None:
            assert min(before, score) - 1e-9 <= value <= max(before, score) + 1e-9
    scores = [score for score, _ in steps]
    assert min(scores) - 1e-9 <= value <= max(scores) + 1e-9


def test_two_hand_worked_frames(rules, classes, boxes):
    timeline = Timeline(rules, classes)
    first = timeline.step(boxes(cone=4))
    high = logistic(4 * (0.9 - 0.35))
    assert first.yolo_score == first.yolo_score_ema == first.fused_score_ema == pytest.approx(high)
    assert (first.objects, first.count_channelization, first.clip_used, first.clip_score) == (4, 4, 0, None)
    assert (first.p1_num_sustained, first.p1_multi_cue_pass, first.p1_sustained) == (1, 0, "channelization")

    second = timeline.step(boxes(worker=1, work_equipment=1))
    low = logistic(4 * (0.8 / 2 - 0.35))  # 0.550
    alpha = 0.1 + 0.2 * (0.5 * 2 / 8 + 0.5 * low)
    assert second.yolo_score == pytest.approx(low)
    assert second.fused_score_ema == pytest.approx(alpha * low + (1 - alpha) * high)
    assert second.p1_sustained == "channelization+personnel+equipment"  # each in one of two frames
    # .7 * (.5 + .2) + .3 * (1 + .9 + 1) * .5 / 3
    assert second.p1_confidence == pytest.approx(0.635)


def test_a_clip_walks_through_a_work_zone(rules, classes, boxes):
    timeline = Timeline(rules, classes)
    seen = [boxes()] * 20 + [boxes(cone=6, message_board=1)] * 60 + [boxes()] * 40
    states = [timeline.step(found).state for found in seen]
    order = [state for k, state in enumerate(states) if k == 0 or states[k - 1] != state]
    assert order == ["OUT", "APPROACHING", "INSIDE", "EXITING", "OUT"]
    assert states[19] == "OUT" and states[79] == "INSIDE"


def test_the_verifier_is_asked_where_the_score_is_high_enough(rules, classes, boxes):
    asked = []

    def verify():
        asked.append(len(asked))
        return 0.5

    timeline = Timeline(rules, classes)
    quiet = timeline.step(boxes(), verify)  # .198 is below .45
    assert asked == [] and quiet.clip_used == 0 and quiet.fused_score == quiet.yolo_score
    loud = Timeline(rules, classes).step(boxes(cone=3), verify)
    assert asked == [0] and (loud.clip_used, loud.clip_score) == (1, 0.5)
    assert loud.fused_score == pytest.approx(0.65 * loud.yolo_score + 0.35 * 0.5)


def test_similarities_become_a_score():
    fusion = Fusion(slope=3.0, above=0.45, share=0.35)
    assert similarity_score(0.3, 0.3, fusion) == 0.5
    assert similarity_score(0.3, 0.2, fusion) == pytest.approx(logistic(0.3))


def test_a_floor_is_reached_by_its_own_value_in_float32(rules, classes):
    found = detections(np.zeros((1, 4)), [classes.index("message_board")], [0.35])  # float32: .34999999
    assert Timeline(rules, classes).step(found).p1_sustained == "signage"


def test_boxes_below_every_floor_are_not_there(rules, classes):
    found = detections(np.zeros((2, 4)), [0, 0], [0.2, 0.24])
    state = Timeline(rules, classes).step(found)
    assert (state.objects, state.count_channelization) == (0, 0)


def test_rows_are_rounded_once(rules, classes, boxes):
    row = as_row(Timeline(rules, classes).step(boxes(cone=1, worker=2)))
    assert all(round(value, 6) == value for value in row.values() if isinstance(value, float))


def test_an_unknown_kind_of_object_is_said(published):
    frame = published["frame"] | {"weights": {"cones": 1.0}}
    with pytest.raises(UserError, match=r"cones is no kind.*channelization"):
        rules_from(published | {"frame": frame})


def test_three_frames_worked_by_hand_with_a_verifier(rules, classes, boxes):
    """Every number is worked out on paper from the ledger's formulas; the verifier answers .4 each time it is asked."""
    timeline = Timeline(rules, classes)
    seen = (boxes(cone=3, message_board=1), boxes(), boxes(worker=2))
    one, two, three = (timeline.step(found, lambda: 0.4) for found in seen)

    # 1: shares .75 and .25; logistic(4 (.9 * .75 + .6 * .25 - .35)) = logistic(1.9); fused = .65 * .869892 + .35 * .4
    assert one.yolo_score == one.yolo_score_ema == pytest.approx(0.869892, abs=1e-6)
    assert one.fused_score == one.fused_score_ema == pytest.approx(0.705430, abs=1e-6)
    # both groups in 1 of 1 frames: .7 * .5 + .3 * min((1 + 1.2) / 2, 1)
    assert (one.p1_num_sustained, one.p1_confidence) == (2, pytest.approx(0.65))
    assert one.state == "APPROACHING"  # .705 would be INSIDE, were it 15 frames later

    # 2: logistic(4 * -.35); alpha = .1 + .2 (.5 * 0 + .5 * .197816) = .119782
    assert two.yolo_score == pytest.approx(0.197816, abs=1e-6)
    assert two.yolo_score_ema == pytest.approx(0.789390, abs=1e-6)  # .119782 * .197816 + .880218 * .869892
    assert two.clip_used == 1  # the smoothed score decides, not this frame's
    assert two.fused_score == pytest.approx(0.268580, abs=1e-6)  # .65 * .197816 + .14
    assert two.fused_score_ema == pytest.approx(0.653103, abs=1e-6)  # .119782 * .268580 + .880218 * .705430
    # each in 1 of 2 frames, which is .4 or more: .35 + .3 (.5 + .6) / 2
    assert (two.p1_num_sustained, two.p1_confidence) == (2, pytest.approx(0.515))

    # 3: logistic(4 (.8 - .35)) = logistic(1.8); alpha = .1 + .2 (.5 * 2 / 8 + .5 * .858149) = .210815
    assert three.yolo_score == pytest.approx(0.858149, abs=1e-6)
    assert three.yolo_score_ema == pytest.approx(0.803886, abs=2e-6)
    assert three.fused_score_ema == pytest.approx(0.662525, abs=2e-6)
    # each of three groups in 1 of 3 frames: none is sustained
    assert (three.p1_num_sustained, three.p1_multi_cue_pass, three.p1_confidence) == (0, 0, 0.0)
    assert three.state == "APPROACHING"
