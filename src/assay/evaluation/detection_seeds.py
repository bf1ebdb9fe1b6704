"""Do two detection experiments differ, over several trainings each?"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from assay.evaluation.boxes import BoxPredictions
from assay.evaluation.detection_metrics import average_precision
from assay.evaluation.intervals import resample
from assay.evaluation.matching import match
from assay.evaluation.seeds import add_up, judge_all


def compare_experiments(
    predictions: BoxPredictions,
    trainings: Mapping[str, Sequence[str]],
    *,
    split: str,
    main: str = "map50",
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every pair of experiments by the mean of `main` over their trainings; first minus second.

    trainings: experiment -> the stored models that repeat it, one per seed. main: "map50" or "map50_95".

    As `seeds.compare_experiments`: the variance of the images is that of the difference of the two means over
    bootstrap samples that draw whole groups, the same samples for every training; the variance of the trainings is
    added. Each pair holds what is held there, and main and split. Samples without an object are left out; with one
    group there is nothing to draw, and the interval is NaN.
    """
    rows = predictions.split(split)
    groups = rows["group"].to_numpy(str)
    samples = [np.ones((1, len(groups)))]
    if len(np.unique(groups)) > 1:
        samples += resample(groups, draws=draws, seed=seed)
    drawn: dict[str, np.ndarray] = {}
    for name, models in trainings.items():
        found = []
        for model in models:
            matches = match(
                predictions.of(model), predictions.truth, rows["image"].tolist(), predictions.classes
            )
            found.append(np.concatenate([_mean(average_precision(matches, some), main) for some in samples]))
        drawn[name] = np.stack(found)
    results: list[dict[str, Any]] = []
    for first, second in combinations(trainings, 2):
        ours, theirs = drawn[first], drawn[second]
        gap = ours.mean(axis=0) - theirs.mean(axis=0)
        kept = gap[1:][np.isfinite(gap[1:])]
        of_images = float(kept.var(ddof=1)) if len(kept) > 1 else np.nan
        told = add_up(float(gap[0]), of_images, [one[:, 0] for one in (ours, theirs)])
        results.append({"first": first, "second": second, "split": split, "main": main, **told})
    judge_all(results)
    return results


def _mean(ap: np.ndarray, main: str) -> np.ndarray:
    """(draws,) mean over the classes with an object, at IoU 0.5 or over all ten; NaN without any. ap: (draws, K, 10)."""
    chosen = ap[:, :, :1] if main == "map50" else ap
    defined = np.isfinite(chosen)
    total = np.where(defined, chosen, 0.0).sum(axis=(1, 2))
    count = defined.sum(axis=(1, 2))
    return np.divide(total, count, out=np.full(len(ap), np.nan), where=count > 0)
