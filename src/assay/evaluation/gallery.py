"""Pictures of predictions: what a person should look at before believing a number."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.evaluation.classification import decide
from assay.evaluation.plots import COLOURS, figure

COLUMNS = 5
Loader = Callable[[str], NDArray[np.uint8]]


def sample_predictions(
    rows: pd.DataFrame, classes: Sequence[str], *, count: int = 15, seed: int = 0
) -> pd.DataFrame:
    """Seeded random rows with columns decided (class name), confidence (0-1) and correct added."""
    judged = _judged(rows, classes)
    return judged.sample(min(count, len(judged)), random_state=seed)


def worst_mistakes(rows: pd.DataFrame, classes: Sequence[str], *, count: int = 15) -> pd.DataFrame:
    """The wrong rows with the highest confidence, most confident first, columns as `sample_predictions`."""
    judged = _judged(rows, classes)
    return (
        judged[~judged["correct"]].sort_values(["confidence", "image"], ascending=[False, True]).head(count)
    )


def draw_gallery(path: Path, judged: pd.DataFrame, load: Loader) -> None:
    """Images in a grid with true and predicted class; mistakes have an orange frame.

    judged: rows from the functions above; load: image name -> uint8 (H, W, 3). Nothing to show says so.
    """
    lines = -(-len(judged) // COLUMNS)
    with figure(path, 210 * lines or 120) as drawn:
        if judged.empty:
            drawn.text(0.5, 0.5, "none", ha="center", va="center", fontsize=14)
            return
        grid = drawn.subplots(lines, COLUMNS, squeeze=False).flat
        for axes, row in zip(grid, judged.itertuples(), strict=False):
            axes.imshow(load(str(row.image)))
            axes.set_title(
                f"{row.label}\n→ {row.decided} {row.confidence:.2f}", fontsize=9, color="black", loc="left"
            )
            for spine in axes.spines.values():
                spine.set(visible=True, linewidth=3, color=COLOURS[0] if row.correct else COLOURS[1])
        for axes in drawn.axes:
            axes.set(xticks=[], yticks=[])
        for axes in drawn.axes[len(judged) :]:
            axes.set_axis_off()


def _judged(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    answer = decide(rows, classes)
    return rows.assign(
        decided=np.asarray(classes, object)[answer.decided],
        confidence=answer.scores.max(axis=1),
        correct=answer.correct,
    )
