"""Are a classifier's probabilities what they say, and would one number, a temperature, mend them?"""

from typing import Any

import numpy as np

from assay.evaluation.intervals import Interval, bootstrap
from assay.evaluation.metrics import ECE_BINS, calibration_bin, calibration_metrics, log_of

# Temperatures looked at: 0.05 to 20 in steps of 0.5 %.
_GRID = np.geomspace(0.05, 20, 1202)


def sharpen(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities as they were had the network's outputs been divided by `temperature` before the softmax.

    scores: (rows, classes), a row sums to 1. Above 1 they come closer together, below 1 further apart; the most
    probable class stays the same. Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    powers = log_of(scores) / temperature
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))
    scaled: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """The temperature of least log loss on images that neither train nor are reported.

    truth: (rows,) class indices. scores: (rows, classes), a row sums to 1. groups: (rows,) the cluster of each row.

    Returns temperature, 1 where these images do not decide it; interval (bootstrap by group), n, groups, and
    undecided: why, or None. All of them right asks for ever larger probabilities, all of them wrong for ever smaller.
    """
    undecided, facts = "there are none", {"n": len(truth), "groups": len(np.unique(groups))}
    if len(truth):
        right = np.arange(len(truth)), truth
        losses = np.stack([-log_of(sharpen(scores, temperature)[right]) for temperature in _GRID], axis=1)

        def best(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {"temperature": _GRID[(weights @ losses).argmin(axis=1)]}

        found = bootstrap(best, groups, draws=draws, seed=seed)["temperature"]
        if _GRID[0] < found.value < _GRID[-1]:
            return {"temperature": found.value, "interval": found.as_dict(), "undecided": None, **facts}
        sure = (scores.argmax(axis=1) == truth).all()
        undecided = "all are right" if sure else "none between 0.05 and 20 is best"
    nothing = Interval(np.nan, np.nan, np.nan).as_dict()
    return {"temperature": 1.0, "interval": nothing, "undecided": undecided, **facts}


def calibration(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    *,
    temperature: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """ece, log_loss and brier with 95 % intervals; with a `temperature` also "scaled", the same after it.

    Arguments as `fit_temperature`. "change" holds after minus before (paired bootstrap); below 0 is better.

    The ends of ece are the basic bootstrap's (`bootstrap`, raised). Beside it stand if_calibrated, the mean ece of
    probabilities that are right on so many images, and p, how often such a one reaches the measured (consistency
    resampling, Bröcker & Smith 2007, section 3); where p is above 0.025, the lower end is 0. Simulated for 1226 images
    and four degrees of overconfidence, these intervals held the truth in 85 to 98 of 100 samples, the plain percentile
    ones in 0 to 90.
    """
    result = _calibration(truth, scores, groups, draws=draws, seed=seed)
    if temperature is None:
        return result
    after = sharpen(scores, temperature)

    def change(weights: np.ndarray) -> dict[str, np.ndarray]:
        before, then = (calibration_metrics(weights, truth, one) for one in (scores, after))
        return {name: then[name] - before[name] for name in before}

    found = bootstrap(change, groups, draws=draws, seed=seed)
    return result | {
        "scaled": _calibration(truth, after, groups, draws=draws, seed=seed),
        "change": {name: interval.as_dict() for name, interval in found.items()},
    }


def _calibration(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray, *, draws: int, seed: int
) -> dict[str, Any]:
    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        return calibration_metrics(weights, truth, scores)

    found = bootstrap(metrics, groups, draws=draws, seed=seed, raised=("ece",))
    result: dict[str, Any] = {name: interval.as_dict() for name, interval in found.items()}
    ece = result["ece"] | {"if_calibrated": np.nan, "p": np.nan}
    if len(truth):
        drawn = _if_calibrated(scores.max(axis=1), groups, draws=min(draws, 1000), seed=seed)
        ece |= {"if_calibrated": float(drawn.mean()), "p": float((drawn >= ece["value"]).mean())}
        if ece["p"] > 0.025 and np.isfinite(ece["low"]):
            ece["low"] = 0.0
    return result | {"ece": ece}


def _if_calibrated(confidence: np.ndarray, groups: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """(draws,) ece of answers that are right as often as `confidence` says; a group is lucky or not as a whole."""
    names, index = np.unique(groups, return_inverse=True)
    inside = np.eye(ECE_BINS)[calibration_bin(confidence)]
    luck = np.random.default_rng(seed).random((draws, len(names)))
    gaps = (luck[:, index] < confidence) - confidence
    eces: np.ndarray = np.abs(gaps @ inside).sum(axis=1) / len(confidence)
    return eces
