import numpy as np
import pytest

from assay.evaluation.costs import LOOK, MISSED, cheapest, expected_costs
from assay.evaluation.routing import CLEAN, MAYBE, PIT

TRUTH = np.array([PIT, PIT, CLEAN, CLEAN, CLEAN])
ROUTES = {
    "bold": np.array([CLEAN, PIT, CLEAN, PIT, CLEAN]),  # one miss, one false alarm
    "shy": np.array([MAYBE, MAYBE, MAYBE, MAYBE, CLEAN]),  # four looks
}


@pytest.fixture
def costs():
    return expected_costs(TRUTH, ROUTES, np.arange(5).astype(str), draws=200, seed=0)


def test_costs_add_up_per_thousand(costs):
    assert len(costs) == len(ROUTES) * len(MISSED) * len(LOOK)
    of = costs.set_index(["way", "missed", "look"])["cost"]
    assert of["bold", 10, 0.3] == pytest.approx(1000 * (10 + 1) / 5)
    assert of["shy", 10, 0.3] == pytest.approx(1000 * 4 * 0.3 / 5)
    assert (costs["low"] <= costs["cost"]).all() and (costs["cost"] <= costs["high"]).all()


def test_a_dearer_miss_never_makes_a_way_cheaper(costs):
    for _, rows in costs.groupby(["way", "look"]):
        assert rows.sort_values("missed")["cost"].is_monotonic_increasing


def test_the_cheapest_way_changes_with_the_price_of_a_miss(costs):
    # with a look at 1: bold costs 1000 (m + 1) / 5, shy 800, so that shy wins once m + 1 > 4
    assert cheapest(costs, 1.0) == [("bold", 1, 2), ("shy", 5, 1000)]
    assert cheapest(costs, 0.1) == [("shy", 1, 1000)]
