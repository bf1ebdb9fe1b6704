"""Detection metrics of many weighted samples of images at once: (draws, images) weights in, (draws,) values out.

The scorer (`coco.py`) defines AP for one run; the tests hold these functions to it, to twelve digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.evaluation.coco import IOU_THRESHOLDS, RECALL_THRESHOLDS
from assay.evaluation.matching import Matches

_CELLS = 100_000  # weights x boxes held at once: arrays of 0.8 MB stay in the processor's cache


def detection_metrics(
    matches: Matches, weights: np.ndarray, thresholds: np.ndarray, classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """Every metric by name, (draws,) each, NaN where a sample leaves it undefined.

    thresholds: (K,) confidence from which a box of the class counts, for what is not an average precision.

    map50, map50_95, ar: means over the classes with an object in the sample, as COCO. ap50/<class> and
    ap50_95/<class>. At the thresholds and IoU 0.5: precision, recall and f1 by class, "micro" (all boxes alike)
    and "macro" (mean over the classes with an object in the sample that have a value), and false_positives per
    image, by class and "all". Boxes of a class without an object count in "micro" and in false_positives.
    """
    ap = average_precision(matches, weights)
    metrics = {
        "map50": _mean(ap[:, :, 0]),
        "map50_95": _mean(ap.reshape(len(weights), -1)),
        "ar": _mean(average_recall(matches, weights).reshape(len(weights), -1)),
    }
    for index, name in enumerate(classes):
        metrics |= {f"ap50/{name}": ap[:, index, 0], f"ap50_95/{name}": ap[:, index].mean(axis=1)}
    return metrics | operating_metrics(matches, weights, thresholds, classes)


def operating_metrics(
    matches: Matches, weights: np.ndarray, thresholds: np.ndarray, classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """precision, recall, f1 and false_positives of `detection_metrics` alone: these are cheap."""
    right, wrong = (weights @ counts for counts in counts_at(matches, thresholds))
    objects = weights @ matches.objects
    by_class = _rates(right, wrong, objects)
    pooled = _rates(*(counts.sum(axis=1, keepdims=True) for counts in (right, wrong, objects)))
    images = weights.sum(axis=1)
    metrics = {"false_positives/all": ratio(wrong.sum(axis=1), images)}
    for name, values in by_class.items():
        metrics[f"{name}/micro"] = pooled[name][:, 0]
        metrics[f"{name}/macro"] = _mean(np.where(objects > 0, values, np.nan))
        metrics |= {f"{name}/{label}": values[:, index] for index, label in enumerate(classes)}
    return metrics | {
        f"false_positives/{label}": ratio(wrong[:, index], images) for index, label in enumerate(classes)
    }


def average_precision(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """AP of weighted images, (draws, K, 10), interpolated at COCO's 101 recalls.

    weights: (draws, N), how often each image is in the sample. NaN where the sample has no object of the class.
    Memory is bounded: so many draws at once that no array has much more than a hundred thousand numbers.
    """
    weights = np.asarray(weights, np.float64)
    per_class = max(1, int(np.bincount(matches.label, minlength=1).max()))
    step = max(1, _CELLS // per_class)
    return np.concatenate(
        [_average_precision(matches, weights[start : start + step]) for start in range(0, len(weights), step)]
    )


def average_recall(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """Recall with every stored box (at most 100 per class and image), (draws, K, 10), NaN as above."""
    images, classes = matches.objects.shape
    counts = np.zeros((images, classes, len(IOU_THRESHOLDS)))
    np.add.at(counts, (matches.image, matches.label), matches.correct)
    objects = (weights @ matches.objects)[:, :, None]
    reached = np.tensordot(weights, counts, axes=1)
    return ratio(reached, objects)


def class_thresholds(thresholds: Mapping[str, float], classes: Sequence[str]) -> np.ndarray:
    """(K,) confidences in the order of `classes`. Raises ValueError for a class without one."""
    missing = [name for name in classes if name not in thresholds]
    if missing:
        raise ValueError(f"no confidence threshold for {', '.join(missing)}")
    return np.array([thresholds[name] for name in classes], np.float64)


def counts_at(matches: Matches, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at IoU 0.5 by image and class, (N, K) each. thresholds: (K,), a score >= counts.

    Lower-scored boxes choose last, so leaving them out changes no other match.
    """
    shown = matches.score >= thresholds[matches.label]
    right, wrong = (np.zeros(matches.objects.shape) for _ in range(2))
    for table, chosen in (
        (right, shown & matches.correct[:, 0]),
        (wrong, shown & ~matches.correct[:, 0] & ~matches.ignored[:, 0]),
    ):
        np.add.at(table, (matches.image[chosen], matches.label[chosen]), 1)
    return right, wrong


@dataclass(frozen=True)
class Curve:
    """Precision, recall and F1 at IoU 0.5 if the threshold were each of these confidences, from high to low."""

    confidence: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def curve(matches: Matches, label: int) -> Curve:
    """The curve of one class; empty where it has no object or no box."""
    objects = int(matches.objects[:, label].sum())
    mine = (matches.label == label) & ~matches.ignored[:, 0]
    confidence, right = matches.score[mine], np.cumsum(matches.correct[mine, 0])
    ends = np.flatnonzero(np.diff(confidence, append=-1.0)) if objects else np.empty(0, int)
    seen, true = ends + 1.0, right[ends]
    return Curve(confidence[ends], true / seen, true / max(objects, 1), 2 * true / (seen + objects))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _average_precision(matches: Matches, weights: np.ndarray) -> np.ndarray:
    objects = weights @ matches.objects
    result = np.where(objects > 0, 0.0, np.nan)[:, :, None].repeat(len(IOU_THRESHOLDS), axis=2)
    for label in np.flatnonzero(matches.scored):
        mine = matches.label == label
        if not mine.any():
            continue
        drawn = weights[:, matches.image[mine]]
        ignored, correct = matches.ignored[mine], matches.correct[mine]
        positives = objects[:, label, None]
        shown = None if ignored.any() else np.cumsum(drawn, axis=1)
        for index in range(len(IOU_THRESHOLDS)):
            # precision only rises at a hit: it is read there and nowhere else
            at = np.flatnonzero(correct[:, index])
            counted = np.cumsum(drawn * ~ignored[:, index], axis=1) if shown is None else shown
            true = np.cumsum(drawn[:, at], axis=1)
            seen = counted[:, at]
            precision = np.divide(true, seen, out=np.zeros_like(true), where=seen > 0)
            recall = np.divide(true, positives, out=np.zeros_like(true), where=positives > 0)
            value = _interpolated(precision, recall)
            result[:, label, index] = np.where(objects[:, label] > 0, value, np.nan)
    return result


def _interpolated(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Mean over COCO's 101 recalls of the highest precision from there on, (draws, hits) -> (draws,); 0 beyond the last.

    A search of 101 recalls among the hits of a draw and the maxima between them, not a search for every hit: of ten
    thousand hits that is most of the time.
    """
    values = np.zeros(len(precision))
    for row in range(len(precision)):
        at = np.searchsorted(recall[row], RECALL_THRESHOLDS)
        if len(at := at[at < recall.shape[1]]):
            between = np.maximum.reduceat(precision[row], at)
            values[row] = np.maximum.accumulate(between[::-1]).sum() / len(RECALL_THRESHOLDS)
    return values


def _rates(right: np.ndarray, wrong: np.ndarray, objects: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "precision": ratio(right, right + wrong),
        "recall": ratio(right, objects),
        "f1": np.where(objects > 0, ratio(2 * right, right + wrong + objects), np.nan),
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """(draws, anything) -> (draws,): the mean of what is not NaN."""
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0).sum(axis=1), there.sum(axis=1))
