"""Is one detector better than another on the same images, beyond noise?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.boxes import BoxPredictions
from assay.evaluation.comparison import SIGNIFICANCE, Verdict
from assay.evaluation.detection_metrics import class_thresholds, detection_metrics
from assay.evaluation.intervals import CONFIDENCE, Interval, resample
from assay.evaluation.matched_recall import matched_recall
from assay.evaluation.matching import Matches, match

DRAWS_PER_PAIR = 100
HOW_P = (
    "p: two-sided, from the bootstrap of whole groups: twice the smaller share of samples in which the difference is "
    "not positive or not negative, never below 2 / (samples + 1) nor below 0.5^(groups - 1), the least that so many "
    "groups can give, all of them changed to one side"
)


@dataclass(frozen=True)
class _Model:
    """One model on the images of a comparison. drawn: metric -> (1 + draws,), all weights 1 first."""

    matches: Matches
    thresholds: np.ndarray
    drawn: Mapping[str, np.ndarray]


def compare(
    predictions: BoxPredictions,
    candidate: str,
    reference: str,
    *,
    split: str,
    thresholds: Mapping[str, float],
    reference_thresholds: Mapping[str, float] | None = None,
    main: str = "map50",
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Paired comparison on "all" images of a split and "without_leaks": candidate minus reference.

    thresholds: confidence by class from which a box counts; reference_thresholds: the reference's, if its own.
    main: the metric that `p` and `verdict` are about, "map50" or "map50_95".

    Each part holds split, n, groups, main, p, verdict, map50_difference, map50_95_difference, ap50_difference by
    class, precision_difference, recall_difference by class, "micro" and "macro", false_positives_difference (per
    image) by class and "all" as {"value", "low", "high"} (paired percentile bootstrap that draws whole groups),
    p_of and verdict_of by metric (fewer false positives are better), and matched_recall (`matched_recall`).
    p: see HOW_P. A verdict claims a difference when p < .05 and the interval leaves 0 out.

    Raises UserError for an unknown model or split, ValueError for a class without a threshold.
    """
    rows = predictions.split(split)
    limits = {reference: reference_thresholds or thresholds, candidate: thresholds}
    leaks = rows["leak"].to_numpy(bool)
    everything = _compare_pairs(
        predictions, rows, [(candidate, reference)], limits, main=main, draws=draws, seed=seed
    )[0]
    without = everything
    if leaks.any():
        kept = rows[~leaks].reset_index(drop=True)
        without = _compare_pairs(
            predictions, kept, [(candidate, reference)], limits, main=main, draws=draws, seed=seed
        )[0]
    return {"all": everything, "without_leaks": without}


def compare_all(
    predictions: BoxPredictions,
    models: Sequence[str],
    *,
    split: str,
    thresholds: Mapping[str, Mapping[str, float]],
    pairs: Sequence[tuple[str, str]] | None = None,
    main: str = "map50",
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every pair of `models` on all images of a split, with p_holm (Holm 1979: adjusted for the number of pairs).

    pairs: (candidate, reference) of each; None: all. thresholds: model -> class -> confidence.

    One dict per pair: candidate, reference, and what `compare` gives for "all"; p and verdict are those of `main`, the
    verdict reads p_holm. At least 100 samples are drawn per pair, for a p of 2 / (samples + 1) must survive the
    adjustment.
    """
    from statsmodels.stats.multitest import multipletests

    pairs = list(combinations(models, 2) if pairs is None else pairs)
    if not pairs:
        return []
    rows = predictions.split(split)
    draws = max(draws, DRAWS_PER_PAIR * len(pairs))
    parts = _compare_pairs(predictions, rows, pairs, thresholds, main=main, draws=draws, seed=seed)
    adjusted = multipletests([part["p"] for part in parts], alpha=SIGNIFICANCE, method="holm")[1]
    results = []
    for (candidate, reference), part, p in zip(pairs, parts, adjusted, strict=True):
        difference = Interval(**part[f"{main}_difference"])
        verdict = verdict_of(difference, float(p))
        results.append(
            {"candidate": candidate, "reference": reference, **part}
            | {"p_holm": float(p), "verdict": verdict}
        )
    return results


def verdict_of(difference: Interval, p: float, *, fewer_is_better: bool = False) -> Verdict:
    """What may be said of a difference, candidate minus reference."""
    low, high = (-difference.high, -difference.low) if fewer_is_better else (difference.low, difference.high)
    if p < SIGNIFICANCE and low > 0:
        return "better beyond noise"
    if p < SIGNIFICANCE and high < 0:
        return "worse beyond noise"
    return "no evidence of a difference"


def bootstrap_p(drawn: np.ndarray, groups: int) -> float:
    """p of "no difference" from bootstrap samples of a difference (draws,), see HOW_P; 1 without samples."""
    if not len(drawn) or groups < 2:
        return 1.0
    smaller = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return float(min(1.0, max(2 * (smaller + 1) / (len(drawn) + 1), 0.5 ** (groups - 1))))


def _compare_pairs(
    predictions: BoxPredictions,
    rows: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    thresholds: Mapping[str, Mapping[str, float]],
    *,
    main: str,
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    groups = rows["group"].to_numpy(str)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    models = {
        name: _prepare(predictions, name, rows, thresholds[name], draws=draws, seed=seed) for name in names
    }
    return [
        _compare(
            models[candidate],
            models[reference],
            predictions.classes,
            groups,
            main=main,
            draws=draws,
            seed=seed,
        )
        | {"split": str(rows["split"].iloc[0]) if len(rows) else ""}
        for candidate, reference in pairs
    ]


def _prepare(
    predictions: BoxPredictions,
    model: str,
    rows: pd.DataFrame,
    thresholds: Mapping[str, float],
    *,
    draws: int,
    seed: int,
) -> _Model:
    classes = predictions.classes
    limits = class_thresholds(thresholds, classes)
    matches = match(predictions.of(model), predictions.truth, rows["image"].tolist(), classes)
    parts = [
        detection_metrics(matches, weights, limits, classes)
        for weights in _weights(rows["group"].to_numpy(str), draws=draws, seed=seed)
    ]
    return _Model(
        matches, limits, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )


def _weights(groups: np.ndarray, *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Every weight 1, then the bootstrap samples: the same ones for every model, which makes it paired."""
    yield np.ones((1, len(groups)))
    if len(np.unique(groups)) > 1:
        yield from resample(groups, draws=draws, seed=seed)


def _compare(
    ours: _Model,
    theirs: _Model,
    classes: Sequence[str],
    groups: np.ndarray,
    *,
    main: str,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    clusters = len(np.unique(groups))
    result: dict[str, Any] = {"n": len(groups), "groups": clusters, "main": main}
    p_of: dict[str, float] = {}
    verdicts: dict[str, str] = {}
    for name in ours.drawn:
        metric, _, label = name.partition("/")
        if metric in ("ar", "f1", "ap50_95"):
            continue
        difference = ours.drawn[name] - theirs.drawn[name]
        interval, samples = _interval(difference)
        p = bootstrap_p(samples, clusters)
        if label:
            result.setdefault(f"{metric}_difference", {})[label] = interval.as_dict()
        else:
            result[f"{metric}_difference"] = interval.as_dict()
        p_of[name] = p
        verdicts[name] = verdict_of(interval, p, fewer_is_better=metric == "false_positives")

    weights = _weights(groups, draws=draws, seed=seed)
    matched = matched_recall(ours.matches, theirs.matches, ours.thresholds, theirs.thresholds, weights)
    interval, samples = _interval(matched.difference)
    p = bootstrap_p(samples, clusters)
    return result | {
        "p": p_of[main],
        "verdict": verdicts[main],
        "p_of": p_of,
        "verdict_of": verdicts,
        "matched_recall": {
            "reached": bool(np.isfinite(matched.difference[0])),
            "recall": {"reference": matched.reference_recall, "candidate": matched.candidate_recall},
            "thresholds": dict(zip(classes, matched.thresholds.tolist(), strict=True)),
            "false_positives": {
                "reference": matched.reference_false_positives,
                "candidate": matched.candidate_false_positives,
            },
            "false_positives_difference": interval.as_dict(),
            "unreached": matched.unreached,
            "p": p,
            "verdict": verdict_of(interval, p, fewer_is_better=True),
        },
    }


def _interval(drawn: np.ndarray) -> tuple[Interval, np.ndarray]:
    """Interval from (1 + draws,) values, the first one the value itself, and the defined samples.

    An end that lies among samples of +inf (a recall that is never reached) is NaN.
    """
    value, samples = float(drawn[0]), drawn[1:][~np.isnan(drawn[1:])]
    if not np.isfinite(value) or not len(samples):
        return Interval(value if np.isfinite(value) else np.nan, np.nan, np.nan), samples[:0]
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(samples, ends, method="linear" if np.isfinite(samples).all() else "nearest")
    return Interval(value, *(float(end) if np.isfinite(end) else np.nan for end in (low, high))), samples
