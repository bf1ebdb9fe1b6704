"""Scores of a classifier from its stored predictions, with 95 % intervals, with and without leaked images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.calibration import calibration
from assay.evaluation.intervals import Interval, bootstrap, wilson
from assay.evaluation.metrics import confusion_metrics, ranking_metrics
from assay.evaluation.predictions import probabilities
from assay.evaluation.routing import route, route_three_class, score_routes


@dataclass(frozen=True)
class Decisions:
    """truth, decided: (rows,) indices into the classes. scores: (rows, classes), a row sums to 1."""

    truth: np.ndarray
    decided: np.ndarray
    scores: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """(rows,) bool: the decision is the true class."""
        return self.truth == self.decided


def decide(rows: pd.DataFrame, classes: Sequence[str]) -> Decisions:
    """The most probable of `classes` for each row, their probabilities scaled to sum to 1.

    classes: the classes that labels name. A model's further class ("maybe") is left out by the scaling;
    where it took everything, the rest is equally likely and the first class is decided. Raises ValueError
    for another label.
    """
    truth = pd.Index(classes).get_indexer(pd.Index(rows["label"]))
    if (truth < 0).any():
        raise ValueError(
            f"label '{rows['label'].iloc[int((truth < 0).argmax())]}' is not one of {list(classes)}"
        )
    scores = probabilities(rows, classes)
    total = scores.sum(axis=1, keepdims=True)
    scores = np.divide(scores, total, out=np.full(scores.shape, 1 / len(classes)), where=total > 0)
    return Decisions(truth, scores.argmax(axis=1), scores)


def score(
    rows: pd.DataFrame,
    classes: Sequence[str],
    *,
    maybe: str | None = None,
    routing: tuple[float, float] | None = None,
    temperature: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Scores of one model's rows (`Predictions.of`), on "all" images and "without_leaks".

    classes: the classes that labels name, the positive one last.
    maybe: a third class that only the model knows; adds "three_class" with maybe_share, accuracy_decided,
        pit_missed.
    routing: thresholds (pit, maybe) of a two-class rule; adds "routing" with the same three.
    temperature: of the softmax, fitted on other images (`calibration.fit_temperature`).

    Each part holds n, groups, collapsed (the one class predicted, or None), accuracy (Wilson),
    balanced_accuracy, roc_auc, average_precision, precision, recall and f1 by class and "macro" (bootstrap
    clustered by group), calibration (see there), confusion (rows truth, columns decided), predicted_share,
    majority ({"class", "n", "share"} of the most frequent true class; "reached": the accuracy is just that share),
    and undefined: metric -> why it is NaN. Intervals are {"value", "low", "high"}; all shares are 0-1.
    """
    parts = {"all": rows, "without_leaks": rows[~rows["leak"].to_numpy(bool)]}
    return {
        name: _score(
            part, classes, maybe=maybe, routing=routing, temperature=temperature, draws=draws, seed=seed
        )
        for name, part in parts.items()
    }


def flat(scores: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of one part of `score`: {"accuracy": .9, "accuracy/low": .88, "recall/cherry_pit": ...}."""
    return dict(_numbers(scores, prefix))


def _numbers(scores: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in scores.items():
        name = prefix if key == "value" else f"{prefix}/{key}".lstrip("/")
        if isinstance(value, Mapping):
            yield from _numbers(value, name)
        elif isinstance(value, int | float):
            yield name, float(value)


def _score(
    rows: pd.DataFrame,
    classes: Sequence[str],
    *,
    maybe: str | None,
    routing: tuple[float, float] | None,
    temperature: float | None,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    answer = decide(rows, classes)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        return confusion_metrics(weights, answer.truth, answer.decided, classes) | ranking_metrics(
            weights, answer.truth, answer.scores
        )

    groups = rows["group"].to_numpy(str)
    intervals = bootstrap(metrics, groups, draws=draws, seed=seed)
    intervals["accuracy"] = wilson(int(answer.correct.sum()), len(rows))
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (answer.truth, answer.decided), 1)

    result: dict[str, Any] = {
        "n": len(rows),
        "groups": int(rows["group"].nunique()),
        "collapsed": _collapsed(confusion, classes),
        "classes": list(classes),
        **_nested(intervals),
        "calibration": calibration(
            answer.truth, answer.scores, groups, temperature=temperature, draws=draws, seed=seed
        ),
        "confusion": confusion.tolist(),
        "predicted_share": dict(
            zip(classes, (confusion.sum(axis=0) / max(len(rows), 1)).tolist(), strict=True)
        ),
        "majority": _majority(confusion, classes, intervals["accuracy"].value),
        "undefined": _undefined(intervals, confusion, classes),
    }
    if maybe is not None:
        routes = route_three_class(probabilities(rows, classes), probabilities(rows, [maybe])[:, 0])
        result["three_class"] = _nested(score_routes(answer.truth, routes))
    if routing is not None:
        pit_at, maybe_at = routing
        routes = route(answer.scores[:, -1], pit_at=pit_at, maybe_at=maybe_at)
        result["routing"] = {
            "pit_at": pit_at,
            "maybe_at": maybe_at,
            **_nested(score_routes(answer.truth, routes)),
        }
    return result


def _nested(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    """{"recall/pit": interval} -> {"recall": {"pit": {...}}}."""
    nested: dict[str, Any] = {}
    for name, interval in intervals.items():
        metric, _, label = name.partition("/")
        if label:
            nested.setdefault(metric, {})[label] = interval.as_dict()
        else:
            nested[metric] = interval.as_dict()
    return nested


def _collapsed(confusion: np.ndarray, classes: Sequence[str]) -> str | None:
    predicted = np.flatnonzero(confusion.sum(axis=0))
    return classes[int(predicted[0])] if len(predicted) == 1 and len(classes) > 1 else None


def equals_share(accuracy: float, count: int, n: int) -> bool:
    """An accuracy that is `count` of `n` images, however it was rounded."""
    return abs(accuracy * n - count) < 0.5


def _majority(confusion: np.ndarray, classes: Sequence[str], accuracy: float) -> dict[str, Any]:
    actual, n = confusion.sum(axis=1), int(confusion.sum())
    most = int(actual.argmax())
    count = int(actual[most])
    share = {"class": classes[most], "n": count, "share": count / max(n, 1)}
    return share | {"reached": bool(n) and equals_share(accuracy, count, n)}


def _undefined(
    intervals: Mapping[str, Interval], confusion: np.ndarray, classes: Sequence[str]
) -> dict[str, str]:
    never_predicted = [c for c, n in zip(classes, confusion.sum(axis=0), strict=True) if n == 0]
    absent = [c for c, n in zip(classes, confusion.sum(axis=1), strict=True) if n == 0]
    reasons = []
    if not confusion.sum():
        reasons.append("no image is left")
    else:
        reasons += [f"{name} is never predicted" for name in never_predicted]
        reasons += [f"no image is {name}" for name in absent]
    return {name: "; ".join(reasons) for name, interval in intervals.items() if np.isnan(interval.value)}
