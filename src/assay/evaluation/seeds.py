"""Several trainings of one experiment: their spread, and whether two experiments differ beyond it."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from assay.errors import UserError
from assay.evaluation.classification import decide
from assay.evaluation.comparison import SIGNIFICANCE
from assay.evaluation.intervals import CONFIDENCE, resample
from assay.evaluation.predictions import Predictions


def spread(values: Sequence[float]) -> dict[str, float]:
    """n, mean, sd (divided by n - 1: of all seeds there could be; NaN for one), low and high (the range)."""
    found = np.asarray(values, np.float64)
    sd = float(found.std(ddof=1)) if len(found) > 1 else np.nan
    return {
        "n": len(found),
        "mean": float(found.mean()),
        "sd": sd,
        "low": float(found.min()),
        "high": float(found.max()),
    }


def compare_experiments(
    predictions: Predictions,
    trainings: Mapping[str, Sequence[str]],
    classes: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every pair of experiments by the mean accuracy of their trainings; first minus second.

    trainings: experiment -> the stored models that repeat it, one per seed.

    Seeds are no further images: each image counts once, with the share of the trainings that get it right. Two
    variances add up (law of total variance; Bouthillier et al. 2021, arXiv 2103.03098, section 2): of the images (group
    bootstrap of the difference of those shares) and of the trainings (the variance of each experiment's accuracies
    over its seeds, divided by their number). The interval is Student's with Welch and Satterthwaite's degrees of
    freedom, the images' variance taken as known; p is of the same statistic, p_holm Holm's over all pairs.
    With one seed the second variance is unknown: one_seed is True, and the interval is of these trainings alone.

    Each pair holds first, second, seeds, difference, sd_images, sd_seeds (NaN where unknown), one_seed, p, p_holm and
    verdict.
    Raises UserError when the trainings were not run on the same images.
    """
    right = {name: _right(predictions, models, classes) for name, models in trainings.items()}
    images = predictions.of(next(iter(trainings.values()))[0]) if trainings else None
    results: list[dict[str, Any]] = []
    for first, second in combinations(trainings, 2):
        ours, theirs = right[first], right[second]
        gap = ours.mean(axis=0) - theirs.mean(axis=0)
        assert images is not None  # noqa: S101 - there is a pair
        drawn = np.concatenate(
            [
                weights @ gap / weights.sum(axis=1)
                for weights in resample(images["group"].to_numpy(str), draws=draws, seed=seed)
            ]
        )
        value, of_images = float(gap.mean()), float(drawn.var(ddof=1))
        results.append(
            {"first": first, "second": second}
            | add_up(value, of_images, [one.mean(axis=1) for one in (ours, theirs)])
        )
    judge_all(results)
    return results


def add_up(value: float, of_images: float, by_seed: Sequence[np.ndarray]) -> dict[str, Any]:
    """A difference of two experiments with the variances of its images and of its trainings added up.

    value: the difference. of_images: its variance over draws of the images, NaN where there is nothing to draw.
    by_seed: the metric of each training of the two experiments, (seeds,) each.

    Returns what `compare_experiments` says of a pair, short of its names, p_holm and verdict; p is 1 and the interval
    NaN where the variance of the images is unknown.
    """
    from scipy.stats import t as student

    of_seeds = [(float(one.var(ddof=1)) / len(one), len(one) - 1) for one in by_seed if len(one) > 1]
    total = of_images + sum(variance for variance, _ in of_seeds)
    spread_out = sum(variance**2 / freedom for variance, freedom in of_seeds)
    freedom = total**2 / spread_out if spread_out else np.inf
    sd = float(np.sqrt(total))
    half = float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * sd
    p = 2 * float(student.sf(abs(value) / sd, freedom)) if sd else float(value == 0)
    return {
        "seeds": [len(one) for one in by_seed],
        "difference": {"value": value, "low": value - half, "high": value + half},
        "sd_images": float(np.sqrt(of_images)),
        "sd_seeds": float(np.sqrt(total - of_images)) if of_seeds else np.nan,
        "one_seed": len(of_seeds) < 2,
        "p": 1.0 if np.isnan(p) else p,
    }


def judge_all(results: Sequence[dict[str, Any]]) -> None:
    """Add p_holm, over all of them, and verdict to comparisons of experiments."""
    from statsmodels.stats.multitest import multipletests

    if not results:
        return
    adjusted = multipletests([result["p"] for result in results], alpha=SIGNIFICANCE, method="holm")[1]
    for result, p_holm in zip(results, adjusted, strict=True):
        result["p_holm"] = float(p_holm)
        better = "better" if result["difference"]["value"] > 0 else "worse"
        result["verdict"] = (
            f"{better} beyond noise" if p_holm < SIGNIFICANCE else "no evidence of a difference"
        )


def _right(predictions: Predictions, models: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """(trainings, images) bool as float: which training gets which image right, images sorted by name."""
    rows = [predictions.of(model) for model in models]
    for model, one in zip(models, rows, strict=True):
        if one["image"].tolist() != rows[0]["image"].tolist():
            raise UserError(
                f"'{model}' and '{models[0]}' were not run on the same images; run the sweep again"
            )
    return np.stack([decide(one, classes).correct for one in rows]).astype(np.float64)
