"""The four kinds of object on a slope, each normal, blocked or damaged, drawn over a canvas in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Polygon = NDArray[np.float64]
Stretch = tuple[int, int]  # first and last pixel column of the strip to draw in
_STEP = 24  # pixels between a band's outline points
_DEBRIS = ((112, 92, 66), (88, 74, 54), (140, 122, 92))


@dataclass(frozen=True)
class Canvas:
    """A slope being drawn."""

    image: NDArray[np.uint8]  # RGB (height, width, 3), drawn on in place
    crest: NDArray[np.float32]  # (width,) row of the slope's upper edge
    foot: NDArray[np.float32]  # (width,) row of its lower edge
    ground: Colour
    plant: Colour
    stone: Colour
    noise: Mapping[str, NDArray[np.float32]]  # fine, medium, coarse (deviation 1), stones (0 to 1)


def rock_toe(rng: np.random.Generator, canvas: Canvas, stretch: Stretch, condition: str) -> list[Polygon]:
    """Bands of stones along the foot; damaged ones have slid and show soil and weeds. Returns polygons (N, 2)."""
    spans = _spans(rng, stretch, whole=0.45)
    height = rng.uniform(20, 54)
    light = rng.uniform(0.85, 1.25)
    tint = np.array(canvas.stone, np.float32) * light + rng.normal(0, 6, 3).astype(np.float32)
    polygons = []
    for left, right in spans:
        x, outline = _band(canvas, left, right)
        lower = canvas.foot[x] + 2
        upper = lower - height * (1 + 0.12 * np.sin(x / 37 + rng.uniform(0, 6)))
        part, rows = _rows(canvas, upper.min() - 6, lower.max() + 6, left, right)
        rough = 3.0 * canvas.noise["medium"][part]
        ends = np.minimum(x - left, right - x) * 3.0  # a band thins out, it is not cut off
        shrink = np.clip(0.6 * height - ends, 0, None) + 5.0 * np.abs(canvas.noise["medium"][part]) * (
            ends < 36
        )
        mask = (rows > upper + rough + shrink) & (rows < lower + rough - 0.3 * shrink)
        if condition == "damaged":
            lie = canvas.noise["coarse"][part] + 0.5 * canvas.noise["medium"][part]
            mask &= lie < np.quantile(lie, rng.uniform(0.5, 0.75))
        planes = [cv2.convertScaleAbs(canvas.noise["stones"][part] * channel) for channel in tint]
        canvas.image[part] = np.where(mask[..., None], cv2.merge(planes), canvas.image[part])
        if condition == "damaged":
            _slide(rng, canvas, (left, right), height, tint)
        points = np.r_[
            np.column_stack([x[outline], upper[outline]]),
            np.column_stack([x[outline], lower[outline]])[::-1],
        ]
        polygons.append(points.astype(np.float64))
    return polygons


def _slide(
    rng: np.random.Generator, canvas: Canvas, span: Stretch, height: float, tint: NDArray[np.float32]
) -> None:
    """Stones that have rolled off, soil stains and weeds where they lay."""
    left, right = span
    for _ in range(max(2, (right - left) // 45)):
        x = rng.uniform(left, right)
        y = canvas.foot[min(int(x), len(canvas.foot) - 1)]
        clump(rng, canvas, (x, y - rng.uniform(0.1, 0.9) * height), (rng.uniform(5, 14), rng.uniform(3, 8)))
        for dx, dy in rng.normal(0, (14, 4), (5, 2)):
            shade = tuple(float(c) for c in np.clip(tint * rng.uniform(0.7, 1.05), 0, 255))
            cv2.circle(
                canvas.image, (int(x + dx), int(y + 6 + abs(dy) * 2)), int(rng.integers(1, 4)), shade, -1
            )


def toe_drain(rng: np.random.Generator, canvas: Canvas, stretch: Stretch, condition: str) -> list[Polygon]:
    """Lined ditches along the foot; blocked ones are silted and overgrown, damaged ones broken. As `rock_toe`."""
    polygons = []
    thick = int(rng.integers(8, 15))
    below = rng.uniform(4, 13)
    lining = _grey(rng, 176, 214)
    water = [(46, 42, 38), (150, 98, 48), (92, 84, 70), (70, 78, 76)][rng.integers(4)]
    for left, right in _spans(rng, stretch, whole=0.5)[:1]:
        x, outline = _band(canvas, left, right)
        middle = canvas.foot[x] + below
        pieces = max(2, (right - left) // 38) if condition == "damaged" else 1
        bounds = np.linspace(0, len(x) - 1, pieces + 1).astype(int)
        for first, last in pairwise(bounds.tolist()):
            shift = rng.normal(0, 4.5) if condition == "damaged" else 0.0
            if condition == "damaged" and rng.random() < 0.25:
                continue  # a piece is gone
            gap = 3 if condition == "damaged" else 0
            line = np.column_stack([x, middle + shift])[first : last + 1 - gap : 4].astype(np.int32)
            cv2.polylines(canvas.image, [line], False, lining, thick)
            cv2.polylines(canvas.image, [line], False, water, max(thick // 2, 3))
            if condition == "damaged":
                _cracks(rng, canvas, line[len(line) // 2], thick)
        if condition == "blocked":
            for share in rng.uniform(0.05, 0.95, max(3, (right - left) // 26)):
                at = int(share * (len(x) - 1))
                centre = (float(x[at]), float(middle[at] + rng.normal(0, 2)))
                radii = (rng.uniform(9, 24), rng.uniform(0.5, 0.9) * thick)
                if rng.random() < 0.5:
                    clump(rng, canvas, centre, radii)
                else:
                    _silt(rng, canvas, centre, radii)
        points = np.r_[
            np.column_stack([x[outline], middle[outline] - thick / 2]),
            np.column_stack([x[outline], middle[outline] + thick / 2])[::-1],
        ]
        polygons.append(points.astype(np.float64))
    return polygons


def slope_drain(rng: np.random.Generator, canvas: Canvas, stretch: Stretch, condition: str) -> list[Polygon]:
    """Concrete channels down the slope; all of a stretch in one condition. As `rock_toe`."""
    polygons = []
    lining = _grey(rng, 150, 232)
    darkness = rng.uniform(0.45, 0.72)
    inner = (int(lining[0] * darkness), int(lining[1] * darkness), int(lining[2] * darkness))
    width = rng.uniform(6, 13)
    lean = rng.normal(0, 22)
    x = stretch[0] + rng.uniform(20, 110)
    while x < stretch[1] - 12:
        column = min(int(x), len(canvas.foot) - 1)
        top = canvas.crest[column] + rng.uniform(0, 16)
        bottom = canvas.foot[column] + rng.uniform(-8, 8)
        middle = np.array([[x, top], [x + lean, bottom]])
        count = int(rng.integers(3, 6)) if condition == "damaged" else 1
        extent = 0.0
        for piece in range(count):
            low, high = piece / count, (piece + 1) / count - (0.05 if count > 1 else 0)
            shift = rng.normal(0, 4.0) if count > 1 else 0.0
            if count > 1 and rng.random() < 0.2:
                continue  # washed away
            extent = max(extent, abs(shift))
            ends = middle[0] + (middle[1] - middle[0]) * np.array([[low], [high]])
            turn = rng.normal(0, 2.0) if count > 1 else 0.0
            _channel(canvas, ends + np.array([[shift - turn, 0], [shift + turn, 0]]), width, lining, inner)
            if count > 1:
                _cracks(rng, canvas, ends.mean(axis=0) + np.array([shift, 0]), int(width) + 4)
        if condition == "blocked":
            for share in rng.uniform(0.05, 0.95, rng.integers(4, 8)):
                at = middle[0] + share * (middle[1] - middle[0])
                radii = (rng.uniform(0.6, 1.1) * width, rng.uniform(7, 18))
                (clump if rng.random() < 0.6 else _silt)(rng, canvas, (at[0], at[1]), radii)
        half = width / 2 + extent
        offset = np.array([half, 0.0])
        polygons.append(
            np.array([middle[0] - offset, middle[0] + offset, middle[1] + offset, middle[1] - offset])
        )
        x += rng.uniform(90, 240)
    return polygons


def plants(rng: np.random.Generator, canvas: Canvas, stretch: Stretch, condition: str) -> list[Polygon]:
    """Bushes and hedges large enough to hide what is under them. As `rock_toe`."""
    polygons = []
    for _ in range(int(rng.integers(1, 4))):
        radii = (rng.uniform(18, 64), rng.uniform(14, 34))
        x = rng.uniform(stretch[0] + 10, max(stretch[1] - 10, stretch[0] + 11))
        column = min(int(x), len(canvas.foot) - 1)
        y = rng.uniform(canvas.crest[column] + 20, canvas.foot[column] + 6)
        polygons.append(clump(rng, canvas, (x, y), radii, shadow=True))
    return polygons


def clump(
    rng: np.random.Generator,
    canvas: Canvas,
    centre: tuple[float, float],
    radii: tuple[float, float],
    shadow: bool = False,
) -> Polygon:
    """Leaves in an ellipse, dark below and light on top; returns the outline of what was drawn, (N, 2)."""
    count = int(np.clip(radii[0] * radii[1] / 3.5, 8, 300))
    lobes = rng.uniform(-0.62, 0.62, (int(rng.integers(3, 6)), 2)) if shadow else np.zeros((1, 2))
    size_of_lobe = 0.55 if shadow else 1.0
    lobe = rng.integers(len(lobes), size=count)
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = size_of_lobe * np.sqrt(rng.uniform(0, 1, count))
    u, v = lobes[lobe].T + reach * np.array([np.cos(angle), np.sin(angle)])
    xs, ys = centre[0] + radii[0] * u, centre[1] + radii[1] * v
    sizes = rng.uniform(1.0, max(2.2, 0.15 * min(radii)), count)
    order = np.argsort(-sizes)  # small bright leaves lie on top
    xs, ys, sizes, v = xs[order], ys[order], sizes[order], v[order]
    lightness = rng.normal(1.0, 0.17, count) - 0.2 * v + 0.35 * np.linspace(-0.5, 0.5, count)
    tone = rng.normal(1, 0.06, 3)
    if shadow:
        dark = tuple(0.5 * channel for channel in canvas.plant)
        for x, y, size in zip(xs.tolist(), ys.tolist(), sizes.tolist(), strict=True):
            cv2.circle(canvas.image, (int(x + 3), int(y + 4)), int(size), dark, -1)
    colours = np.clip(np.array(canvas.plant) * tone * lightness[:, None], 0, 255)
    for x, y, size, colour in zip(xs.tolist(), ys.tolist(), sizes.tolist(), colours.tolist(), strict=True):
        cv2.circle(canvas.image, (int(x), int(y)), max(int(size), 1), colour, -1)
    leaves = np.column_stack([xs, ys]) + 1.0
    hull = cv2.convexHull(leaves.astype(np.float32))[:, 0].astype(np.float64)
    return hull + 2.0 * np.sign(hull - np.array(centre))  # a leaf has a radius


def _silt(
    rng: np.random.Generator, canvas: Canvas, centre: tuple[float, float], radii: tuple[float, float]
) -> None:
    """Soil and branches."""
    colour = _DEBRIS[rng.integers(len(_DEBRIS))]
    size = (max(int(radii[0]), 1), max(int(radii[1]), 1))
    at = (int(centre[0]), int(centre[1]))
    cv2.ellipse(canvas.image, at, size, float(rng.uniform(-12, 12)), 0, 360, colour, -1, cv2.LINE_AA)
    for dx, dy in rng.normal(0, 0.6, (6, 2)) * radii:
        end = (int(at[0] + dx + rng.normal(0, 5)), int(at[1] + dy + rng.normal(0, 4)))
        shade = tuple(0.6 * channel for channel in colour)
        cv2.line(canvas.image, (int(at[0] + dx), int(at[1] + dy)), end, shade, 1, cv2.LINE_AA)


def _channel(canvas: Canvas, ends: Polygon, width: float, lining: Colour, inner: Colour) -> None:
    """A straight lined channel with joints between its plates; ends: (2, 2), upper and lower."""
    for half, colour in ((width / 2, lining), (width / 4, inner)):
        offset = np.array([half, 0.0])
        outline = np.array([ends[0] - offset, ends[0] + offset, ends[1] + offset, ends[1] - offset])
        cv2.fillPoly(canvas.image, [np.round(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)
    length = float(np.linalg.norm(ends[1] - ends[0]))
    joint = tuple(0.72 * channel for channel in lining)
    for share in np.arange(9, length, 9) / max(length, 1):
        x, y = ends[0] + share * (ends[1] - ends[0])
        left, right = (int(x - width / 2), int(y)), (int(x + width / 2), int(y))
        cv2.line(canvas.image, left, right, joint, 1)


def _cracks(rng: np.random.Generator, canvas: Canvas, centre: NDArray[np.float64], reach: float) -> None:
    """Dark zigzags."""
    for _ in range(2):
        walk = centre + np.cumsum(rng.normal(0, reach / 4, (5, 2)), axis=0)
        cv2.polylines(canvas.image, [walk.astype(np.int32)], False, (34, 30, 28), 1, cv2.LINE_AA)


def _spans(rng: np.random.Generator, stretch: Stretch, whole: float) -> list[Stretch]:
    """Where along a stretch bands lie: all of it, or one or two pieces."""
    left, right = stretch
    if rng.random() < whole:
        return [stretch]
    cuts = np.sort(rng.uniform(left, right, 4)).astype(int).tolist()
    spans = [(cuts[0], cuts[1]), (cuts[2], cuts[3])]
    return [(a, b) for a, b in spans if b - a > 44] or [(left, (left + right) // 2)]


def _band(canvas: Canvas, left: int, right: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixel columns of a span, and the indices of those that make its outline."""
    x = np.arange(left, min(right, len(canvas.foot)))
    return x, np.unique(np.r_[np.arange(0, len(x), _STEP), len(x) - 1])


def _rows(
    canvas: Canvas, top: float, bottom: float, left: int, right: int
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """The part of the canvas between two rows and columns, and its row numbers, (rows, 1)."""
    first, last = max(int(top), 0), min(int(bottom) + 1, len(canvas.image))
    right = min(right, canvas.image.shape[1])
    return (slice(first, last), slice(left, right)), np.arange(first, last, dtype=np.float32)[:, None]


def _grey(rng: np.random.Generator, low: float, high: float) -> Colour:
    """The grey of some concrete, a little warm or cool."""
    level = rng.uniform(low, high) + rng.normal(0, 5, 3)
    red, green, blue = np.clip(level, 0, 255).astype(int).tolist()
    return red, green, blue
