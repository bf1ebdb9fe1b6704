import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.classification import Decisions
from assay.evaluation.intervals import wilson
from assay.evaluation.routing import CLEAN, MAYBE, PIT, route, score_routes
from assay.evaluation.thresholds import (
    NEVER,
    false_alarms,
    misses_allowed,
    oracle,
    rules,
    search,
)

SCORES = st.lists(
    st.tuples(st.sampled_from(np.linspace(0, 1, 9).tolist()), st.sampled_from([CLEAN, PIT])),
    min_size=1,
    max_size=14,
).filter(lambda rows: any(truth == PIT for _, truth in rows))
RECALL = st.sampled_from([0.2, 0.5, 0.75, 0.99, 1.0])
BOUND = st.sampled_from([0.0, 0.1, 0.34, 1.0])


def arrays(rows):
    pit, truth = zip(*rows, strict=True)
    return np.array(pit, float), np.array(truth)


def outcome(pit, truth, pit_at, maybe_at):
    routes = route(pit, pit_at=pit_at, maybe_at=maybe_at)
    caught = (routes[truth == PIT] != CLEAN).mean()
    alarms = (routes[truth == CLEAN] == PIT).mean() if (truth == CLEAN).any() else 0.0
    return caught, alarms, int((routes == MAYBE).sum())


@given(SCORES, RECALL, BOUND)
def test_the_search_is_as_good_as_trying_every_pair(rows, recall, bound):
    pit, truth = arrays(rows)
    caught, alarms, found = outcome(pit, truth, *search(pit, truth, recall=recall, max_false_alarms=bound))
    assert caught >= recall - 1e-9 and alarms <= bound + 1e-9
    ends = [*np.unique(pit), NEVER]
    every = [outcome(pit, truth, b, a) for a in ends for b in ends if a <= b]
    assert found == min(n for c, f, n in every if c >= recall - 1e-9 and f <= bound + 1e-9)


@given(SCORES, RECALL, BOUND, st.randoms())
def test_the_order_of_the_images_changes_nothing(rows, recall, bound, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = (
        search(*arrays(some), recall=recall, max_false_alarms=bound) for some in (rows, shuffled)
    )
    assert first == second


@given(SCORES, st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_lower_threshold_never_lowers_recall(rows, ends):
    pit, truth = arrays(rows)
    lower, middle, higher = sorted(ends)
    caught = [outcome(pit, truth, higher, maybe_at)[0] for maybe_at in (higher, middle, lower)]
    assert caught == sorted(caught)
    alarms = [outcome(pit, truth, pit_at, lower)[1] for pit_at in (higher, middle, lower)]
    assert alarms == sorted(alarms)


@given(SCORES, st.sampled_from([0.1, 0.3, 0.6]), BOUND)
def test_a_higher_recall_never_costs_fewer_maybe(rows, recall, bound):
    pit, truth = arrays(rows)
    asked = [
        outcome(pit, truth, *search(pit, truth, recall=share, max_false_alarms=bound))[2]
        for share in (recall, recall + 0.2, 1.0)
    ]
    assert asked == sorted(asked)


def test_one_miss_among_566_keeps_the_lower_bound_of_99_percent():
    assert misses_allowed(566, 0.99) == 1
    assert wilson(565, 566).low >= 0.99 > wilson(564, 566).low
    assert misses_allowed(50, 0.99) is None  # even 50 of 50 leaves room for 7 %
    assert oracle(np.array([0.9, 0.1]), np.array([PIT, CLEAN]), recall=0.99, max_false_alarms=0) is None


def test_the_oracle_misses_as_many_as_its_bound_allows():
    random = np.random.default_rng(0)
    truth = random.permutation(np.arange(1226) < 566).astype(int)
    pit = np.clip(random.normal(0.25 + 0.5 * truth, 0.2), 0, 1)
    pit_at, maybe_at = oracle(pit, truth, recall=0.99, max_false_alarms=0.05)
    scores = score_routes(truth, route(pit, pit_at=pit_at, maybe_at=maybe_at))
    assert scores["pit_caught"].low >= 0.99 and round(scores["pit_missed"].value * 566) == 1
    assert scores["false_alarms"].value <= 0.05


def test_without_a_pit_a_recall_is_refused():
    with pytest.raises(ValueError, match="no pit among the images"):
        search(np.array([0.5]), np.array([CLEAN]), recall=0.99, max_false_alarms=0)


def decisions(pit, truth):
    return Decisions(truth, (pit >= 0.5).astype(int), np.stack([1 - pit, pit], axis=1))


def test_calibrated_thresholds_undo_a_known_temperature():
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, 4_000)
    truth = (random.random(4_000) < 1 / (1 + np.exp(-logits))).astype(int)
    sharpened = decisions(1 / (1 + np.exp(-3 * logits)), truth)
    found = rules(val=sharpened, unseen=sharpened, production=(0.75, 0.5), recall=0.9)
    (calibrated,) = (rule for rule in found if rule.name == "production, calibrated")
    assert calibrated.pit_at == pytest.approx(
        1 / (1 + (1 / 3) ** 3), abs=0.01
    )  # .75 is 1.1 in logits, here 3.3
    assert calibrated.maybe_at == pytest.approx(0.5)


def test_the_rules_side_by_side():
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, 400)
    pit = np.clip(random.normal(0.3 + 0.4 * truth, 0.2), 0.001, 0.999)
    production = (0.75, 0.5)
    val, unseen = decisions(pit[:200], truth[:200]), decisions(pit[200:], truth[200:])
    without = rules(val=val, unseen=None, production=production, recall=0.9)
    assert [rule.name for rule in without] == ["most probable class", "production"]
    found = rules(val=val, unseen=unseen, production=production, recall=0.9)
    by_name = {rule.name: rule for rule in found}
    assert list(by_name) == [
        "most probable class",
        "production",
        "production, calibrated",
        "searched",
        "oracle",
    ]
    searched = score_routes(truth[200:], by_name["searched"].routes(pit[200:]))
    assert searched["pit_caught"].value >= 0.9
    assert false_alarms(pit[200:], truth[200:], by_name["searched"].pit_at) <= false_alarms(
        pit[200:], truth[200:], 0.75
    )
    # a rule that is used never depends on the truth it is judged by
    mislabelled = decisions(pit[:200], 1 - truth[:200])
    other = rules(val=mislabelled, unseen=unseen, production=production, recall=0.9)
    assert other[:4] == found[:4] and other[4] != found[4]
