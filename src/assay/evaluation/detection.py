"""Scores of a detector from its stored boxes, with 95 % intervals, with and without leaked images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.boxes import BoxPredictions
from assay.evaluation.classification import flat
from assay.evaluation.coco import CocoScores, coco_scores
from assay.evaluation.detection_metrics import class_thresholds, counts_at, curve, detection_metrics
from assay.evaluation.intervals import Interval, bootstrap
from assay.evaluation.matching import Matches, match
from assay.evaluation.outcomes import confusion, judge

__all__ = ["best_thresholds", "flat", "score"]

NO_OBJECTS = "no objects to score"


def score(
    predictions: BoxPredictions,
    model: str,
    *,
    split: str,
    thresholds: Mapping[str, float],
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Scores of one model on one split, on "all" images and "without_leaks".

    thresholds: the confidence from which a box counts, for every class; choose them on other images.

    Each part holds split, n (images), groups, classes, thresholds, objects and boxes (shown ones) by class,
    not_scored (class -> why it is in no mean), collapsed (a sentence, or None), then as {"value", "low", "high"}
    the metrics of `detection_metrics`: map50, map50_95, ar, ap50 and ap50_95 by class, precision, recall and f1
    by class, "micro" and "macro", false_positives (per image) by class and "all"; counts (true_positives,
    false_positives, missed), confusion (`outcomes.confusion`), undefined (metric -> why it is NaN), and
    scorer_difference: how far the bootstrap's own AP is from the scorer's, whose values are given (about 1e-15).

    Intervals are percentiles of a bootstrap that draws whole groups; the mean over classes of a draw leaves out
    classes of which the draw has no object. Raises UserError for an unknown model or split, ValueError for a
    class without a threshold.
    """
    rows = predictions.split(split)
    everything = _score(predictions, model, rows, thresholds, draws=draws, seed=seed)
    leaks = rows["leak"].to_numpy(bool)
    kept = rows[~leaks].reset_index(drop=True)
    without = (
        _score(predictions, model, kept, thresholds, draws=draws, seed=seed) if leaks.any() else everything
    )
    return {"all": everything, "without_leaks": without}


def best_thresholds(
    predictions: BoxPredictions, model: str, *, split: str, otherwise: Mapping[str, float]
) -> dict[str, float]:
    """The confidence of the highest F1 at IoU 0.5 on one split, for every class.

    otherwise: by class, where nothing of it was found there. Meant for validation images; on the images that are scored
    afterwards the choice flatters. Raises UserError where the split has no image.
    """
    images = predictions.split(split)["image"].tolist()
    matches = match(predictions.of(model), predictions.truth, images, predictions.classes)
    chosen = {}
    for index, name in enumerate(predictions.classes):
        line = curve(matches, index)
        reached = len(line.f1) > 0 and line.f1.max() > 0
        chosen[name] = float(line.confidence[line.f1.argmax()]) if reached else otherwise[name]
    return chosen


def _score(
    predictions: BoxPredictions,
    model: str,
    rows: pd.DataFrame,
    thresholds: Mapping[str, float],
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    classes = predictions.classes
    limits = class_thresholds(thresholds, classes)
    images = rows["image"].tolist()
    found, truth = predictions.of(model), predictions.truth
    truth = truth[truth["image"].isin(images)].reset_index(drop=True)
    matches = match(found, truth, images, classes)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        return detection_metrics(matches, weights, limits, classes)

    intervals = bootstrap(metrics, rows["group"].to_numpy(str), draws=draws, seed=seed)
    official = coco_scores(found, truth, images, classes)
    difference = _take_values(intervals, official, classes)
    right, wrong = (counts.sum(axis=0).astype(int) for counts in counts_at(matches, limits))
    objects = matches.objects.sum(axis=0)
    judged = judge(matches, found, truth, limits)
    boxes = judged.found["label"].value_counts().reindex(classes, fill_value=0)
    return {
        "split": str(rows["split"].iloc[0]) if len(rows) else "",
        "n": len(rows),
        "groups": int(rows["group"].nunique()),
        "classes": list(classes),
        "thresholds": dict(zip(classes, limits.tolist(), strict=True)),
        "objects": dict(zip(classes, objects.tolist(), strict=True)),
        "boxes": {name: int(boxes[name]) for name in classes},
        "not_scored": {name: NO_OBJECTS for name, number in zip(classes, objects, strict=True) if not number},
        "collapsed": _collapsed(boxes, matches, classes),
        **nested(intervals),
        "counts": {
            "true_positives": int(right.sum()),
            "false_positives": int(wrong.sum()),
            "missed": int(objects.sum() - right.sum()),
        },
        "confusion": confusion(judged, classes).tolist(),
        "undefined": _undefined(intervals, objects, boxes, classes),
        "scorer_difference": difference,
    }


def nested(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    """{"recall/cone": interval} -> {"recall": {"cone": {...}}}; a class's own name may hold "/"."""
    result: dict[str, Any] = {}
    for name, interval in intervals.items():
        metric, _, label = name.partition("/")
        if label:
            result.setdefault(metric, {})[label] = interval.as_dict()
        else:
            result[metric] = interval.as_dict()
    return result


def _take_values(intervals: dict[str, Interval], official: CocoScores, classes: Sequence[str]) -> float:
    """Put the scorer's values into the intervals; return the largest difference from what was there."""
    values = {"map50": official.map50, "map50_95": official.map50_95, "ar": official.ar}
    for index, name in enumerate(classes):
        values |= {f"ap50/{name}": official.ap[index, 0], f"ap50_95/{name}": official.ap[index].mean()}
    largest = 0.0
    for name, value in values.items():
        mine = intervals[name]
        intervals[name] = Interval(float(value), mine.low, mine.high)
        largest = max(largest, np.nan_to_num(abs(value - mine.value), nan=0.0))
    return float(largest)


def _collapsed(boxes: pd.Series, matches: Matches, classes: Sequence[str]) -> str | None:
    expected = int(matches.scored.sum())
    if not expected:
        return None
    if not boxes.sum():
        return "no box reaches its confidence threshold"
    shown = [name for name in classes if boxes[name]]
    return f"every box above its threshold is called {shown[0]}" if len(shown) == 1 < expected else None


def _undefined(
    intervals: Mapping[str, Interval], objects: np.ndarray, boxes: pd.Series, classes: Sequence[str]
) -> dict[str, str]:
    reasons = {}
    for name, interval in intervals.items():
        if not np.isnan(interval.value):
            continue
        metric, _, label = name.partition("/")
        pooled = label in ("", "micro", "macro", "all")
        there = objects.sum() if pooled else objects[list(classes).index(label)]
        if metric == "false_positives":
            reasons[name] = "no image is left"
        elif metric == "precision" and not (boxes.sum() if pooled else boxes[label]):
            reasons[name] = "no box reaches the threshold"
        else:
            reasons[name] = NO_OBJECTS if not there else "no box counts: all lie on regions to ignore"
    return reasons
