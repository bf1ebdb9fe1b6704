"""Pictures of stored predictions and training histories: PNG, 800 pixels wide, colour-blind safe."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from assay.evaluation.calibration import sharpen
from assay.evaluation.classification import decide
from assay.evaluation.intervals import Interval, wilson
from assay.evaluation.metrics import ECE_BINS, calibration_bin
from assay.evaluation.predictions import Predictions
from assay.files import atomic_write

# Okabe & Ito 2008, made to be told apart with any colour vision; also told apart by line style here
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
GREY = "#666666"
_STYLE: Any = {  # rc_context wants a type of its 300 literal keys
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@contextmanager
def figure(path: Path, height: int) -> Iterator[Figure]:
    """Yield an empty figure of 800 x `height` pixels that is saved to `path` when the block ends well."""
    with rc_context(_STYLE):
        drawn = Figure(figsize=(8, height / 100), dpi=100, layout="constrained")
        yield drawn
        with atomic_write(path) as temporary:
            # no version inside: same numbers, same bytes
            drawn.savefig(temporary, metadata={"Software": None})


def plot_confusion(path: Path, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    """Counts, coloured by their share of the true class. matrix: rows truth, columns decided."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with figure(path, 560) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            axes.text(
                column,
                row,
                f"{counts[row, column]}\n{100 * shares[row, column]:.1f} %",
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
                fontsize=14,
            )
        axes.set(xlabel="predicted", ylabel="true", xticks=range(len(classes)), yticks=range(len(classes)))
        axes.set_xticklabels(classes)
        axes.set_yticklabels(classes, rotation=90, va="center")
        axes.grid(visible=False)
        drawn.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)


def plot_ranking(path: Path, predictions: Predictions, models: Sequence[str], classes: Sequence[str]) -> None:
    """ROC and precision-recall curves of the last class (the positive one) for each model.

    A model is left out where the curves are undefined: no image of the class, or no other image.
    """
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    with figure(path, 430 + 20 * len(models)) as drawn:
        roc, pr = drawn.subplots(1, 2)
        for index, model in enumerate(models):
            answer = decide(predictions.of(model), classes)
            truth, scores = answer.truth == len(classes) - 1, answer.scores[:, -1]
            if truth.all() or not truth.any():
                continue
            look = {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index % len(STYLES)]}
            false_positives, true_positives, _ = roc_curve(truth, scores)
            precision, recall, _ = precision_recall_curve(truth, scores)
            areas = auc(false_positives, true_positives), average_precision_score(truth, scores)
            roc.plot(
                false_positives,
                true_positives,
                label=f"{model}: {areas[0]:.3f} under ROC, {areas[1]:.3f} average precision",
                **look,
            )
            pr.plot(recall, precision, drawstyle="steps-post", **look)
        roc.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
        roc.set(xlabel="false positive rate", ylabel=f"recall of {classes[-1]}", title="ROC")
        pr.set(xlabel=f"recall of {classes[-1]}", ylabel="precision", title="Precision-recall")
        for axes in (roc, pr):
            axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        handles, labels = roc.get_legend_handles_labels()
        if handles:  # below: the names of a sweep's jobs are long
            drawn.legend(handles, labels, loc="outside lower center", fontsize=10)


def plot_reliability(
    path: Path, rows: pd.DataFrame, classes: Sequence[str], *, temperature: float | None = None
) -> None:
    """Accuracy against confidence in 15 bins with Wilson intervals, and how many images each bin holds.

    temperature: its probabilities are drawn beside those as trained.
    """
    answer = decide(rows, classes)
    series = [("as trained", answer.scores.max(axis=1), COLOURS[0], "o")]
    if temperature is not None:
        scaled = sharpen(answer.scores, temperature).max(axis=1)
        series.append((f"after temperature {temperature:.2f}", scaled, COLOURS[1], "s"))
    with figure(path, 620) as drawn:
        top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for said, confidence, colour, marker in series:
            bins = calibration_bin(confidence)
            for index in np.unique(bins):
                inside = bins == index
                found = wilson(int(answer.correct[inside].sum()), int(inside.sum()))
                label = said if index == bins.max() else None
                at = (float(confidence[inside].mean()), found.value)
                _point(top, at, y=found, colour=colour, marker=marker, label=label)
            edges = np.linspace(0, 1, ECE_BINS + 1)
            bottom.hist(confidence, bins=edges, color=colour, histtype="step", linewidth=1.5)
        lowest = 1 / len(classes)  # the most probable class cannot have less
        top.plot([lowest, 1], [lowest, 1], color=GREY, linewidth=1, linestyle=":", label="calibrated")
        top.set(ylabel="accuracy", ylim=(-0.02, 1.02))
        top.legend(loc="upper left")
        bottom.set(xlabel="confidence (probability of the predicted class)", ylabel="images")
        bottom.set_xlim(lowest - 0.02, 1.02)


def plot_history(path: Path, history: pd.DataFrame) -> None:
    """Loss and accuracy by epoch; the kept epochs (the first of the highest accuracy) are marked.

    history: history.csv, columns epoch and any of loss and accuracy of train/, val/ (the images reported) and select/
    (kept back from training). The epoch kept is the best on select/ and, as published, on val/.
    """
    kept = {
        said: history["epoch"].iloc[int(history[f"{part}/accuracy"].argmax())]
        for said, part in (("clean", "select"), ("as published", "val"))
        if len(history) and f"{part}/accuracy" in history
    }
    with figure(path, 430) as drawn:
        for axes, name in zip(drawn.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for index, part in enumerate(("train", "val", "select")):
                if f"{part}/{name}" in history:
                    axes.plot(
                        history["epoch"],
                        history[f"{part}/{name}"],
                        label=part,
                        color=COLOURS[index],
                        linestyle=STYLES[index],
                        marker="o",
                        markersize=4,
                    )
            axes.set(xlabel="epoch", title=name.capitalize())
            axes.xaxis.get_major_locator().set_params(integer=True)
            for (said, epoch), style in zip(kept.items(), (":", "--"), strict=False):
                axes.axvline(epoch, color=GREY, linewidth=1.5, linestyle=style, label=f"{said}: {epoch:.0f}")
        if len(history):
            handles, labels = drawn.axes[1].get_legend_handles_labels()
            drawn.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=10)


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot. published: the reported value; comparable: whether the measured one may be held to it.

    as_published: the measured value of the selection that the reported one belongs to, where there are two.
    """

    name: str
    measured: Interval
    published: float | None = None
    as_published: Interval | None = None
    comparable: bool = True


def plot_forest(
    path: Path, rows: Sequence[ForestRow], *, label: str, points: str = "measured, 95 % interval"
) -> None:
    """Values with their intervals, published ones as hollow diamonds, grey where they are not comparable.

    label: of the x axis. points: what the values with an interval are.
    """
    with figure(path, 130 + 42 * max(len(rows), 1)) as drawn:
        axes = drawn.subplots()
        for place, row in enumerate(rows):
            said = points if row.as_published is None else "clean, 95 % interval"
            _point(axes, (row.measured.value, place), x=row.measured, label=said)
            if row.as_published is not None:
                _point(
                    axes,
                    (row.as_published.value, place + 0.22),
                    x=row.as_published,
                    colour=COLOURS[2],
                    marker="s",
                    label="as published, 95 % interval",
                )
            if row.published is not None:
                axes.plot(
                    row.published,
                    place if row.as_published is None else place + 0.22,
                    marker="D",
                    markersize=9,
                    markerfacecolor="none",
                    markeredgecolor=COLOURS[1] if row.comparable else GREY,
                    linestyle="none",
                    label="published" if row.comparable else "published, not comparable",
                )
        axes.set(xlabel=label, yticks=range(len(rows)), ylim=(max(len(rows), 1) - 0.5, -0.5))
        axes.set_yticklabels([_wrapped(row.name) for row in rows])
        axes.grid(visible=False, axis="y")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one entry per label
        drawn.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3, fontsize=10)


def _wrapped(name: str) -> str:
    """A long name, such as a job's with all its changes, on two lines at most: the axes need the width."""
    return name if "\n" in name else "\n".join(textwrap.wrap(name, 36, max_lines=2, placeholder=" …"))


def _point(
    axes: Axes,
    at: tuple[float, float],
    *,
    x: Interval | None = None,
    y: Interval | None = None,
    label: str | None = None,
    colour: str = COLOURS[0],
    marker: str = "o",
) -> None:
    xerr, yerr = (
        None if found is None else [[found.value - found.low], [found.high - found.value]] for found in (x, y)
    )
    axes.errorbar(
        *at, xerr=xerr, yerr=yerr, color=colour, marker=marker, capsize=4, linestyle="none", label=label
    )
