"""Where an object lies in its photo, as numbers: the document's nine, the authors' nine, and theirs from given boxes."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.conditions_table import FEATURES as RELATIONAL

Spatial = Literal["none", "geometric", "relational", "recomputed", "both", "both_recomputed"]

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
RECOMPUTED = tuple(f"recomputed_{name}" for name in RELATIONAL)  # the same nine, from boxes that are known
MISSED = 0.5  # the detector confidence of conditions.csv where the authors' detector had not found the object
SAME = 1e-5  # two values of a feature differ beyond this; boxes in conditions.csv have six decimals
_NEAR = 0.2  # in shares, over sqrt(2): a slope drain is near (document 001's code)
_NO_DRAIN = 1.0  # the distance where the photo has no slope drain
_WIDEST = (
    10.0  # boxes cut off by the photo's edge are up to 600 times as wide as high: no more than 10 counts
)


def feature_names(spatial: Spatial) -> list[str]:
    """The manifest's columns that a choice of spatial features reads, in the model's order."""
    chosen = {
        "none": (),
        "geometric": GEOMETRIC,
        "relational": RELATIONAL,
        "recomputed": RECOMPUTED,
        "both": (*GEOMETRIC, *RELATIONAL),
        "both_recomputed": (*GEOMETRIC, *RECOMPUTED),
    }
    return list(chosen[spatial])


def spatial_of(manifest: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """(N, len(names)) of the named columns."""
    return np.array(manifest[list(names)], np.float32).reshape(len(manifest), len(names))


def geometric(
    boxes: NDArray[np.float64], photos: Sequence[str], sizes: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """The document's nine features of N boxes.

    The document names them without formulas. Here places and sizes are shares of the photo's sides. The distance to the
    centre is taken between those shares, over sqrt(2), so that a corner is 0.5 away whatever the photo's shape; aspect
    ratio is width over height in pixels, at most 10; relative position is the share of the same photo's other boxes whose
    centre lies above, 0.5 where there is no other.

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


def relational(
    boxes: NDArray[np.float64],
    object_types: Sequence[str],
    photos: Sequence[str],
    confidence: NDArray[np.float64],
    listed: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """The authors' nine features of N boxes, in their order, computed from the boxes given.

    Found out from conditions.csv: distances between centres are taken in shares of the photo's sides, over sqrt(2), 1
    without a slope drain; above and below compare centres; an overlap is the highest IoU with a listed box of the type,
    and a listed box overlaps itself (1). `listed` are the boxes that others are compared with: the detector's. Of the
    rows of conditions.csv those it missed (confidence `MISSED`) were not among them.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 as shares of the photo.
        object_types: N names of what the boxes hold.
        photos: N names; boxes of one photo share one.
        confidence: (N,) the detector's, 0-1; handed through.
        listed: (N,) whether other boxes are compared with this one.
    """
    x1, y1, x2, y2 = boxes.T
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    kind, photo = np.asarray(object_types, object), np.asarray(photos, object)
    distance = np.full(len(x), _NO_DRAIN)
    above, below = np.zeros(len(x)), np.zeros(len(x))
    overlaps = {name: np.zeros(len(x)) for name in ("rock_toe", "vegetation")}
    for rows in pd.Series(range(len(x))).groupby(photo, sort=False).indices.values():
        there = {name: rows[(kind[rows] == name) & listed[rows]] for name in set(kind[rows])}
        if len(drains := there.get("slope_drain", rows[:0])):
            apart = np.hypot(x[rows][:, None] - x[drains], y[rows][:, None] - y[drains]) / np.sqrt(2)
            distance[rows] = apart.min(axis=1)
            below[rows] = (y[rows][:, None] > y[drains]).any(axis=1)
        if len(toes := there.get("toe_drain", rows[:0])):
            above[rows] = (y[rows][:, None] < y[toes]).any(axis=1)
        for name, highest in overlaps.items():
            if len(others := there.get(name, rows[:0])):
                highest[rows] = _iou(boxes[rows], boxes[others]).max(axis=1)
    return {
        "y_center": y,
        "area_ratio": (x2 - x1) * (y2 - y1),
        "detector_confidence": np.asarray(confidence, np.float64),
        "distance_to_slope_drain": distance,
        "near_slope_drain": (distance < _NEAR).astype(np.float64),
        "above_toe_drain": above,
        "overlap_rock_toe": overlaps["rock_toe"],
        "overlap_vegetation": overlaps["vegetation"],
        "below_slope_drain": below,
    }


def differences(manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Per relational feature: how many of the table's values differ from the recomputed ones, and to which side.

    Keys of a row: feature, rows, differ, share, lower and higher (recomputed below or above the table's), largest.
    """
    found = []
    for name, own in zip(RELATIONAL, RECOMPUTED, strict=True):
        apart = (manifest[own] - manifest[name]).to_numpy(np.float64)
        lower, higher = int((apart < -SAME).sum()), int((apart > SAME).sum())
        found.append(
            {
                "feature": name,
                "rows": len(apart),
                "differ": lower + higher,
                "share": (lower + higher) / max(len(apart), 1),
                "lower": lower,
                "higher": higher,
                "largest": float(np.abs(apart).max(initial=0.0)),
            }
        )
    return found


def missed(table: pd.DataFrame) -> NDArray[np.bool_]:
    """(N,) whether the authors' detector missed the object: its confidence is exactly `MISSED`, a default."""
    return np.asarray(table["detector_confidence"], np.float64) == MISSED


def _iou(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, M) intersection over union."""
    from supervision import box_iou_batch

    return np.asarray(box_iou_batch(boxes, others), np.float64)
