"""Pages as they may also arrive: lying on a side, at few dots per inch, faded. Pure functions of a page and its boxes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.data.images import Pixels

Boxes: TypeAlias = NDArray[np.float64]
Size: TypeAlias = tuple[int, int]  # width, height, px
_A4_INCHES = 297 / 25.4  # the longer side of the page that a scan is taken to be
_FADED = 0.35  # of the ink's darkness is left


@dataclass(frozen=True)
class Condition:
    """One way a page may arrive.

    words: for a table. draw: uint8 (H, W, 3) -> another. place: boxes (N, 4), px, and the page's size -> boxes on what
    `draw` gives, and its size.
    """

    words: str
    draw: Callable[[Pixels], Pixels]
    place: Callable[[Boxes, Size], tuple[Boxes, Size]]


def turn(picture: Pixels, *, right: bool) -> Pixels:
    """The page turned by 90 degrees, clockwise if `right`."""
    return np.ascontiguousarray(np.rot90(picture, -1 if right else 1))


def turned_boxes(boxes: Boxes, size: Size, *, right: bool) -> tuple[Boxes, Size]:
    """Where boxes are on the turned page."""
    (width, height), (x1, y1, x2, y2) = size, np.asarray(boxes, float).reshape(-1, 4).T
    sides = (height - y2, x1, height - y1, x2) if right else (y1, width - x2, y2, width - x1)
    return np.stack(sides, axis=1), (height, width)


def size_at(size: Size, dpi: int) -> Size:
    """The size of a page at `dpi` if its longer side is that of A4; never larger than it is."""
    factor = min(dpi * _A4_INCHES / max(size), 1.0)
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


def shrink(picture: Pixels, *, dpi: int) -> Pixels:
    """The page at `dpi`."""
    import cv2

    size = size_at((picture.shape[1], picture.shape[0]), dpi)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def shrunk_boxes(boxes: Boxes, size: Size, *, dpi: int) -> tuple[Boxes, Size]:
    """Where boxes are on the page at `dpi`."""
    smaller = size_at(size, dpi)
    across, down = smaller[0] / size[0], smaller[1] / size[1]
    return np.asarray(boxes, float).reshape(-1, 4) * (across, down, across, down), smaller


def fade(picture: Pixels) -> Pixels:
    """The page with a third of its ink left, as a copy of a copy."""
    return np.round(255 - (255.0 - picture) * _FADED).astype(np.uint8)


def _as_they_are(boxes: Boxes, size: Size) -> tuple[Boxes, Size]:
    return np.asarray(boxes, float).reshape(-1, 4), size


CONDITIONS: Mapping[str, Condition] = {
    "turned_right": Condition(
        "turned by 90°, clockwise", partial(turn, right=True), partial(turned_boxes, right=True)
    ),
    "turned_left": Condition(
        "turned by 90°, counterclockwise", partial(turn, right=False), partial(turned_boxes, right=False)
    ),
    "dpi_100": Condition("100 DPI", partial(shrink, dpi=100), partial(shrunk_boxes, dpi=100)),
    "dpi_75": Condition("75 DPI", partial(shrink, dpi=75), partial(shrunk_boxes, dpi=75)),
    "faded": Condition("faded", fade, _as_they_are),
}
