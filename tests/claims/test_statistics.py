import pytest

from assay.claims.statistics import least_p, logged_rate, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (1155, 1226), (128, 128), (13, 128)])
def test_wilson_is_the_evaluation_s(successes, n):
    from assay.evaluation.intervals import wilson as reference

    found = reference(successes, n)
    assert wilson(successes, n) == (pytest.approx(found.low, abs=1e-12), pytest.approx(found.high, abs=1e-12))


@pytest.mark.parametrize("difference", [0, 1, 2, 5, 6, 15])
def test_no_other_disagreement_gives_a_smaller_p(difference):
    from scipy.stats import binomtest

    def p(more, fewer):
        return binomtest(more, more + fewer).pvalue if more + fewer else 1.0

    assert least_p(difference) == pytest.approx(p(difference, 0))
    assert all(p(difference + both, both) >= least_p(difference) - 1e-12 for both in range(1, 40))


def test_a_logged_rate_ends_where_the_schedule_does():
    common = {"lr0": 0.01, "lrf": 0.1, "epochs": 10, "warmup_steps": 5, "steps_per_epoch": 5}
    assert logged_rate(1, decay="linear", **common) == pytest.approx(0.01 * 4 / 5)  # batch 4 of 5 to warm up
    assert logged_rate(6, decay="linear", **common) == pytest.approx(0.01 * (0.5 * 0.9 + 0.1))
    assert logged_rate(6, decay="cosine", **common) == pytest.approx(0.01 * (0.5 * 0.9 + 0.1))
    assert logged_rate(10, decay="cosine", **common) > 0.01 * 0.1
