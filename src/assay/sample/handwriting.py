"""Pen strokes that look written by hand: signatures, initials, notes. RGBA pictures with the ink's own alpha.

Like `cherry_picture`, only + - * / and square roots make the strokes, so that the bytes do not depend on the processor.
Letters are control points in units of the x-height: x to the right, y up from the baseline.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]
Stroke = list[tuple[float, float]]

_OVERSAMPLE = 3
_STEPS = 10  # curve points between two control points

# fmt: off
CAPITALS: tuple[Stroke, ...] = (
    [(0, .2), (.4, 2.4), (.9, 2.7), (.7, .8), (.2, -.4), (.9, .1), (1.4, .7)],
    [(1.2, 2.3), (.7, 2.7), (.3, 2.1), (.8, 1.3), (1.2, .5), (.6, -.1), (0, .3), (.8, .6), (1.6, .4)],
    [(0, 0), (.8, 2.6), (1.1, 2.4), (1.4, -.1), (.9, .9), (.2, .8), (1.6, 1.0)],
    [(.2, 2.2), (1.1, 2.5), (.9, .5), (.5, -1.6), (0, -1.4), (.5, -.3), (1.5, .5)],
    [(1.4, 2.0), (.8, 2.6), (.1, 1.4), (.5, .1), (1.3, .5), (1.2, 1.2), (.8, .9), (1.7, .6)],
    [(0, -.2), (.4, 2.5), (.7, .3), (1.1, 2.4), (1.4, .1), (1.9, .5)],
    [(.3, 2.4), (.2, -.3), (.3, 2.2), (1.0, 2.6), (1.3, 1.8), (.4, 1.2), (1.1, .8), (1.5, -.1), (2, .4)],
    [(.1, 2.2), (1.5, 2.5), (.8, 1.3), (0, 0), (.7, .3), (1.6, -.1), (2, .5)],
    [(.2, 2.5), (.1, .6), (.6, -.1), (1.1, .8), (1.2, 2.4), (1.1, .4), (1.5, -.1), (1.9, .6)],
    [(.9, 2.3), (.2, 1.7), (.3, .2), (1.2, .1), (1.4, 1.7), (.8, 2.4), (.5, 2.0), (1.7, 1.6)],
)
SMALL: tuple[Stroke, ...] = (
    [(0, .4), (.5, .8), (.35, 1.1), (.1, .5), (.55, 0)],
    [(0, .3), (.6, 2.0), (.4, 2.4), (.2, .8), (.55, 0)],
    [(.1, 1), (.15, 0), (.45, 1), (.6, 0)],
    [(.05, 1), (.15, .05), (.5, 1), (.6, .1)],
    [(.5, .9), (.1, .6), (.4, .05), (.55, .9), (.4, -1.3), (.1, -1.1), (.65, .2)],
    [(.2, 1), (.3, 0)],
    [(.1, .9), (.2, 0), (.45, .95), (.5, 0), (.8, .9), (.9, 0)],
    [(.5, .95), (.1, .5), (.4, 0), (.6, .9), (.7, 0)],
    [(.2, 1.9), (.3, 0)],
    [(.3, 1.0), (.5, .7), (.3, .3), (.1, .05)],
    [(.1, .9), (.3, .1), (.6, 1.0)],
)
HASTY: tuple[Stroke, ...] = ([(.5, .3), (.8, .05)], [(.3, .5), (.6, .1)], [(1.1, .2)], [(.2, .9), (.5, -.1)], [(.7, .5)])
DIGITS: tuple[Stroke, ...] = (
    [(.5, 1.9), (.1, 1.0), (.5, 0), (.9, 1.0), (.5, 1.9)],
    [(.2, 1.4), (.5, 1.9), (.5, 0)],
    [(.1, 1.5), (.5, 1.9), (.8, 1.4), (.1, 0), (.9, .1)],
    [(.1, 1.8), (.7, 1.6), (.4, 1.0), (.8, .5), (.1, .1)],
    [(.6, 1.9), (.1, .7), (.9, .7), (.7, 1.1), (.6, -.2)],
    [(.8, 1.9), (.3, 1.8), (.2, 1.1), (.8, .8), (.1, 0)],
    [(.1, 1.8), (.9, 1.8), (.4, .9), (.3, 0)],
    [(.2, -.3), (.5, 2.1)],
)
# fmt: on

INKS = ((26, 38, 140), (34, 52, 168), (18, 28, 96), (20, 20, 28), (36, 36, 44), (12, 12, 14), (52, 66, 150))


def signature(rng: np.random.Generator, width: int) -> Picture:
    """One signature, cropped to its ink.

    Args:
        width: of the ink, px; the height comes from the writing, about a fifth to the whole of it.

    Returns:
        uint8 array (height, width or less, 4), RGBA.
    """
    strokes = [_name(rng)]
    end = strokes[0][:, 0].max()
    low, high = strokes[0][:, 1].min(), strokes[0][:, 1].max()
    if rng.random() < 0.25:  # a first name's capital apart
        capital = _jittered(rng, CAPITALS[rng.integers(len(CAPITALS))], 0.12) * rng.uniform(0.9, 1.4)
        strokes.append(capital - [capital[:, 0].max() + rng.uniform(-0.6, 0.5), rng.uniform(-0.4, 0.4)])
    if rng.random() < 0.3:  # a bar through it or below it
        y = rng.uniform(low, high * 0.6)
        across = np.array(
            [(-0.5, y), (end * 0.5, y + rng.uniform(-0.4, 0.4)), (end + 1, y + rng.uniform(-0.6, 0.9))]
        )
        strokes.append(across)
    if rng.random() < 0.2:
        dot = np.array([rng.uniform(0.3, 1) * end, rng.uniform(0.5, 1) * high])
        strokes.append(np.stack([dot, dot + rng.uniform(-0.12, 0.12, 2)]))
    if rng.random() < 0.12:  # a ring around all
        middle, half = np.array([end / 2, (low + high) / 2]), np.array([end * 0.62, (high - low) * 0.6])
        strokes.append(middle + half * _jittered(rng, _RING, 0.1))
    slant, climb = rng.uniform(-0.1, 0.7), rng.uniform(-0.12, 0.3)
    squeeze = rng.uniform(0.55, 1.25)  # a tall narrow hand, a flat wide one
    strokes = [
        np.stack([s[:, 0] * squeeze + slant * s[:, 1], s[:, 1] + climb * s[:, 0]], axis=1) for s in strokes
    ]
    return _inked(rng, strokes, width, pen=rng.uniform(0.007, 0.022))


def initials(rng: np.random.Generator, width: int) -> Picture:
    """Two or three letters, as people put them at the foot of every page: uint8 (height, width or less, 4), RGBA."""
    strokes, at = [], 0.0
    for _ in range(int(rng.integers(2, 4))):
        letter = _jittered(rng, CAPITALS[rng.integers(len(CAPITALS))], 0.1)
        strokes.append(letter + np.array((at, 0)))
        at += rng.uniform(1.0, 1.7)
    return _inked(rng, strokes, width, pen=rng.uniform(0.025, 0.045))


def note(rng: np.random.Generator, width: int, *, digits: bool = False) -> Picture:
    """A few small handwritten words, or a date when `digits`: uint8 (height, width or less, 4), RGBA."""
    strokes: list[Points] = []
    at = 0.0
    letters = DIGITS if digits else SMALL
    for _ in range(1 if digits else int(rng.integers(2, 5))):
        count = 8 if digits else int(rng.integers(3, 8))
        parts = []
        for k in range(count):
            slash = digits and k in (2, 5)
            shape = DIGITS[-1] if slash else letters[rng.integers(len(letters) - digits)]
            part = _jittered(rng, shape, 0.07) + np.array((at, 0))
            at = part[:, 0].max() + (0.3 if digits else 0.15)
            parts.append(part)
        strokes += parts if digits else [np.concatenate(parts)]
        at += 0.9
    return _inked(rng, strokes, width, pen=rng.uniform(0.008, 0.012))


_RING: Stroke = [
    (-1, 0.1),
    (-0.6, 0.9),
    (0.3, 1),
    (1, 0.3),
    (0.7, -0.7),
    (-0.2, -1),
    (-0.9, -0.5),
    (-1, 0.4),
    (-0.5, 1),
]


def _jittered(rng: np.random.Generator, stroke: Stroke, by: float) -> Points:
    return np.asarray(stroke, np.float64) + rng.uniform(-by, by, (len(stroke), 2))


def _name(rng: np.random.Generator) -> Points:
    """The pen's path through a capital, letters that grow hastier and flatter, and a flourish; or a mere scrawl."""
    if rng.random() < 0.18:
        return _scrawl(rng)
    capital = _jittered(rng, CAPITALS[rng.integers(len(CAPITALS))], 0.12) * rng.uniform(0.9, 1.7)
    parts, at = [capital], capital[-1, 0]
    hand = rng.random()  # 0 neat, 1 hasty
    count = int(rng.integers(2, 10))
    for k in range(count):
        if k and rng.random() < 0.08:  # the family name's capital
            part = _jittered(rng, CAPITALS[rng.integers(len(CAPITALS))], 0.12) * rng.uniform(0.7, 1.2)
        else:
            shapes = HASTY if rng.random() < hand * (k + 1) / count else SMALL
            part = _jittered(rng, shapes[rng.integers(len(shapes))], 0.08)
        part = part * [1.0, 1 - 0.5 * hand * k / count] + [at, 0]
        parts.append(part)
        at = part[-1, 0] + rng.uniform(0, 0.25)
    kind = rng.random()
    if kind < 0.25:  # back under the name and out again
        depth = rng.uniform(0.5, 1.4)
        parts.append(
            np.array(
                [(at + 0.8, 0.2), (at + 0.3, -depth), (at * 0.1, -depth * 0.8), (at * 0.5, -depth * 1.2)]
            )
        )
        parts.append(np.array([(at + rng.uniform(0.2, 1.5), -depth * rng.uniform(0.3, 1.0))]))
    elif kind < 0.45:  # a long tail
        parts.append(np.array([(at + 0.7, 0.1), (at + rng.uniform(1.5, 4), rng.uniform(-0.6, 2.2))]))
    elif kind < 0.62:  # a tall loop over the end
        tall = rng.uniform(2.0, 4.0)
        parts.append(
            np.array([(at + 0.6, tall), (at - 0.3, tall * 0.8), (at + 0.2, -tall * 0.4), (at + 1.4, 0.4)])
        )
    elif kind < 0.75:  # a zigzag
        parts.append(
            np.array([(at + 0.3 * k, (1.4, -0.6)[k % 2] * rng.uniform(0.5, 1.2)) for k in range(1, 6)])
        )
    return np.concatenate(parts)


def _scrawl(rng: np.random.Generator) -> Points:
    """Letters nobody can read: swings of the whole hand, up and down, sometimes back."""
    points, at = [(0.0, rng.uniform(-1, 1))], 0.0
    for k in range(int(rng.integers(5, 12))):
        at += rng.uniform(-0.5, 1.5)
        points.append((at, (1 if k % 2 else -1) * rng.uniform(0.1, 2.2) + 0.4))
    points.append((at + rng.uniform(1, 4), rng.uniform(-0.5, 1.5)))
    return np.array(points)


def _curve(points: Points) -> Points:
    """A Catmull-Rom spline through the control points (n, 2)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    before, start, end, after = (padded[k : k + len(points) - 1, None] for k in range(4))
    t = (np.arange(_STEPS) / _STEPS)[:, None]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t * t
        + (3 * start - before - 3 * end + after) * t * t * t
    )
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _inked(rng: np.random.Generator, strokes: Sequence[Points], width: int, *, pen: float) -> Picture:
    """Draw strokes with a pen that presses harder when slow and downwards; `pen` is its share of the width."""
    import cv2

    curves = [_curve(stroke) for stroke in strokes]
    everything = np.concatenate(curves)
    low, high = everything.min(axis=0), everything.max(axis=0)
    # A hand that writes narrow and tall would reach far: the width asked for is also 1.3 times the height at least.
    scale = width * _OVERSAMPLE / max(high[0] - low[0], 1.3 * (high[1] - low[1]), 1e-6)
    line = max(pen * width, 0.9) * _OVERSAMPLE
    margin = 2 * line
    canvas = np.zeros([int(v) for v in ((high - low) * scale + 2 * margin + 1)][::-1], np.uint8)
    for curve in curves:
        pixels = np.stack([(curve[:, 0] - low[0]), (high[1] - curve[:, 1])], axis=1) * scale + margin
        moves = np.diff(pixels, axis=0)
        speed = np.sqrt((moves * moves).sum(axis=1))
        slow = np.clip(1.3 - 0.35 * speed / max(speed.mean(), 1e-6), 0.5, 1.25)
        press = slow * (1 + 0.25 * np.clip(moves[:, 1] / np.maximum(speed, 1e-6), 0, 1))
        ends = np.minimum(np.arange(len(press)) + 2, len(press) - np.arange(len(press)) + 1) / 8
        widths = np.maximum(line * press * np.clip(ends + 0.4, 0, 1), 1).round().astype(int)
        fixed = (pixels * 16).round().astype(int)
        for start, end, thick in zip(fixed[:-1].tolist(), fixed[1:].tolist(), widths.tolist(), strict=True):
            cv2.line(canvas, start, end, 255, thick, cv2.LINE_AA, 4)
    height, across = canvas.shape
    less = (max(across // _OVERSAMPLE, 1), max(height // _OVERSAMPLE, 1))
    small = np.asarray(cv2.resize(canvas, less, interpolation=cv2.INTER_AREA), np.uint8)
    ink = INKS[rng.integers(len(INKS))]
    strength = rng.uniform(0.75, 1.0)
    return cropped(coloured(small, ink, strength * _grain(rng, small.shape)))


def coloured(alpha: Picture, ink: tuple[int, int, int], strength: NDArray[np.float64] | float) -> Picture:
    """RGBA of one ink: `alpha` (h, w) uint8 times `strength`."""
    picture = np.empty((*alpha.shape, 4), np.uint8)
    picture[..., :3] = ink
    picture[..., 3] = np.clip(alpha * strength, 0, 255)
    return picture


def cropped(picture: Picture, least: int = 40) -> Picture:
    """Cut an RGBA picture down to where its alpha is at least `least`."""
    seen = picture[..., 3] >= least
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return picture
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@cache
def _grain_tile() -> NDArray[np.float64]:
    return np.random.default_rng(1).uniform(0.82, 1.0, (512, 512))


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Ball-point grain, factors of about 0.8 to 1."""
    tile = _grain_tile()
    rows = (np.arange(shape[0]) + int(rng.integers(512))) % 512
    columns = (np.arange(shape[1]) + int(rng.integers(512))) % 512
    return tile[rows[:, None], columns[None, :]]
