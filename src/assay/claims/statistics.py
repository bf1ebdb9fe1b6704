"""Intervals and tests from published counts alone, and the learning rates a schedule logs."""

import math
from statistics import NormalDist
from typing import Literal

CONFIDENCE = 0.95
_SLACK = 1e-9  # of a count: binary shares of it are not exact
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927).

    The same numbers as `assay.evaluation.intervals.wilson`, which waits seconds for statsmodels; `successes` may be a
    mean of shares times n: a mean of n values from 0 to 1 varies at most as a share does.
    """
    share = successes / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def whole(low: float, high: float, n: int) -> range:
    """The numbers of n that are a share from `low` to `high`; empty where none is (the GRIM test)."""
    return range(math.ceil(max(low, 0.0) * n - _SLACK), math.floor(min(high, 1.0) * n + _SLACK) + 1)


def mcnemar(more: int, fewer: int) -> float:
    """Two-sided p of McNemar's exact test: `more` images only one model has right, `fewer` only the other.

    Equal to scipy.stats.binomtest's, which waits a second for scipy. Summed from the largest term on, until a term
    adds nothing.
    """
    disagree = more + fewer
    term = math.exp(
        math.lgamma(disagree + 1) - math.lgamma(more + 1) - math.lgamma(fewer + 1) - disagree * math.log(2)
    )
    total = 0.0
    while term > total * 1e-16 and more <= disagree:
        total += term
        term *= (disagree - more) / (more + 1)
        more += 1
    return min(1.0, 2 * total)


def p_range(more: int, fewer: int, n: int) -> tuple[float, float]:
    """Least and greatest p of McNemar's exact test for models with `more` and `fewer` right answers on the same n images.

    It rises with every further pair of images on which they disagree in both directions: least where everything that
    the worse one has right the better one has right, too; greatest where as few images as can be are right in both.
    No independence of the two is taken for granted, as an interval of the difference of two shares would.
    """
    both_ways = min(fewer, n - more)
    return mcnemar(more - fewer, 0), mcnemar(more - fewer + both_ways, both_ways)


def logged_rate(
    epoch: int,
    *,
    decay: Literal["cosine", "linear"],
    lr0: float,
    lrf: float,
    epochs: int,
    warmup_steps: float,
    steps_per_epoch: int,
) -> float:
    """The learning rate after the last batch of `epoch` (from 1), as ultralytics writes it to its results file.

    Source: ultralytics engine/trainer.py, `_setup_scheduler` and the warm-up in `_do_train`: decay from lr0 to
    lr0 x lrf over all epochs, times batch / warm-up batches while that is below 1. warmup_steps: 0 for none.
    """
    done = (epoch - 1) / epochs
    left = (1 + math.cos(done * math.pi)) / 2 if decay == "cosine" else 1 - done
    factor = left * (1 - lrf) + lrf
    last_batch = steps_per_epoch * epoch - 1
    return lr0 * factor * (min(last_batch / warmup_steps, 1.0) if warmup_steps else 1.0)
