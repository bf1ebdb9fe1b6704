"""Curves and the confusion matrix of a detector: PNG, 800 pixels wide, colour-blind safe."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from assay.evaluation.boxes import BoxPredictions
from assay.evaluation.detection_gallery import (
    draw_crops,
    draw_gallery,
    sample_images,
    worst_false_positives,
    worst_misses,
)
from assay.evaluation.detection_metrics import Curve, curve
from assay.evaluation.intervals import Interval
from assay.evaluation.matching import match
from assay.evaluation.outcomes import outcomes
from assay.evaluation.plots import COLOURS, GREY, STYLES, ForestRow, figure, plot_forest

RATES = {"f1": "F1", "precision": "Precision", "recall": "Recall"}
MOST_CURVES = 10  # more lines are told apart by nobody
Loader = Callable[[str], NDArray[np.uint8]]


def draw(
    folder: Path,
    predictions: BoxPredictions,
    model: str,
    *,
    split: str,
    thresholds: Mapping[str, float],
    scores: Mapping[str, Any],
    load: Loader,
    seed: int = 0,
) -> list[tuple[str, Path]]:
    """Draw every picture of the report into `folder` and return (caption, PNG) in the report's order.

    scores: `detection.score(...)["all"]` of the same model, split and thresholds. load: image name -> uint8 RGB
    (H, W, 3). Raises UserError for an unknown model or split.
    """
    images = predictions.split(split)["image"].tolist()
    result = outcomes(predictions, model, images, thresholds)
    shown = sample_images(result, images, seed=seed)
    misses, alarms = worst_misses(result), worst_false_positives(result)
    jobs: list[tuple[str, str, Callable[[Path], None]]] = [
        ("AP50 by class with 95 % interval", "ap50", lambda path: plot_class_ap(path, scores)),
        (
            "Precision and recall at IoU 0.5, the classes with most objects",
            "precision_recall",
            lambda path: plot_precision_recall(path, predictions, model, split=split),
        ),
        *(
            (
                f"{RATES[rate]} at IoU 0.5 by confidence; dots mark the thresholds used",
                rate,
                partial(
                    plot_rate,
                    predictions=predictions,
                    model=model,
                    rate=rate,
                    split=split,
                    thresholds=thresholds,
                ),
            )
            for rate in RATES
        ),
        (
            "Confusion at the thresholds used, IoU 0.5",
            "confusion",
            lambda path: plot_box_confusion(path, scores["confusion"], scores["classes"]),
        ),
        (
            "The same as shares of what is annotated",
            "confusion_normalized",
            lambda path: plot_box_confusion(path, scores["confusion"], scores["classes"], normalized=True),
        ),
        (
            f"Annotated and found: {len(shown)} images drawn at random",
            "gallery",
            lambda path: draw_gallery(path, result, shown, load),
        ),
        (
            f"Objects missed, the largest {len(misses)}",
            "misses",
            lambda path: draw_crops(path, misses, result, load),
        ),
        (
            f"False positives, the {len(alarms)} surest",
            "false_positives",
            lambda path: draw_crops(path, alarms, result, load),
        ),
    ]
    figures = []
    for caption, name, job in jobs:
        path = folder / f"{split}_{name}.png"
        job(path)
        figures.append((f"{caption} ({split})", path))
    return figures


def plot_class_ap(path: Path, scores: Mapping[str, Any]) -> None:
    """Forest plot of mAP50 and of AP50 by class; classes without an object are left out."""
    rows = [ForestRow("mean (mAP50)", Interval(**scores["map50"]))]
    rows += [
        ForestRow(f"{name} ({scores['objects'][name]})", Interval(**found))
        for name, found in scores["ap50"].items()
        if scores["objects"][name]
    ]
    plot_forest(path, [row for row in rows if np.isfinite(row.measured.value)], label="AP50 (objects)")


def plot_precision_recall(path: Path, predictions: BoxPredictions, model: str, *, split: str) -> None:
    """Precision against recall at IoU 0.5, one line per class, at most ten classes."""
    with figure(path, 480) as drawn:
        axes = drawn.subplots()
        for index, (name, line) in enumerate(_curves(predictions, model, split).items()):
            axes.plot([0, *line.recall], [1, *line.precision], label=name, **_look(index))
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        _legend(axes)


def plot_rate(
    path: Path,
    *,
    predictions: BoxPredictions,
    model: str,
    rate: str,
    split: str,
    thresholds: Mapping[str, float],
) -> None:
    """A rate against the confidence threshold at IoU 0.5, one line per class, at most ten, and their mean.

    rate: one of `RATES`.
    """
    grid = np.linspace(0, 1, 501)
    with figure(path, 480) as drawn:
        axes = drawn.subplots()
        lines = []
        for index, (name, line) in enumerate(_curves(predictions, model, split).items()):
            values = _rate_at(line, rate, grid)
            lines.append(values)
            axes.plot(grid, values, label=name, **_look(index))
            at = thresholds[name]
            axes.plot(at, _rate_at(line, rate, np.array([at])), marker="o", color=_look(index)["color"])
        if len(lines) > 1:
            axes.plot(grid, np.mean(lines, axis=0), color="black", linewidth=2.5, label="mean of these")
        axes.set(xlabel="confidence threshold", ylabel=RATES[rate], xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        _legend(axes)


def plot_training(path: Path, history: pd.DataFrame) -> None:
    """Losses on both splits, mAP, precision and recall on the validation images, and the learning rate, by epoch.

    history: one row per epoch; columns ending in _loss (val_… on the validation images), map50, map50_95, precision,
    recall, lr.
    """
    epochs = np.arange(1, len(history) + 1)
    named = {"map50": "mAP50", "map50_95": "mAP50-95", "precision": "precision", "recall": "recall"}
    with figure(path, 760) as drawn:
        (losses, maps), (rates, speed) = drawn.subplots(2, 2)
        learnt = [
            name for name in map(str, history) if name.endswith("_loss") and not name.startswith("val_")
        ]
        for index, name in enumerate(learnt):
            look = _look(index)
            losses.plot(epochs, history[name], label=name.removesuffix("_loss"), **look)
            if (held_out := f"val_{name}") in history:
                look |= {"linestyle": "--"}
                losses.plot(epochs, history[held_out], label=f"{name.removesuffix('_loss')}, val", **look)
        losses.set(xlabel="epoch", ylabel="loss")
        for axes, pair in ((maps, ("map50", "map50_95")), (rates, ("precision", "recall"))):
            for index, name in enumerate(pair):
                axes.plot(epochs, history[name], label=named[name], **_look(index))
            axes.set(xlabel="epoch", ylabel="on the val images", ylim=(-0.01, 1.01))
        speed.plot(epochs, history["lr"], **_look(0))
        speed.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        for axes in (losses, maps, rates):
            axes.legend(fontsize=10)


def plot_box_confusion(
    path: Path, matrix: Sequence[Sequence[int]], classes: Sequence[str], *, normalized: bool = False
) -> None:
    """Counts, or with `normalized` shares of the row, coloured by these. matrix: `outcomes.confusion`, (K + 1, K + 1)."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names, size = [*classes, "background"], len(counts)
    crowded = size > 12
    with figure(path, min(900, 330 + 45 * size)) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            if (crowded and not counts[row, column]) or row == column == size - 1:
                continue
            axes.text(
                column,
                row,
                f"{shares[row, column]:.2f}" if normalized else str(counts[row, column]),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
                fontsize=6 if crowded else 12,
            )
        axes.set(xlabel="found", ylabel="annotated", xticks=range(size), yticks=range(size))
        small = 6 if crowded else 10
        axes.set_xticklabels(["nothing" if name == "background" else name for name in names], fontsize=small)
        axes.set_yticklabels(["nothing" if name == "background" else name for name in names], fontsize=small)
        axes.tick_params(axis="x", rotation=90 if crowded else 20)
        axes.grid(visible=False)
        drawn.colorbar(image, ax=axes, label="share of the row", shrink=0.8)


def _curves(predictions: BoxPredictions, model: str, split: str) -> dict[str, Curve]:
    """Curves of the classes with most objects, in the order of the classes."""
    images = predictions.split(split)["image"].tolist()
    matches = match(predictions.of(model), predictions.truth, images, predictions.classes)
    objects = pd.Series(matches.objects.sum(axis=0))
    chosen = objects[objects > 0].nlargest(MOST_CURVES).index
    return {predictions.classes[index]: curve(matches, index) for index in sorted(chosen)}


def _rate_at(line: Curve, rate: str, thresholds: np.ndarray) -> np.ndarray:
    """The rate if boxes from each threshold on were shown; above the surest box 0, and no precision."""
    shown = np.searchsorted(-line.confidence, -thresholds, side="right")
    return np.concatenate([[np.nan if rate == "precision" else 0.0], getattr(line, rate)])[shown]


def _look(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index // len(COLOURS) % len(STYLES)]}


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=10)
    else:
        axes.text(0.5, 0.5, "no object to score", ha="center", color=GREY)
