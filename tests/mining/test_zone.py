import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.mining.zone import STATES, Zone, ZoneMachine

RULE = Zone(approaching=0.55, inside=0.7, exiting=0.45, min_out=3, min_inside=2)


def walk(*scores, passed=True, rule=RULE):
    machine = ZoneMachine(rule)
    gate = passed if isinstance(passed, tuple) else itertools.repeat(passed)
    letters = {"OUT": "o", "APPROACHING": "a", "INSIDE": "i", "EXITING": "e"}
    return "".join(letters[machine.update(score, passed=ok)] for score, ok in zip(scores, gate, strict=False))


@pytest.mark.parametrize(
    ("scores", "passed", "states"),
    [
        ((0.1, 0.54, 0.55, 0.6, 0.5), True, "ooaao"),  # approaching begins at its threshold and ends below it
        ((0.9, 0.9, 0.9, 0.9), True, "aaai"),  # three frames outside come first
        ((0.1, 0.1, 0.1, 0.7), True, "oooi"),
        ((0.1, 0.1, 0.1, 0.69), True, "oooa"),
        ((0.9, 0.9, 0.9, 0.9, 0.9), False, "aaaaa"),  # never inside without the gate
        ((0.1, 0.1, 0.1, 0.8, 0.8), (0, 0, 0, 0, 1), "oooai"),
        ((0.1, 0.1, 0.1, 0.9, 0.1, 0.1), True, "oooiie"),  # two frames inside come first
        ((0.1, 0.1, 0.1, 0.9, 0.45, 0.45, 0.45), True, "oooiiii"),  # at the threshold it is still inside
        ((0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1), True, "oooiieeeo"),
        ((0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.6, 0.1), True, "oooiieao"),  # approaching again
        ((0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9), True, "oooiieaai"),  # back inside, no sooner
    ],
)
def test_hand_worked_walks(scores, passed, states):
    assert walk(*scores, passed=passed) == states


def test_the_gate_may_close_inside():
    assert walk(0.1, 0.1, 0.1, 0.9, 0.9, 0.9, passed=(1, 1, 1, 1, 0, 0)) == "oooiii"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_what_holds_on_any_walk(frames, min_out, min_inside):
    machine = ZoneMachine(Zone(0.55, 0.7, 0.45, min_out, min_inside))
    states = [machine.update(score, passed=passed) for score, passed in frames]
    assert set(states) <= set(STATES)
    runs = [(inside, len(list(run))) for inside, run in itertools.groupby(s == "INSIDE" for s in states)]
    for inside, length in runs[:-1]:  # the last one is cut off by the clip's end
        assert length >= (min_inside if inside else min_out)
    for (score, passed), before, state in zip(frames, ["OUT", *states], states, strict=False):
        if state == "INSIDE" and before != "INSIDE":
            assert score >= 0.7 and passed
        if state == "EXITING":
            assert before in ("INSIDE", "EXITING")
            assert score < 0.55
