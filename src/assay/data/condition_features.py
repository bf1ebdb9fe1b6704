"""Where an object lies in its photo, as numbers: the document's nine and the authors' nine."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.conditions_table import FEATURES as RELATIONAL

Spatial = Literal["none", "geometric", "relational", "both"]

# Document 001, lines 229-238, in its order; centres, sizes and distances are shares of the photo.
GEOMETRIC = (
    "y",
    "x",
    "width",
    "height",
    "area",
    "aspect_ratio",
    "distance_to_centre",
    "distance_to_bottom",
    "relative_position",
)
_WIDEST = (
    10.0  # boxes cut off by the photo's edge are up to 600 times as wide as high: no more than 10 counts
)


def feature_names(spatial: Spatial) -> list[str]:
    """The manifest's columns that a choice of spatial features reads, in the model's order."""
    chosen = {
        "none": (),
        "geometric": GEOMETRIC,
        "relational": RELATIONAL,
        "both": (*GEOMETRIC, *RELATIONAL),
    }
    return list(chosen[spatial])


def spatial_of(manifest: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """(N, len(names)) of the named columns."""
    return np.array(manifest[list(names)], np.float32).reshape(len(manifest), len(names))


def geometric(
    boxes: NDArray[np.float64], photos: Sequence[str], sizes: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The document's nine features of N boxes.

    The document names them without formulas. Here distances are Euclidean between centres, over the photo's
    diagonal; aspect ratio is width over height in pixels, at most 10; relative position is the share of the same
    photo's other boxes whose centre lies above, 0.5 where there is no other.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 as shares of the photo.
        photos: N names; boxes of one photo share one.
        sizes: (N, 2) width and height of the photo, px.
    """
    x1, y1, x2, y2 = boxes.T
    x, y, width, height = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    photo = pd.Series(list(photos), dtype=object)
    frame = pd.DataFrame({"photo": photo, "y": y})
    others = frame.groupby("photo")["y"].transform("size").to_numpy() - 1
    above = frame.groupby("photo")["y"].rank(method="min").to_numpy() - 1
    return {
        "y": y,
        "x": x,
        "width": width,
        "height": height,
        "area": width * height,
        "aspect_ratio": np.minimum(width * sizes[:, 0] / (height * sizes[:, 1]), _WIDEST),
        "distance_to_centre": np.hypot(x - 0.5, y - 0.5) / np.sqrt(2),
        "distance_to_bottom": 1 - y2,
        "relative_position": np.divide(above, others, out=np.full(len(y), 0.5), where=others > 0),
    }
