from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from assay.review.agreement import agreements, kappa, second_sample
from assay.review.decisions import Decision

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def says(number, label, reviewer="ann", minutes=0, **changes):
    values = {
        "candidate": f"{number:012x}",
        "image": "x",
        "label": label,
        "reviewer": reviewer,
        "kind": "human",
    }
    return Decision(**values | {"at": NOON + timedelta(minutes=minutes)} | changes)


def test_kappa_of_a_table_worked_by_hand():
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: observed .70, by chance .5 * .6 + .5 * .4 = .5, kappa .4
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = kappa(first, second)
    assert found.value == pytest.approx(0.4)
    assert 0.1 < found.low < 0.2 and 0.6 < found.high < 0.7  # asymptotic error about .13


def test_one_answer_only_has_no_kappa():
    assert np.isnan(kappa(["yes"] * 5, ["yes"] * 5).value) and np.isnan(kappa([], []).value)


def test_two_reviewers_are_compared_on_what_both_looked_at():
    decisions = [says(n, "cones") for n in range(4)]
    decisions += [
        says(n, "signs" if n == 0 else "cones", "bob", 5, second=True, blind=n > 1) for n in range(3)
    ]
    decisions += [says(3, "signs", "bob", 5, covered_by="0" * 12)]  # not looked at
    decisions += [says(0, "cones", "bob", 9, order="disagreement")]  # has seen both answers
    (found,) = agreements(decisions)
    assert (found.first, found.second, found.n, found.blind) == ("ann (human)", "bob (human)", 3, 1)
    assert found.same.value == pytest.approx(2 / 3) and "67% the same on 3" in str(found)
    assert agreements(decisions, lambda d: "any")[0].same.value == 1
    assert agreements(decisions[:4]) == []


def test_a_second_sample_is_of_what_other_people_looked_at_and_stays():
    decisions = [says(n, "cones") for n in range(20)]
    decisions += [says(30, "cones", "bot", kind="model"), says(31, "cones", covered_by="0" * 12)]
    chosen = second_sample(decisions, reviewer="bob", size=5)
    assert len(chosen) == 5 and set(chosen) <= {f"{n:012x}" for n in range(20)}
    looked = says(int(chosen[0], 16), "signs", "bob", second=True)
    assert second_sample([*decisions, looked], reviewer="bob", size=5) == chosen
    own = says(int(chosen[0], 16), "signs", "bob")
    assert chosen[0] not in second_sample([*decisions, own], reviewer="bob", size=5)
    assert second_sample(decisions, reviewer="ann", size=5) == []
