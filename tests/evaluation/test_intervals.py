import numpy as np
import pytest

from assay.evaluation.intervals import bootstrap, resample, wilson


def mean_of(values):
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


@pytest.mark.parametrize(
    ("successes", "low", "high"),
    [
        (1155, 0.928, 0.954),  # the published 94.21 % of 1226: 92.8-95.4 (experiments ledger, statement 3)
        (1153, 0.926, 0.952),  # and 94.05 %: 92.6-95.2
    ],
)
def test_wilson_gives_the_ledgers_intervals(successes, low, high):
    interval = wilson(successes, 1226)
    assert (round(interval.low, 3), round(interval.high, 3)) == (low, high)


def test_wilson_of_nothing_is_undefined():
    assert np.isnan(wilson(0, 0).value)


def test_bootstrap_of_single_rows_agrees_with_the_normal_approximation():
    hits = np.repeat([1.0, 0.0], [900, 100])
    interval = bootstrap(mean_of(hits), np.arange(1000), draws=2000)["mean"]
    half = 1.96 * np.sqrt(0.9 * 0.1 / 1000)
    assert interval.value == pytest.approx(0.9)
    assert interval.low == pytest.approx(0.9 - half, abs=0.002)
    assert interval.high == pytest.approx(0.9 + half, abs=0.002)


def test_duplicates_widen_the_interval_as_their_number_says():
    hits = np.tile(np.repeat([1.0, 0.0], [80, 20]), 4)  # 100 images, each there four times
    clustered = bootstrap(mean_of(hits), np.tile(np.arange(100), 4), draws=2000)["mean"]
    naive = bootstrap(mean_of(hits), np.arange(400), draws=2000)["mean"]
    ratio = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert ratio == pytest.approx(2, rel=0.1)  # sqrt(4): 400 rows hold 100 observations


def test_same_seed_same_interval_and_chunks_do_not_show(monkeypatch):
    values, groups = np.random.default_rng(0).random(50), np.arange(50)
    first = bootstrap(mean_of(values), groups, draws=250, seed=3)
    assert bootstrap(mean_of(values), groups, draws=250, seed=4) != first
    monkeypatch.setattr("assay.evaluation.intervals._CHUNK", 100)
    assert bootstrap(mean_of(values), groups, draws=250, seed=3) == first


def test_whole_groups_are_drawn():
    groups = np.array(["a", "b", "a", "c"])
    weights = np.concatenate(list(resample(groups, draws=20, seed=0)))
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_one_group_has_a_value_and_no_interval():
    interval = bootstrap(mean_of(np.array([1.0, 0.0])), np.array(["a", "a"]))["mean"]
    assert interval.value == 0.5
    assert np.isnan(interval.low) and np.isnan(interval.high)


def test_what_resampling_raises_is_turned_round():
    """|mean| of noise around 0: every resample adds to it, so its own quantiles lie above the truth."""
    values = np.random.default_rng(0).normal(0, 1, (300, 15))
    metric = lambda weights: {"size": np.abs(weights @ values).mean(axis=1) / 300}  # noqa: E731
    plain = bootstrap(metric, np.arange(300))["size"]
    turned = bootstrap(metric, np.arange(300), raised=("size",))["size"]
    assert plain.high - plain.value > plain.value - plain.low
    assert (turned.low, turned.high) == pytest.approx(
        (2 * plain.value - plain.high, 2 * plain.value - plain.low)
    )
    nothing = bootstrap(
        lambda w: {"size": np.abs(w @ np.tile([1.0, -1], 150)) / 300}, np.arange(300), raised=("size",)
    )
    assert (nothing["size"].value, nothing["size"].low, nothing["size"].high) == (0, 0, 0)
