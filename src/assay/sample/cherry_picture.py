"""Draws one back-lit cherry on black, as the sorting line's camera crops it.

Only + - * / and square roots touch the pixels: IEEE 754 fixes their results to the last bit, while NumPy's
sin, exp and powers differ between processors. Angles are unit vectors, cos(k·angle) comes from Chebyshev's
recurrence, and soft spots are polynomials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 128  # pixels, the original's crop
_CENTRE = SIZE / 2
_OUTLINE_HARMONICS = 5

Plane = NDArray[np.float64]
Flesh = tuple[Plane, Plane]  # red and blue


@dataclass(frozen=True)
class Frame:
    """What differs between two pictures of one cherry taken a moment apart."""

    shift: tuple[int, int] = (0, 0)  # pixels right, pixels down
    light: float = 1.0  # factor on both colours
    red: float = 1.0  # factor on red alone: the lamp's colour drifts
    noise: int = 0  # seed of the sensor noise


def draw(seed: int, *, pit: float, partial: bool = False, frame: Frame = Frame()) -> NDArray[np.uint8]:
    """Draw the cherry named by `seed`.

    Args:
        seed: fixes outline, colours, flesh, lookalikes and the crop's window.
        pit: how much the pit shows, from 0 (none) to 1 (glowing red).
        partial: cut the pit by a straight edge, as when it lies behind a fold.
        frame: the moment of the picture.

    Returns:
        uint8 array (128, 128, 3), RGB; green is 0 everywhere and the background is exactly 0, as in the
        originals.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64)
    jitter = rng.uniform(-5, 5, 2)
    x = columns - (_CENTRE + jitter[0] + frame.shift[0])
    y = rows - (_CENTRE + jitter[1] + frame.shift[1])

    radius, edge = rng.uniform(17, 33), rng.uniform(0.05, 0.13)
    depth = _depth(rng, x, y, radius)
    body = _soft_step((depth + edge) / (2 * edge))
    neighbour = _Neighbour.near(rng, x, y, radius) if rng.random() < 0.10 else None
    whole = body if neighbour is None else body + neighbour.body * (1 - body)
    seen = (whole > 0.02) & _window(rng, x, y, whole > 0.02)

    # From here on only the pixels that show fruit are computed, as flat arrays: a sixth of the picture.
    x, y, depth, body, whole = (plane[seen] for plane in (x, y, depth, body, whole))
    flesh = _lookalikes(rng, x, y, radius, _flesh(rng, x, y, depth, radius))
    if pit > 0:
        flesh = _pit(rng, x, y, radius, flesh, strength=pit, partial=partial)
    red, blue = flesh
    if neighbour is not None:
        its_red, its_blue = _flesh(
            rng, x - neighbour.x, y - neighbour.y, neighbour.depth[seen], neighbour.radius
        )
        share = (whole - body) / whole
        red, blue = red * (1 - share) + its_red * share, blue * (1 - share) + its_blue * share

    sensor = np.random.default_rng(frame.noise)
    light = rng.uniform(0.75, 1.2) * frame.light
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    for channel, plane in ((0, red * frame.red), (2, blue)):
        picture[seen, channel] = np.clip(plane * whole * light + sensor.uniform(-5, 5, plane.shape), 0, 255)
    return picture


def _unit(rng: np.random.Generator) -> tuple[float, float]:
    """A direction, uniform on the circle, without sin and cos."""
    while True:
        x, y = rng.uniform(-1, 1, 2)
        length = np.sqrt(x * x + y * y)
        if 0.1 < length <= 1:
            return float(x / length), float(y / length)


def _soft_step(value: Plane) -> Plane:
    """0 below 0, 1 above 1, 3t² - 2t³ between."""
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _spot(
    x: Plane, y: Plane, at: tuple[float, float], radii: tuple[float, float], tilt: tuple[float, float]
) -> Plane:
    """A soft ellipse: 1 at its centre `at`, 0 outside `radii` (pixels), its first axis along `tilt`."""
    u = ((x - at[0]) * tilt[0] + (y - at[1]) * tilt[1]) / radii[0]
    v = ((y - at[1]) * tilt[0] - (x - at[0]) * tilt[1]) / radii[1]
    return _soft_step(1 - np.sqrt(u * u + v * v))


def _depth(rng: np.random.Generator, x: Plane, y: Plane, radius: float) -> Plane:
    """How far inside an irregular outline each pixel lies: 1 at the centre, 0 on it, negative outside."""
    tilt, squeeze = _unit(rng), rng.uniform(0.6, 1.0)
    u = x * tilt[0] + y * tilt[1]
    v = (y * tilt[0] - x * tilt[1]) / squeeze
    depth = np.full_like(x, -1.0)
    near = u * u + v * v < (1.6 * radius) ** 2  # no bulge reaches farther
    u, v = u[near], v[near]
    distance = np.sqrt(u * u + v * v) + 1e-9
    cosine, sine = u / distance, v / distance
    outline = np.full_like(u, radius)
    real, imaginary = cosine, sine  # the unit vector of k times the angle
    for k in range(2, _OUTLINE_HARMONICS + 1):
        real, imaginary = real * cosine - imaginary * sine, imaginary * cosine + real * sine
        phase, weight = _unit(rng), rng.uniform(0.05, 0.32) / k
        outline = outline + radius * weight * (real * phase[0] + imaginary * phase[1])
    depth[near] = 1 - distance / outline
    return depth


def _clouds(rng: np.random.Generator, x: Plane, y: Plane, cell: float) -> Plane:
    """Smooth noise in [-1, 1] that moves with the cherry; `cell` is its grain in pixels."""
    u, v = (x + SIZE) / cell, (y + SIZE) / cell
    count = int(2.5 * SIZE / cell) + 2
    grid = rng.uniform(-1, 1, (count, count))
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    s, t = _soft_step(u - column), _soft_step(v - row)
    top = grid[row, column] * (1 - s) + grid[row, column + 1] * s
    bottom = grid[row + 1, column] * (1 - s) + grid[row + 1, column + 1] * s
    return top * (1 - t) + bottom * t


def _flesh(rng: np.random.Generator, x: Plane, y: Plane, depth: Plane, radius: float) -> Flesh:
    """Red and blue of translucent flesh: a bluer rim, a redder and darker middle, clouds."""
    inner = np.clip(depth, 0.0, 1.0)
    towards = _unit(rng)
    slope = 1 + rng.uniform(0, 0.3) * (x * towards[0] + y * towards[1]) / radius
    red = rng.uniform(80, 150) * (0.72 + rng.uniform(0.1, 0.6) * inner) * slope
    blue = rng.uniform(130, 225) * (1 - rng.uniform(0.05, 0.45) * inner)
    for cell, strength in ((16.0, 0.24), (6.0, 0.12)):
        red = red * (1 + strength * _clouds(rng, x, y, cell))
        blue = blue * (1 + 0.8 * strength * _clouds(rng, x, y, cell))
    return red, blue


def _lookalikes(rng: np.random.Generator, x: Plane, y: Plane, radius: float, flesh: Flesh) -> Flesh:
    """What fools a baseline, with and without a pit: speckle, red shading, stems, folds, a blue navel."""
    red, blue = flesh
    # Speckle is sharp and one or two pixels wide, where a pit is blurred.
    for _ in range(int(rng.integers(4, 22))):
        red = red + rng.uniform(15, 60) * _spot(x, y, _within(rng, 0.8 * radius), (2.4, 2.0), (1.0, 0.0))
    if rng.random() < 0.35:  # shading: as red as a pit, far wider
        wide = _spot(x, y, _within(rng, 0.5 * radius), (radius * 1.1, radius * 0.8), _unit(rng))
        red, blue = red + rng.uniform(10, 42) * wide, blue * (1 - rng.uniform(0.1, 0.4) * wide)
    if rng.random() < 0.14:  # a stem: as red as a pit, far thinner
        stem = _spot(x, y, _within(rng, 0.7 * radius), (radius * rng.uniform(0.35, 0.7), 2.8), _unit(rng))
        red, blue = red + rng.uniform(50, 110) * stem, blue * (1 - 0.4 * stem)
    if rng.random() < 0.25:  # a fold: dark
        fold = _spot(
            x, y, _within(rng, 0.6 * radius), (radius * 0.7, radius * rng.uniform(0.15, 0.4)), _unit(rng)
        )
        red, blue = red * (1 - 0.45 * fold), blue * (1 - 0.6 * fold)
    if rng.random() < 0.20:  # the navel: blue, sometimes with a red ring
        centre, size = _within(rng, 0.3 * radius), rng.uniform(5, 9)
        navel, ring = (_spot(x, y, centre, (scale * size, scale * size), (1.0, 0.0)) for scale in (1.0, 2.0))
        red, blue = red * (1 - 0.5 * navel) + rng.uniform(0, 70) * (ring - navel), blue + 60 * navel
    return red, blue


def _pit(
    rng: np.random.Generator,
    x: Plane,
    y: Plane,
    radius: float,
    flesh: Flesh,
    *,
    strength: float,
    partial: bool,
) -> Flesh:
    """A blurred red glow, brightest in its middle, where the light crosses the stone."""
    red, blue = flesh
    centre, long = _within(rng, 0.5 * radius), rng.uniform(0.42, 0.68) * radius + 3
    glow = _spot(x, y, centre, (long, long * rng.uniform(0.55, 1.0)), _unit(rng))
    if partial:
        across = _unit(rng)
        glow = glow * _soft_step((x - centre[0]) * across[0] + (y - centre[1]) * across[1])
    return red + strength * 165 * glow, blue * (1 - strength * 0.75 * glow)


@dataclass(frozen=True)
class _Neighbour:
    """A second, pitless cherry that touches the first."""

    x: float  # its centre, in the first one's coordinates
    y: float
    radius: float
    depth: Plane
    body: Plane

    @classmethod
    def near(cls, rng: np.random.Generator, x: Plane, y: Plane, radius: float) -> "_Neighbour":
        towards, its_radius = _unit(rng), rng.uniform(15, 26)
        reach = (radius + its_radius) * rng.uniform(0.75, 0.95)
        its_x, its_y = towards[0] * reach, towards[1] * reach
        depth = _depth(rng, x - its_x, y - its_y, its_radius)
        return cls(its_x, its_y, its_radius, depth, _soft_step((depth + 0.08) / 0.16))


def _window(rng: np.random.Generator, x: Plane, y: Plane, filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The camera's rectangle: a few pixels around what is filled; now and then a side cuts into it."""
    margins = np.where(rng.random(4) < 0.16, rng.uniform(-9, -2, 4), rng.uniform(0, 4, 4))
    u, v = x[filled], y[filled]
    return (
        (x >= u.min() - margins[0])
        & (x <= u.max() + margins[1])
        & (y >= v.min() - margins[2])
        & (y <= v.max() + margins[3])
    )


def _within(rng: np.random.Generator, radius: float) -> tuple[float, float]:
    """A point inside the circle of `radius` pixels."""
    direction, length = _unit(rng), rng.random() * radius
    return direction[0] * length, direction[1] * length
