"""Intervals and tests from published counts alone, and the learning rates a schedule logs."""

import math
from statistics import NormalDist
from typing import Literal

CONFIDENCE = 0.95
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


def least_p(difference: int) -> float:
    """Smallest two-sided p of McNemar's exact test for two models whose numbers of right answers differ so much.

    It is reached where they disagree on `difference` images only, all in favour of one; any other disagreement
    makes p larger.
    """
    return min(1.0, 2 * 0.5**difference)


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
    lr0 x lrf over all epochs, times batch / warm-up batches while that is below 1.
    """
    done = (epoch - 1) / epochs
    left = (1 + math.cos(done * math.pi)) / 2 if decay == "cosine" else 1 - done
    factor = left * (1 - lrf) + lrf
    last_batch = steps_per_epoch * epoch - 1
    return lr0 * factor * min(last_batch / warmup_steps, 1.0)
