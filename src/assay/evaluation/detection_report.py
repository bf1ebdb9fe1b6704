"""One HTML file with everything a reader needs to judge a detector; opens by double click."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.evaluation import detection_comparison, matched_recall
from assay.evaluation.report import page
from assay.evaluation.sections import Section
from assay.files import atomic_write

NAMES = {
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "ap50": "AP50",
    "ap50_95": "AP50-95",
    "ar": "AR (100 boxes)",
}
FEW_GROUPS = 10  # a percentile bootstrap of so few clusters is known to be too narrow (Cameron & Miller 2015)


def write_report(
    path: Path,
    *,
    title: str,
    data: Mapping[str, Any],
    weights: Mapping[str, Any],
    profile: str,
    seed: int,
    hardware: str,
    facts: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
    comparison: Mapping[str, Mapping[str, Any]] | None,
    published: Mapping[str, Any],
    figures: Sequence[tuple[str, Path]],
    sections: Sequence[Section] = (),
    warnings: Sequence[str] = (),
) -> None:
    """Write the report of one detector to `path`.

    data: SOURCE.yaml of the data; its source ("sample", "original", "own…") decides what is said about published
        numbers: only on original data are they shown beside the measured ones.
    weights: {"origin", "detail"} of the weights training started from. hardware: in words.
    facts: further rows of the table at the top.
    scores: split -> `detection.score(...)`, the split of the headline first.
    comparison: split -> `detection_comparison.compare(...)` against the baseline, or None.
    published: the experiment's numbers as reported, if they are about these images, as shares 0-1: map50,
        map50_95, precision, recall and per_class; {} = nothing comparable.
    sections: further parts, shown before the pictures.
    figures: (caption, PNG), in order; the pictures are copied into the file.
    warnings: lines to put first, such as a training that failed; collapses and few groups are added here.
    """
    first = next(iter(scores))
    text = page("detection_report.html.j2").render(
        title=title,
        data=data,
        weights=weights,
        top={"profile": profile, "seed": seed, "hardware": hardware, **facts},
        main=scores[first]["all"],
        scores=scores,
        comparison=comparison or {},
        published=against_published(scores[first]["all"], published) if data["source"] == "original" else [],
        sections=sections,
        figures=figures,
        warnings=[*_collapses(scores), *warnings, *_cautions(scores)],
        names=NAMES,
        rate=rate,
        rates=rates,
        undefined=_undefined,
        how_p=detection_comparison.HOW_P,
        how_matched=matched_recall.HOW,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")


def against_published(part: Mapping[str, Any], published: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Published numbers beside the measured: {"metric", "published", "measured": interval, "within"}.

    part: one part of `detection.score`. Published precision and recall are means over the classes, as Ultralytics
    reports them (at its confidence of best F1): they are put beside "macro". Meaningful on the original images
    only; the caller sees to that.
    """
    overall = {name: part[name] for name in ("map50", "map50_95")}
    overall |= {name: part[name]["macro"] for name in ("precision", "recall")}
    rows = [(NAMES.get(name, name), published.get(name), measured) for name, measured in overall.items()]
    by_class = {"map50": "ap50", "map50_95": "ap50_95", "precision": "precision", "recall": "recall"}
    for label, values in (published.get("per_class") or {}).items():
        for name, value in values.items():
            metric = by_class.get(name)
            if metric and label in part[metric]:
                rows.append((f"{NAMES.get(metric, metric)} of {label}", value, part[metric][label]))
    return [
        {
            "metric": metric,
            "published": value,
            "measured": measured,
            "within": measured["low"] <= value <= measured["high"],
        }
        for metric, value, measured in rows
        if isinstance(value, int | float)
    ]


def rate(found: Mapping[str, float]) -> str:
    """{"value": 1.234, "low": 0.9, "high": 1.6} -> "1.23 (0.90 to 1.60)", for what is not a share."""
    if math.isnan(found["value"]):
        return "undefined"
    if math.isnan(found["low"]):
        return f"{found['value']:.2f} (no interval)"
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def rates(found: Mapping[str, float]) -> str:
    """A difference of rates with its interval; an end that does not exist is said."""
    if math.isnan(found["value"]):
        return "undefined"
    low, high = ("no end" if math.isnan(found[end]) else f"{found[end]:+.2f}" for end in ("low", "high"))
    return f"{found['value']:+.2f} ({low} to {high})"


def _undefined(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(reason, metrics) of one part; classes without an object stand in their table already."""
    metrics: dict[str, list[str]] = {}
    for name, reason in part["undefined"].items():
        metric, _, label = name.partition("/")
        if label not in part["not_scored"]:
            metrics.setdefault(reason, []).append(f"{metric} {label}".strip())
    return [(reason, ", ".join(names)) for reason, names in metrics.items()]


def _collapses(scores: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"collapsed on {split}: {parts['all']['collapsed']}"
        for split, parts in scores.items()
        if parts["all"]["collapsed"]
    ]


def _cautions(scores: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for split, parts in scores.items():
        everything = parts["all"]
        if everything["groups"] < FEW_GROUPS:
            lines.append(
                f"{split}: {everything['n']} images from {everything['groups']} independent groups only: "
                "the intervals are too narrow, if there are any"
            )
        if everything["scorer_difference"] > 1e-6:
            lines.append(
                f"{split}: the bootstrap's own AP differs from the scorer's by {everything['scorer_difference']:.1g}; "
                "do not use the intervals"
            )
    return lines
