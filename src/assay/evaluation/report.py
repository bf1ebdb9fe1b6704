"""One HTML file with everything a reader needs to judge a model; opens by double click."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.evaluation.classification import equals_share
from assay.evaluation.sections import Section, is_number, number, points, share
from assay.evaluation.selections import calibration_section, selection_section
from assay.files import atomic_write

if TYPE_CHECKING:
    from jinja2 import Template

SCALAR_METRICS = ("accuracy", "balanced_accuracy", "roc_auc", "average_precision")
CLASS_METRICS = ("precision", "recall", "f1")


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
    scores: Mapping[str, Any],
    comparison: Mapping[str, Any] | None,
    published: Mapping[str, Any],
    figures: Sequence[tuple[str, Path]],
    warnings: Sequence[str] = (),
    sections: Sequence[Section] = (),
) -> None:
    """Write the report of one model to `path`.

    data: SOURCE.yaml of the data; its source ("sample", "original", "own…") decides what is said about
        published numbers: only on original data are they shown beside the measured ones.
    weights: {"origin", "detail"} of the weights training started from. hardware: in words.
    facts: further rows of the table at the top.
    scores, comparison: from `classification.score` and `comparison.compare`. Where the training kept two epochs,
        scores holds also as_published, differences (`selections.differences`) and temperature by selection.
    published: the experiment's numbers as reported: accuracy, precision, recall, f1 (0-1) and per_class; the
        rest is not about this data set and is left out.
    figures: (caption, PNG), in order; the pictures are copied into the file.
    warnings: lines to put first, such as a training that failed; collapsed predictions are added here.
    sections: further parts, shown before the figures.
    """
    everything, chosen = scores["all"], scores.get("as_published")
    collapsed: dict[str, str] = {}
    for said, part in (("collapsed", scores), ("as published, collapsed", chosen)):
        if part and part["all"]["collapsed"]:
            collapsed.setdefault(f"every image is called {part['all']['collapsed']}", said)
    temperature = scores["temperature"]["clean"] if chosen else None
    own = [calibration_section(everything["calibration"], temperature)]
    text = page("report.html.j2").render(
        title=title,
        data=data,
        weights=weights,
        top={"profile": profile, "seed": seed, "hardware": hardware, **facts},
        scores=scores,
        scalar_metrics=SCALAR_METRICS,
        class_metrics=CLASS_METRICS,
        comparison=comparison,
        published=against_published((chosen or scores)["all"], published)
        if data["source"] == "original"
        else [],
        chosen=selection_section(scores) if chosen else None,
        figures=figures,
        sections=[*own, *sections],
        warnings=[*(f"{said}: {what}" for what, said in collapsed.items()), *warnings],
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")


def page(template: str, package: str = "assay.evaluation") -> "Template":
    """A page template of a package; it may include this package's templates, such as the style.

    Filters: interval, points (differences), number, is_number, image (base64), cell (of a Markdown table).
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "") for name in (package, "assay.evaluation")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "interval": share,
        "number": number,
        "points": points,
        "is_number": is_number,
        "image": _image,
        "cell": _cell,
    }
    return environment.get_template(template)


def against_published(scores: Mapping[str, Any], published: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Published numbers beside the measured: {"metric", "published", "measured": interval, "within"}.

    scores: one part of `classification.score`. within: the published value lies in the measured interval. majority:
    a published accuracy that is the share of the most frequent class.
    Meaningful on the original data only; the caller sees to that.
    """
    reported = {name: published.get(name) for name in ("accuracy", *CLASS_METRICS)}
    measured = {"accuracy": scores["accuracy"], **{name: scores[name]["macro"] for name in CLASS_METRICS}}
    for label, values in (published.get("per_class") or {}).items():
        for name, value in values.items():
            if label in scores.get(name, {}):
                reported[f"{name} of {label}"] = value
                measured[f"{name} of {label}"] = scores[name][label]
    return [
        {
            "metric": name,
            "published": value,
            "measured": measured[name],
            "within": measured[name]["low"] <= value <= measured[name]["high"],
            "majority": name == "accuracy" and equals_share(value, scores["majority"]["n"], scores["n"]),
        }
        for name, value in reported.items()
        if isinstance(value, int | float)
    ]


def _cell(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def _image(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
