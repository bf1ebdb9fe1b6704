"""Is one classifier better than another on the same images, beyond noise?"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.evaluation.classification import decide
from assay.evaluation.intervals import Interval, bootstrap
from assay.evaluation.metrics import confusion_metrics, weighted_share
from assay.evaluation.predictions import Predictions

SIGNIFICANCE = 0.05
# Discordant images: fewer make the chi-square approximation of McNemar's test poor (Fagerland 2013).
EXACT_BELOW = 25
Verdict = Literal["better beyond noise", "no evidence of a difference", "worse beyond noise"]


def compare(
    predictions: Predictions,
    candidate: str,
    reference: str,
    classes: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Paired comparison on "all" images and "without_leaks": candidate minus reference.

    classes: the classes that labels name. Each part holds n, accuracy_difference and recall_difference by
    class (paired bootstrap clustered by group: {"value", "low", "high"}), candidate_only and reference_only
    (images only one of them gets right), p (McNemar, exact below 25 such images) and verdict. The verdict
    claims a difference only when p < .05 *and* the interval leaves 0 out: McNemar takes near-duplicates for
    independent, the interval does not.

    Raises UserError when a model is not stored or the two were run on different images.
    """
    ours, theirs = _paired(predictions, candidate, reference)
    kept = ~ours["leak"].to_numpy(bool)
    return {
        "all": _compare(ours, theirs, classes, draws=draws, seed=seed),
        "without_leaks": _compare(ours[kept], theirs[kept], classes, draws=draws, seed=seed),
    }


def compare_all(
    predictions: Predictions,
    models: Sequence[str],
    classes: Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every pair of `models`, or those of `pairs`, on all images, with p_holm (Holm 1979: adjusted for their number).

    One dict per pair: candidate, reference, and what `compare` gives for "all"; the verdict reads p_holm.
    Raises UserError as `compare` does.
    """
    from statsmodels.stats.multitest import multipletests

    results: list[dict[str, Any]] = []
    for candidate, reference in combinations(models, 2) if pairs is None else pairs:
        ours, theirs = _paired(predictions, candidate, reference)
        part = _compare(ours, theirs, classes, draws=draws, seed=seed)
        results.append({"candidate": candidate, "reference": reference, **part})
    if results:
        adjusted = multipletests([result["p"] for result in results], alpha=SIGNIFICANCE, method="holm")[1]
        for result, p in zip(results, adjusted, strict=True):
            result["p_holm"] = float(p)
            result["verdict"] = _verdict(Interval(**result["accuracy_difference"]), float(p))
    return results


def _paired(predictions: Predictions, candidate: str, reference: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    ours, theirs = predictions.of(candidate), predictions.of(reference)
    a, b = set(ours["image"]), set(theirs["image"])
    if a != b:
        raise UserError(
            f"'{candidate}' and '{reference}' were not run on the same images: {len(a - b)} only in "
            f"'{candidate}', {len(b - a)} only in '{reference}'; predict both on one data set"
        )
    return ours, theirs


def _compare(
    ours: pd.DataFrame, theirs: pd.DataFrame, classes: Sequence[str], *, draws: int, seed: int
) -> dict[str, Any]:
    from statsmodels.stats.contingency_tables import mcnemar

    a, b = decide(ours, classes), decide(theirs, classes)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        ours_scored, theirs_scored = (
            confusion_metrics(weights, answer.truth, answer.decided, classes) for answer in (a, b)
        )
        recalls = [f"recall/{name}" for name in classes]
        accuracy = weighted_share(weights, a.correct) - weighted_share(weights, b.correct)
        return {"accuracy": accuracy} | {name: ours_scored[name] - theirs_scored[name] for name in recalls}

    intervals = bootstrap(metrics, ours["group"].to_numpy(str), draws=draws, seed=seed)
    difference = intervals["accuracy"]

    a_only, b_only = int((a.correct & ~b.correct).sum()), int((b.correct & ~a.correct).sum())
    both, neither = int((a.correct & b.correct).sum()), int((~a.correct & ~b.correct).sum())
    p = 1.0
    if a_only + b_only:
        p = float(mcnemar([[both, a_only], [b_only, neither]], exact=a_only + b_only < EXACT_BELOW).pvalue)
    return {
        "n": len(ours),
        "accuracy_difference": difference.as_dict(),
        "recall_difference": {name: intervals[f"recall/{name}"].as_dict() for name in classes},
        "candidate_only": a_only,
        "reference_only": b_only,
        "p": p,
        "verdict": _verdict(difference, p),
    }


def _verdict(difference: Interval, p: float) -> Verdict:
    if p < SIGNIFICANCE and difference.low > 0:
        return "better beyond noise"
    if p < SIGNIFICANCE and difference.high < 0:
        return "worse beyond noise"
    return "no evidence of a difference"
