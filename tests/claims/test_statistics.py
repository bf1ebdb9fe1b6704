import pytest

from assay.claims.statistics import logged_rate, mcnemar, p_range, whole, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (1155, 1226), (128, 128), (13, 128)])
def test_wilson_is_the_evaluation_s(successes, n):
    from assay.evaluation.intervals import wilson as reference

    found = reference(successes, n)
    assert wilson(successes, n) == (pytest.approx(found.low, abs=1e-12), pytest.approx(found.high, abs=1e-12))


@pytest.mark.parametrize(("more", "fewer"), [(0, 0), (1, 0), (6, 0), (86, 71), (142, 71), (700, 640)])
def test_mcnemar_is_scipy_s(more, fewer):
    from scipy.stats import binomtest

    expected = binomtest(more, more + fewer).pvalue if more + fewer else 1.0
    assert mcnemar(more, fewer) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("more", "fewer", "n"), [(18, 11, 20), (11, 10, 30), (9, 2, 9), (20, 0, 20), (5, 3, 50)]
)
def test_p_is_least_and_greatest_over_every_way_to_share_the_right_answers(more, fewer, n):
    both = range(max(0, more + fewer - n), fewer + 1)  # right in both
    every = [mcnemar(more - shared, fewer - shared) for shared in both]
    assert p_range(more, fewer, n) == (pytest.approx(min(every)), pytest.approx(max(every)))


def test_whole_numbers_of_a_share():
    assert list(whole(0.9415, 0.9425, 1226)) == [1155]
    assert list(whole(0.934 - 0.0005, 0.934 + 0.0005, 100)) == []
    assert list(whole(0.945, float("inf"), 20)) == [19, 20]


def test_a_logged_rate_ends_where_the_schedule_does():
    common = {"lr0": 0.01, "lrf": 0.1, "epochs": 10, "warmup_steps": 5, "steps_per_epoch": 5}
    assert logged_rate(1, decay="linear", **common) == pytest.approx(0.01 * 4 / 5)  # batch 4 of 5 to warm up
    assert logged_rate(6, decay="linear", **common) == pytest.approx(0.01 * (0.5 * 0.9 + 0.1))
    assert logged_rate(6, decay="cosine", **common) == pytest.approx(0.01 * (0.5 * 0.9 + 0.1))
    assert logged_rate(10, decay="cosine", **common) > 0.01 * 0.1
    assert logged_rate(1, decay="linear", **(common | {"warmup_steps": 0})) == 0.01
