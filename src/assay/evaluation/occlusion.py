"""Where a classifier looks: how much its answer loses when a part of the image is covered. Works for every network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from assay.evaluation.plots import COLOURS, figure

CELLS = 8  # the map is CELLS x CELLS
_WINDOW = 2  # a window covers 2 x 2 cells and moves by one
PASSES = 1 + (CELLS - _WINDOW + 1) ** 2  # images the network sees for one map: 50
Predict = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""(N, S, S, 3) RGB uint8 -> (N, classes) probabilities."""


def occlusion_map(predict: Predict, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(CELLS, CELLS) drop of the most probable class' probability with the cell covered, -1 to 1.

    image: (S, S, 3) RGB uint8. A window in the image's mean colour moves over it; a cell's value is the mean over the
    windows that cover it. Above 0 the cell speaks for the answer, below 0 against it. Zeiler & Fergus 2014,
    arXiv 1311.2901, section 4.2 (there a grey square).
    """
    edges = np.linspace(0, len(image), CELLS + 1).round().astype(int)
    places = list(np.ndindex(CELLS - _WINDOW + 1, CELLS - _WINDOW + 1))
    shown = np.repeat(image[None], PASSES, axis=0)
    for covered, (row, column) in zip(shown[1:], places, strict=True):
        covered[edges[row] : edges[row + _WINDOW], edges[column] : edges[column + _WINDOW]] = image.mean(
            axis=(0, 1)
        )
    found = predict(shown)
    drops = (found[0] - found[1:])[:, int(found[0].argmax())]
    total, times = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for drop, (row, column) in zip(drops, places, strict=True):
        total[row : row + _WINDOW, column : column + _WINDOW] += drop
        times[row : row + _WINDOW, column : column + _WINDOW] += 1
    return total / times


def chosen(mistakes: pd.DataFrame, samples: pd.DataFrame, *, count: int = 4) -> pd.DataFrame:
    """The `count` worst mistakes and as many right ones, rows as `gallery.worst_mistakes` gives them."""
    return pd.concat([mistakes.head(count), samples[samples["correct"]].head(count)], ignore_index=True)


def draw_occlusion(path: Path, judged: pd.DataFrame, images: NDArray[np.uint8], predict: Predict) -> None:
    """Each image beside its map; mistakes have an orange frame. Costs `PASSES` passes of the network an image.

    judged: rows of `chosen`, at most 8. images: theirs, (N, S, S, 3) as the network sees them.
    """
    maps = [occlusion_map(predict, image) for image in images]
    lines = -(-len(maps) // 2)
    with figure(path, 215 * lines or 120) as drawn:
        if not maps:
            drawn.text(0.5, 0.5, "none", ha="center", va="center", fontsize=14)
            return
        bound = max(0.05, *(float(np.abs(one).max()) for one in maps))
        colours = ScalarMappable(Normalize(-bound, bound), colormaps["RdBu_r"])
        cells = drawn.subplots(lines, 4, squeeze=False).flat
        for axes in cells:
            axes.set_axis_off()
        for place, (row, image, drops) in enumerate(zip(judged.itertuples(), images, maps, strict=True)):
            plain, overlaid = cells[2 * place], cells[2 * place + 1]
            extent = (-0.5, len(image) - 0.5, len(image) - 0.5, -0.5)
            plain.imshow(image)
            plain.set_title(f"{row.label}\n→ {row.decided} {row.confidence:.2f}", fontsize=9, loc="left")
            grey = image.mean(axis=2)
            overlaid.imshow(grey, cmap="gray", vmin=0, vmax=255)
            overlaid.imshow(
                drops, cmap=colours.cmap, norm=colours.norm, alpha=np.abs(drops) / bound, extent=extent
            )
            for axes in (plain, overlaid):
                axes.set_axis_on()
                axes.set(xticks=[], yticks=[])
                axes.grid(visible=False)
                for spine in axes.spines.values():
                    spine.set(visible=True, linewidth=3, color=COLOURS[0] if row.correct else COLOURS[1])
        drawn.colorbar(colours, ax=drawn.axes, shrink=0.6, label="probability lost when covered")
