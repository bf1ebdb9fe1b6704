"""Classification metrics of many weighted samples at once: (draws, rows) weights in, (draws,) values out.

scikit-learn defines the same metrics for one vector of weights; the tests hold each of these to it.
"""

from collections.abc import Sequence

import numpy as np

ECE_BINS = 15


def weighted_share(weights: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Weighted share of the rows where `hits` (rows,) is true: (draws,)."""
    return _ratio(weights @ hits.astype(np.float64), weights.sum(axis=1))


def confusion_metrics(
    weights: np.ndarray, truth: np.ndarray, decided: np.ndarray, classes: Sequence[str]
) -> dict[str, np.ndarray]:
    """balanced_accuracy, and precision, recall and f1 by class and macro: "recall/<class>", "f1/macro".

    truth, decided: (rows,) class indices. Undefined values are NaN (precision of a class never predicted),
    and a macro mean with an undefined part is undefined too.
    """
    k = len(classes)
    counts = (weights @ np.eye(k * k)[truth * k + decided]).reshape(-1, k, k)
    right = np.diagonal(counts, axis1=1, axis2=2)
    predicted, actual = counts.sum(axis=1), counts.sum(axis=2)
    by_class = {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, actual),
        "f1": _ratio(2 * right, predicted + actual),
    }
    metrics = {"balanced_accuracy": by_class["recall"].mean(axis=1)}
    for name, values in by_class.items():
        metrics[f"{name}/macro"] = values.mean(axis=1)
        metrics |= {f"{name}/{label}": values[:, index] for index, label in enumerate(classes)}
    return metrics


def ranking_metrics(weights: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """roc_auc and average_precision.

    scores: (rows, classes). Two classes: of the second, the positive one. More: mean of one-versus-rest.
    NaN where a sample lacks positives or negatives.
    """
    k = scores.shape[1]
    pairs = [_ranking(weights, truth == c, scores[:, c]) for c in ([1] if k == 2 else range(k))]
    auc, average_precision = np.mean(pairs, axis=0)
    return {"roc_auc": auc, "average_precision": average_precision}


def calibration_bin(confidence: np.ndarray) -> np.ndarray:
    """(rows,) index of the bin of each confidence (0-1): 15 of equal width, open at their lower ends."""
    return np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)


def calibration_metrics(weights: np.ndarray, truth: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """ece, log_loss and brier of probabilities `scores` (rows, classes).

    ece: mean |accuracy - confidence| over the bins, weighted by rows (Guo et al. 2017, arXiv 1706.04599).
    log_loss: mean -log of the true class' probability, in nats, cut at 1.2e-38 (float32's smallest).
    brier: mean over the rows of half the squared distance to the truth, 0-1: for two classes (p - truth) ** 2.
    """
    confidence, correct = scores.max(axis=1), scores.argmax(axis=1) == truth
    gaps = np.zeros((len(truth), ECE_BINS))
    gaps[np.arange(len(truth)), calibration_bin(confidence)] = correct - confidence
    distance = ((scores - np.eye(scores.shape[1])[truth]) ** 2).sum(axis=1) / 2
    total = weights.sum(axis=1)
    return {
        "ece": _ratio(np.abs(weights @ gaps).sum(axis=1), total),
        "log_loss": _ratio(weights @ -log_of(scores[np.arange(len(truth)), truth]), total),
        "brier": _ratio(weights @ distance, total),
    }


def log_of(probability: np.ndarray) -> np.ndarray:
    """Natural logarithm, of at least float32's smallest normal number: a stored 0 is an underflow, no certainty."""
    return np.log(np.maximum(probability, np.finfo(np.float32).tiny))


def _ranking(weights: np.ndarray, positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(scores):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    levels = np.flatnonzero(np.diff(scores[order], prepend=np.inf))  # rows of one score count together
    ordered = weights[:, order]
    both = np.add.reduceat(ordered, levels, axis=1)
    hits = np.add.reduceat(ordered * positive[order], levels, axis=1)  # weight of positives at each score
    misses = both - hits
    found = hits.cumsum(axis=1)
    auc = _ratio(
        (misses * (found - hits / 2)).sum(axis=1),  # a tie counts half
        hits.sum(axis=1) * misses.sum(axis=1),
    )
    precision = np.nan_to_num(_ratio(found, both.cumsum(axis=1)))
    return auc, _ratio((hits * precision).sum(axis=1), found[:, -1])


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
