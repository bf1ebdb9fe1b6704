import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.mining.cues import (
    KINDS,
    CueGroup,
    FrameScore,
    cue_counts,
    frame_score,
    kind_counts,
    logistic,
    present_groups,
)

GROUPS = {
    "channelization": CueGroup(("cone", "drum"), confidence=0.25, objects=2, weight=1.0),
    "signage": CueGroup(("message_board",), confidence=0.35, objects=1, weight=1.2),
}
PUBLISHED = FrameScore(
    {"channelization": 0.9, "workers": 0.8, "vehicles": 0.5, "signs": 0.7, "message_boards": 0.6}, 0.35, 4.0
)


def test_a_box_counts_from_its_groups_own_floor_on():
    labels = ["cone", "drum", "cone", "message_board", "message_board", "worker"]
    counts = cue_counts(labels, [0.25, 0.9, 0.24, 0.34, 0.35, 1.0], GROUPS)
    assert counts == {"channelization": 2, "signage": 1}


@pytest.mark.parametrize(
    ("counts", "present"),
    [
        ({"channelization": 1, "signage": 0}, set()),  # one cone is no channelization
        ({"channelization": 2, "signage": 0}, {"channelization"}),
        ({"channelization": 0, "signage": 1}, {"signage"}),
        ({"channelization": 9, "signage": 9}, {"channelization", "signage"}),
    ],
)
def test_a_group_is_present_with_objects_enough(counts, present):
    assert present_groups(counts, GROUPS) == present


def test_the_frame_score_of_a_hand_worked_frame():
    labels = ["cone", "cone", "worker", "work_equipment"]  # the last is of no kind, but in the total
    kinds = kind_counts(labels)
    assert (kinds["channelization"], kinds["workers"], kinds["vehicles"]) == (2, 1, 0)
    expected = 1 / (1 + math.exp(-4 * (0.9 * 2 / 4 + 0.8 * 1 / 4 - 0.35)))  # logistic(1.2) = .7685
    assert frame_score(kinds, 4, PUBLISHED) == pytest.approx(expected)
    assert expected == pytest.approx(0.7685, abs=1e-4)


def test_the_published_range_is_the_formulas_own():
    nothing = frame_score(kind_counts([]), 0, PUBLISHED)
    cones = frame_score(kind_counts(["cone"]), 1, PUBLISHED)
    assert (round(nothing, 3), round(cones, 3)) == (0.198, 0.900)


@given(st.lists(st.sampled_from([name for names in KINDS.values() for name in names] + ["bike_lane"])))
def test_no_frame_leaves_the_published_range(labels):
    score = frame_score(kind_counts(labels), len(labels), PUBLISHED)
    assert 0.1977 < score < 0.9003


@given(st.floats(-1e4, 1e4))
def test_the_logistic_never_overflows(value):
    assert 0 <= logistic(value) <= 1
    assert logistic(value) == pytest.approx(1 - logistic(-value))
