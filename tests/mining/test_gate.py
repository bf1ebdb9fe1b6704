import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.mining.cues import CueGroup
from assay.mining.gate import Gate, Persistence, pass_gate

NAMES = ("channelization", "signage", "personnel", "equipment", "infrastructure")
GROUPS = {
    name: CueGroup((), 0.25, 1, weight) for name, weight in zip(NAMES, (1.0, 1.2, 0.9, 1.0, 0.8), strict=True)
}
PUBLISHED = Gate(window=90, sustained=0.4, min_groups=2, share=0.7, base=0.5, extra=0.2)
SHARES = st.fixed_dictionaries({name: st.floats(0, 1) for name in NAMES})


def shares(**given_shares):
    return dict.fromkeys(NAMES, 0.0) | given_shares


@pytest.mark.parametrize(
    ("persistence", "passed", "sustained", "confidence"),
    [
        (shares(), False, 0, 0.0),
        (shares(channelization=0.39), False, 0, 0.0),  # just under
        # one of two: .7 * (.5 - .2) + .3 * 1 * .5
        (shares(channelization=0.5), False, 1, 0.36),
        # exactly .4 is sustained: .7 * .5 + .3 * (.4 + 1.2 * .4) / 2
        (shares(channelization=0.4, signage=0.4), True, 2, 0.482),
        # weights count: .7 * .7 + .3 * (1 + 1.2 * .5 + .9 * 1) / 3
        (shares(channelization=1, signage=0.5, personnel=1), True, 3, 0.74),
        # weighted persistence is at most 1: .7 * .5 + .3
        (shares(channelization=1, signage=1), True, 2, 0.65),
        # .5 + 3 * .2 is more than 1: .7 + .3 * (1 + 1.2 + .9 + 1 + .8) / 5
        (shares(**dict.fromkeys(NAMES, 1.0)), True, 5, 0.994),
    ],
)
def test_hand_worked_passages(persistence, passed, sustained, confidence):
    passage = pass_gate(persistence, GROUPS, PUBLISHED)
    assert (passage.passed, len(passage.sustained)) == (passed, sustained)
    assert passage.confidence == pytest.approx(confidence)


def test_the_window_forgets():
    window = Persistence(["a", "b"], 3)
    there, gone = frozenset("a"), frozenset()
    assert [window.update(frame)["a"] for frame in (there, there, gone, gone, gone)] == pytest.approx(
        [1, 1, 2 / 3, 1 / 3, 0]
    )
    assert window.update(frozenset("ab")) == {"a": 1 / 3, "b": 1 / 3}


@given(SHARES)
def test_it_passes_with_groups_enough_and_is_between_0_and_1(persistence):
    passage = pass_gate(persistence, GROUPS, PUBLISHED)
    assert passage.passed == (sum(share >= 0.4 for share in persistence.values()) >= 2)
    assert 0 <= passage.confidence <= 1


@given(SHARES, st.sampled_from(NAMES))
def test_a_sustained_group_that_stays_longer_never_lowers_the_confidence(persistence, name):
    before = pass_gate(persistence, GROUPS, PUBLISHED)
    if name in before.sustained:
        after = pass_gate(persistence | {name: 1.0}, GROUPS, PUBLISHED)
        assert after.confidence >= before.confidence - 1e-12


@given(st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=1), st.integers(1, 7))
def test_persistence_is_the_mean_of_the_last_frames(frames, length):
    window = Persistence(NAMES, length)
    for frame in frames:
        result = window.update(frame)
    last = frames[-length:]
    assert result == {name: pytest.approx(sum(name in frame for frame in last) / len(last)) for name in NAMES}
