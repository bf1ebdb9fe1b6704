"""The page in a photo of it: found by its outline, cut out, and made flat."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from assay.data.images import Pixels

_LOOK_AT = 800  # px: the outline is looked for in a picture with this longer side
_LEAST = 0.2  # of the photo; a smaller outline is something on the page
_MOST = 0.97  # of the photo; a larger one is the photo's own edge
_AT_EDGE = 2  # corners; with more it is a part of a scan, not a page on something
_SIDES = (0.3, 1 / 0.3)  # of a page's proportions, after flattening


@dataclass(frozen=True)
class Flat:
    """A page cut out of a photo.

    picture: uint8 (H, W, 3). corners: (4, 2) px of the photo: upper left, upper right, lower right, lower left as the
    photo shows them. to_page: (3, 3), photo px -> px of `picture`, as cv2.perspectiveTransform takes it.
    """

    picture: Pixels
    corners: NDArray[np.float64]
    to_page: NDArray[np.float64]


def flatten(photo: Pixels) -> Flat | None:
    """Find the page in uint8 (H, W, 3) RGB and undo its perspective; None where no page's outline shows.

    The outline is the largest convex shape of four corners among the contours of edges, and of light areas where edges
    are broken; it is lighter inside than outside, and at most two corners lie on the photo's edge. A page that is turned
    by more than 45° comes out lying on its side.
    """
    scale = min(_LOOK_AT / max(photo.shape[:2]), 1.0)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    level, light = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    edges = cv2.dilate(cv2.Canny(grey, level / 2, level), np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    for mask in (edges, closed):
        corners = _outline(np.asarray(mask, np.uint8))
        if corners is not None and _lighter(np.asarray(grey, np.uint8), corners):
            flat = _cut(photo, corners / scale)
            if flat is not None:
                return flat
    return None


def _outline(mask: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    area = mask.shape[0] * mask.shape[1]
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:5]:
        hull = cv2.convexHull(contour)
        shape = cv2.approxPolyDP(hull, 0.02 * cv2.arcLength(hull, True), True)
        if len(shape) == 4 and _LEAST * area <= cv2.contourArea(shape) <= _MOST * area:
            corners = shape.reshape(4, 2).astype(np.float64)
            if _at_edge(corners, mask.shape[1], mask.shape[0]) <= _AT_EDGE:
                return _in_order(corners)
    return None


def _lighter(grey: NDArray[np.uint8], corners: NDArray[np.float64]) -> bool:
    """Whether it is lighter just inside the outline than just outside: paper is, a code printed on paper is not."""
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
    wide = np.ones((2 * (max(grey.shape) // 50) + 1,) * 2, np.uint8)
    within = (inside == 1) & (cv2.erode(inside, wide) == 0)
    without = (inside == 0) & (cv2.dilate(inside, wide) == 1)
    return bool(without.any() and np.median(grey[within]) > np.median(grey[without]))


def _at_edge(corners: NDArray[np.float64], width: int, height: int) -> int:
    """How many corners lie on the photo's edge: a hundredth of its sides wide."""
    shares = corners / (width - 1, height - 1)
    return int(((shares < 0.01) | (shares > 0.99)).any(axis=1).sum())


def _in_order(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clockwise from the upper left one: around the middle, and the one with the smallest x + y first."""
    around = corners - corners.mean(axis=0)
    clockwise = corners[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return np.roll(clockwise, -int(clockwise.sum(axis=1).argmin()), axis=0)


def _cut(photo: Pixels, corners: NDArray[np.float64]) -> Flat | None:
    upper_left, upper_right, lower_right, lower_left = corners
    width = round(max(np.linalg.norm(upper_right - upper_left), np.linalg.norm(lower_right - lower_left)))
    height = round(max(np.linalg.norm(lower_left - upper_left), np.linalg.norm(lower_right - upper_right)))
    if min(width, height) < 32 or not _SIDES[0] <= width / height <= _SIDES[1]:
        return None
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    to_page = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    picture = cv2.warpPerspective(
        photo, to_page, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return Flat(np.asarray(picture, np.uint8), corners, np.asarray(to_page, np.float64))
