import numpy as np
import pytest

from assay.evaluation.routing import CLEAN, MAYBE, PIT, route, route_three_class, score_routes


def test_productions_thresholds_include_their_ends():
    assert route(np.array([0.0, 0.499, 0.5, 0.749, 0.75, 1.0])).tolist() == [
        CLEAN,
        CLEAN,
        MAYBE,
        MAYBE,
        PIT,
        PIT,
    ]


def test_thresholds_out_of_order_are_refused():
    with pytest.raises(ValueError, match="must satisfy"):
        route(np.array([0.5]), pit_at=0.4, maybe_at=0.6)


def test_the_most_probable_of_three():
    scores, maybe = np.array([[0.5, 0.1], [0.1, 0.6], [0.3, 0.3], [0.4, 0.2]]), np.array([0.4, 0.3, 0.4, 0.4])
    assert route_three_class(scores, maybe).tolist() == [CLEAN, PIT, MAYBE, CLEAN]


def test_shares_count_what_their_names_say():
    truth = np.array([CLEAN, CLEAN, PIT, PIT, PIT])
    routes = np.array([CLEAN, MAYBE, PIT, CLEAN, MAYBE])
    scores = score_routes(truth, routes)
    assert scores["maybe_share"].value == pytest.approx(2 / 5)
    assert scores["accuracy_decided"].value == pytest.approx(2 / 3)
    assert scores["pit_missed"].value == pytest.approx(1 / 3)


def test_nothing_decided_is_undefined():
    scores = score_routes(np.array([PIT]), np.array([MAYBE]))
    assert np.isnan(scores["accuracy_decided"].value)
