"""Metrics of zone states: a timeline worked out by hand, and what must hold for every timeline."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.timeline import (
    UNMARKED,
    count_clip,
    events,
    every_frame,
    paired,
    states_of,
    timeline_metrics,
    transitions,
)

O, A, I, E = "outside", "approaching", "inside", "exiting"  # noqa: E741 - the states' letters
TOLERANCES = (0, 5, 15, 30)
TIMELINES = st.lists(st.sampled_from([O, A, I, E]), min_size=1, max_size=60)


def test_intervals_become_one_state_per_frame():
    # frames 0-2 outside, 3-5 approaching from its start on though outside reaches 3, 6 unmarked, 7-9 inside, cut at 8
    assert states_of([(7, 9, I), (0, 3, O), (3, 5, A)], 9) == [O, O, O, A, A, A, UNMARKED, I, I]


def test_a_state_stays_until_the_next_frame_that_was_looked_at():
    assert every_frame({0: O, 2: A, 6: I}, 8) == [O, O, A, A, A, A, I, I]
    assert every_frame({2: A}, 3) == [UNMARKED, UNMARKED, A]


def test_transitions_and_events_of_a_timeline():
    states = [O, O, A, I, I, UNMARKED, I, E, O]
    assert transitions(states) == [
        (2, O, A),
        (3, A, I),
        (7, I, E),
        (8, E, O),
    ]  # none into or out of the unmarked
    assert events(states) == [(3, 4, I), (6, 6, I)]


def test_a_clip_worked_out_by_hand():
    # marked: out 0-9, inside 10-29, out 30-49. said: out 0-13, inside 14-19, out 20-39, inside 40-44, out 45-49
    marked = [O] * 10 + [I] * 20 + [O] * 20
    said = [O] * 14 + [I] * 6 + [O] * 20 + [I] * 5 + [O] * 5
    assert count_clip(said, marked, tolerances=TOLERANCES) == {
        "frames": 50,
        "frames_right": 10 + 6 + 10 + 5,  # 0-9, 14-19, 30-39, 45-49
        "events_said": 2,
        "events_said_right": 1,  # 14-19 lies in 10-29; 40-44 meets nothing
        "events_marked": 1,
        "events_marked_found": 1,
        "transitions_said": 4,  # O>I at 14 and 40, I>O at 20 and 45
        "transitions_marked": 2,  # O>I at 10, I>O at 30
        "transitions_0": 0,
        "transitions_5": 1,  # 14 is 4 from 10; 20 is 10 from 30
        "transitions_15": 2,  # 20 is 10 from 30, and 45, which is 15 from it, finds it taken
        "transitions_30": 2,  # 40 is 30 from 10, which 14 has
    }


def test_frames_that_nobody_marked_are_not_judged():
    marked = [UNMARKED] * 5 + [O] * 5
    said = [I] * 6 + [O] * 4
    counts = count_clip(said, marked, tolerances=(0,))
    assert counts["frames"] == 5 and counts["frames_right"] == 4
    assert counts["events_said"] == 1 and counts["events_said_right"] == 0  # frame 5 alone
    assert counts["transitions_said"] == 1 and counts["transitions_marked"] == 0


def test_each_transition_has_one_partner_and_the_tolerance_is_reached():
    assert paired([(10, O, I), (12, O, I)], [(11, O, I)], 5) == 1
    assert paired([(10, O, I)], [(15, O, I)], 5) == 1 and paired([(10, O, I)], [(16, O, I)], 5) == 0
    assert paired([(10, O, I)], [(10, O, A)], 30) == 0
    # 5 may take 0 or 9, 13 only 9: nearest-first would give 9 to 5 and leave 13 alone
    assert paired([(5, O, I), (13, O, I)], [(0, O, I), (9, O, I)], 5) == 2


@given(TIMELINES)
def test_a_timeline_agrees_with_itself(states):
    counts = count_clip(states, states, tolerances=(0, 5))
    assert counts["frames"] == counts["frames_right"] == len(states)
    assert counts["events_said"] == counts["events_said_right"] == counts["events_marked_found"]
    assert counts["transitions_said"] == counts["transitions_0"] == counts["transitions_5"]


@given(TIMELINES, st.randoms(use_true_random=False))
def test_more_tolerance_never_finds_fewer_and_pairs_are_mutual(states, random):
    other = [random.choice([O, A, I, E]) for _ in states]
    counts = count_clip(other, states, tolerances=TOLERANCES)
    found = [counts[f"transitions_{n}"] for n in TOLERANCES]
    assert found == sorted(found)
    assert found[-1] <= min(counts["transitions_said"], counts["transitions_marked"])
    turned = count_clip(states, other, tolerances=TOLERANCES)
    assert [turned[f"transitions_{n}"] for n in TOLERANCES] == found  # a matching is the same from both sides
    assert counts["frames_right"] == turned["frames_right"]


def test_metrics_are_ratios_of_sums_and_intervals_draw_recordings():
    marked = [O] * 10 + [I] * 10
    rows = [
        {"recording": name, **count_clip(said, marked, tolerances=(0,))}
        for name, said in (("a", marked), ("b", [O] * 20), ("c", [I] * 20))
    ]
    found = timeline_metrics(pd.DataFrame(rows), tolerances=(0,), draws=200)
    assert found["frame_accuracy"].value == pytest.approx(40 / 60)
    assert found["frame_accuracy"].low < 40 / 60 < found["frame_accuracy"].high
    assert found["event_precision"].value == 1.0 and found["event_recall"].value == pytest.approx(2 / 3)
    assert found["transition_precision_0"].value == 1.0
    assert found["transition_recall_0"].value == pytest.approx(1 / 3)
    nothing = timeline_metrics(pd.DataFrame(rows[1:2]), tolerances=(0,))
    assert str(nothing["event_precision"].value) == "nan"  # nothing was said: no precision, not a perfect one


def test_two_timelines_of_different_length_are_a_mistake():
    with pytest.raises(ValueError, match="2 states said, 1 marked"):
        count_clip([O, I], [O], tolerances=(0,))
