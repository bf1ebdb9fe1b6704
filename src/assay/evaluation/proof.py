"""Did it help, and at what price? One table: false positives at the stated threshold and at the baseline's recall.

A detector that shows less has fewer false positives without having learnt anything. So every model stands in the
table twice: at the confidences of the configuration, and at the strictest ones at which it finds as much as the baseline
does. The baseline, too: a threshold of its own that could be stricter at the same recall would pass for a gain of others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.alarms import count_alarms, per_unit
from assay.evaluation.boxes import BoxPredictions
from assay.evaluation.detection_metrics import class_thresholds, counts_at, ratio
from assay.evaluation.intervals import Interval, bootstrap
from assay.evaluation.matched_recall import matched_recall
from assay.evaluation.matching import Matches, match

STATED, MATCHED = "stated threshold", "recall of the baseline"
VIDEO, TAUGHT = "negative video, held out", "negative video, mined clips"
COLUMNS = (
    *("where", "category", "model", "at", "confidence", "reviewed_by", "negatives", "unit", "n", "exposure", "groups"),
    *("false_positives", "rate", "rate_low", "rate_high", "exact_low", "exact_high"),
    *("change", "change_low", "change_high"),
    *(f"{name}{end}" for name in ("recall", "map50", "map50_95") for end in ("", "_low", "_high")),
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class NegativeVideo:
    """What every model found in video that shows no object. boxes: model, clip, frame, label, score."""

    boxes: pd.DataFrame
    spans: pd.DataFrame  # see `assay.data.negative_video`
    stride: int


@dataclass(frozen=True)
class Operating:
    """A model and the confidences at which it is looked at."""

    model: str
    at: str
    thresholds: Mapping[str, float]


def points_of(
    reference: str,
    candidates: Sequence[str],
    *,
    stated: Mapping[str, Mapping[str, float]],
    matched: Mapping[str, Mapping[str, float] | None],
) -> list[Operating]:
    """The reference, then every candidate, each at both points; at the second only where the recall is reached.

    Args:
        reference: the baseline.
        candidates: the other models.
        stated: model -> class -> confidence of the configuration.
        matched: model -> class -> confidence at the baseline's recall; None where it is never reached.
    """
    points = []
    for name in (reference, *candidates):
        points.append(Operating(name, STATED, stated[name]))
        if (limits := matched[name]) is not None:
            points.append(Operating(name, MATCHED, limits))
    return points


def matched_thresholds(
    predictions: BoxPredictions,
    candidate: str,
    reference: str,
    *,
    split: str,
    stated: Mapping[str, Mapping[str, float]],
) -> dict[str, float] | None:
    """The candidate's confidences, by class, at which it finds as much as the reference; see `matched_recall.HOW`.

    None where it does not with all its boxes, and where the reference finds nothing: showing nothing would match that.
    stated: model -> class -> confidence of the configuration.
    """
    names = predictions.split(split)["image"].tolist()
    both = (candidate, reference)
    ours, theirs = (
        match(predictions.of(name), predictions.truth, names, predictions.classes) for name in both
    )
    limits, others = (class_thresholds(stated[name], predictions.classes) for name in both)
    found = matched_recall(ours, theirs, limits, others, [np.ones((1, len(names)))])
    if np.isnan(found.thresholds).any() or not found.reference_recall > 0:
        return None
    return dict(zip(predictions.classes, found.thresholds.tolist(), strict=True))


def image_rows(
    predictions: BoxPredictions,
    points: Sequence[Operating],
    *,
    split: str,
    scores: Mapping[str, Mapping[str, Any]],
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    """One row per point on the images of a split; the first model is what the others are compared with, at the same.

    scores: model -> part "all" of `detection.score`, whose map50 and map50_95 are shown.
    """
    images = predictions.split(split)
    groups = images["group"].to_numpy(str)
    names = images["image"].tolist()
    found: dict[str, Matches] = {}
    for point in points:
        if point.model not in found:
            found[point.model] = match(
                predictions.of(point.model), predictions.truth, names, predictions.classes
            )
    objects = next(iter(found.values())).objects.sum(axis=1)
    counted = [_per_image(found[point.model], point, predictions.classes) for point in points]
    first = _references(points, [wrong for _, wrong in counted])
    rows = []
    for point, (right, wrong) in zip(points, counted, strict=True):
        drawn = _intervals(
            {"rate": (wrong, None), "recall": (right, objects)},
            wrong,
            first[point.at] if point.model != points[0].model else None,
            groups,
            draws=draws,
            seed=seed,
        )
        rows.append(
            {
                "where": f"{split} images",
                "category": "",
                **_about(predictions, point),
                **{"unit": "image", "n": len(images), "exposure": float(len(images))},
                "groups": len(np.unique(groups)),
                "false_positives": int(wrong.sum()),
                **_cells(drawn),
                **_cells({name: Interval(**scores[point.model][name]) for name in ("map50", "map50_95")}),
            }
        )
    return rows


def video_rows(
    predictions: BoxPredictions, video: NegativeVideo, points: Sequence[Operating], *, draws: int, seed: int
) -> list[dict[str, Any]]:
    """One row per point for the held-out negative video, and one per lookalike of the clips that were mined."""
    parts: list[tuple[str, str, pd.DataFrame]] = []
    spans = video.spans
    if len(held := spans[spans["held_out"]]):
        parts.append((VIDEO, "", held))
    parts += [(TAUGHT, str(name), part) for name, part in spans[~spans["held_out"]].groupby("category")]
    rows = []
    for where, category, part in parts:
        counted = [
            count_alarms(
                video.boxes[video.boxes["model"] == point.model],
                part,
                stride=video.stride,
                thresholds=point.thresholds,
            )
            for point in points
        ]
        first = _references(points, [table["alarms"].to_numpy(float) for table in counted])
        for point, table in zip(points, counted, strict=True):
            alarms, minutes = table["alarms"].to_numpy(float), table["minutes"].to_numpy(float)
            recordings = table["recording"].to_numpy(str)
            drawn = _intervals(
                {"rate": (alarms, minutes)},
                alarms,
                first[point.at] if point.model != points[0].model else None,
                recordings,
                draws=draws,
                seed=seed,
            )
            exact = per_unit(int(alarms.sum()), float(minutes.sum()))
            taught = set(part["clip"]) & set(
                (predictions.models[point.model].get("negatives") or {}).get("clips", ())
            )
            rows.append(
                {
                    "where": where,
                    "category": category,
                    **_about(predictions, point),
                    **{"unit": "minute", "n": len(part), "exposure": float(minutes.sum())},
                    "groups": len(np.unique(recordings)),
                    "false_positives": int(alarms.sum()),
                    **_cells(drawn),
                    **{"exact_low": exact.low, "exact_high": exact.high},
                    "note": "frames of these clips taught it: the number flatters" if taught else "",
                }
            )
    return rows


def _references(points: Sequence[Operating], wrong: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """at -> what the first model shows there that is wrong: the others at the same are compared with it."""
    return {
        point.at: values
        for point, values in zip(points, wrong, strict=True)
        if point.model == points[0].model
    }


def proof_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of `image_rows` and `video_rows` as one table with all `COLUMNS`."""
    table = pd.DataFrame(list(rows)).reindex(columns=list(COLUMNS))
    texts = ["category", "reviewed_by", "note"]
    table[texts] = table[texts].fillna("")
    return table


def _about(predictions: BoxPredictions, point: Operating) -> dict[str, Any]:
    facts = predictions.models[point.model].get("negatives") or {}
    limits = sorted({round(float(value), 4) for value in point.thresholds.values()})
    return {
        "model": point.model,
        "at": point.at,
        "confidence": f"{limits[0]:g}" if len(limits) == 1 else f"{limits[0]:g} to {limits[-1]:g}",
        "reviewed_by": reviewers(facts),
        "negatives": facts.get("count", 0),
    }


def reviewers(facts: Mapping[str, Any]) -> str:
    """`a model (16)`: who called the pictures empty that a detector learnt from, and how many each."""
    named = {"human": "people", "model": "a model", "sample-truth": "the sample's truth"}
    return ", ".join(f"{named[kind]} ({n})" for kind, n in facts.get("by_kind", {}).items())


def _per_image(found: Matches, point: Operating, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    right, wrong = counts_at(found, class_thresholds(point.thresholds, classes))
    return right.sum(axis=1), wrong.sum(axis=1)


def _intervals(
    ratios: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
    wrong: np.ndarray,
    reference: np.ndarray | None,
    groups: np.ndarray,
    *,
    draws: int,
    seed: int,
) -> dict[str, Interval]:
    """Sums over sums, and the relative change of `wrong` against `reference`, over whole groups drawn anew."""

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        values = {
            name: ratio(weights @ above, weights.sum(axis=1) if below is None else weights @ below)
            for name, (above, below) in ratios.items()
        }
        if reference is not None:
            values["change"] = ratio(weights @ wrong, weights @ reference) - 1
        return values

    return bootstrap(metrics, groups, draws=draws, seed=seed)


def _cells(found: Mapping[str, Interval]) -> dict[str, float]:
    return {
        f"{name}{end}": value
        for name, interval in found.items()
        for end, value in zip(
            ("", "_low", "_high"), (interval.value, interval.low, interval.high), strict=True
        )
    }
