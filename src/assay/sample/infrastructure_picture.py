"""Draw slopes of levees and lagoons as a drone sees them: drains, rock toes, plants, and what is wrong with them.

A strip is drawn once, as long as a flight; pictures are views of it. Surfaces are crops of a few noise fields that
are made once per process, objects are polygons, so a scene takes some milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from assay.sample.infrastructure_objects import Canvas, plants, rock_toe, slope_drain, toe_drain

SIZE = 312  # pixels, the original's larger size
HEIGHT = 364  # of a strip: a view may be turned and shifted in it
CONDITIONS: Mapping[str, float] = {"normal": 0.5, "blocked": 0.25, "damaged": 0.25}
RAW = {  # (object, condition) -> the name in the annotation; there are nine, as in the original
    ("rock_toe", "normal"): "rock toe",
    ("rock_toe", "damaged"): "rock toe damaged",
    ("slope_drain", "normal"): "slope drain",
    ("slope_drain", "blocked"): "slope drain blocked",
    ("slope_drain", "damaged"): "slope drain damaged",
    ("toe_drain", "normal"): "Toe drain",
    ("toe_drain", "blocked"): "Toe drain- Blocked",
    ("toe_drain", "damaged"): "Toe drain- Damaged",
    ("vegetation", "normal"): "vegetation",
}
KINDS: Mapping[str, float] = {  # how often a slope has any
    "rock_toe": 0.72,
    "slope_drain": 0.85,
    "toe_drain": 0.3,
    "vegetation": 0.42,
}
_MIN_SIDE = 5.0  # pixels of a view: a sliver of an object at its edge gets no box
_MIN_SHOWN = 0.12  # of an object's area; a drain that runs past the edge still shows

Pixels = NDArray[np.uint8]
XYXY = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shown:
    """One object in a view."""

    raw: str
    polygon: NDArray[np.float64]  # (N, 2), pixels, inside the view

    @property
    def xyxy(self) -> XYXY:
        """The polygon's bounding box."""
        (left, top), (right, bottom) = self.polygon.min(axis=0), self.polygon.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True)
class Strip:
    """A drawn slope, `HEIGHT` pixels high, and its objects as (raw name, polygon)."""

    image: Pixels
    objects: list[tuple[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class _Look:
    """Colours of one season and soil, RGB; surfaces mix two."""

    slope: tuple[tuple[int, int, int], tuple[int, int, int]]
    ground: tuple[tuple[int, int, int], tuple[int, int, int]]
    plant: tuple[int, int, int]
    tufts: int = 60
    stone: tuple[int, int, int] = field(default=(168, 164, 156))


_LOOKS = (
    _Look(((92, 112, 52), (128, 148, 72)), ((176, 158, 130), (206, 190, 160)), (62, 92, 36)),
    _Look(((104, 128, 48), (74, 104, 40)), ((150, 124, 100), (186, 150, 120)), (70, 112, 38), 90),
    _Look(((120, 108, 92), (156, 144, 124)), ((198, 186, 166), (222, 212, 194)), (74, 82, 46), 110),
    _Look(((132, 100, 74), (106, 104, 62)), ((170, 136, 108), (196, 172, 146)), (80, 96, 44), 70),
    _Look(((150, 132, 88), (118, 112, 76)), ((132, 130, 128), (160, 158, 154)), (86, 100, 50), 50),
    _Look(((98, 96, 86), (130, 126, 112)), ((188, 176, 152), (160, 146, 122)), (58, 74, 38), 120),
)


def scene(
    rng: np.random.Generator, size: int = SIZE, condition_mix: Mapping[str, float] | None = None
) -> tuple[Pixels, list[tuple[str, XYXY]]]:
    """One scene of its own: RGB uint8 (size, size, 3), and (raw name, box in pixels) of what shows in it.

    condition_mix: weights of normal, blocked and damaged; `CONDITIONS` if not given.
    """
    drawn = strip(rng, HEIGHT, conditions=condition_mix or CONDITIONS)
    image, shown = view(rng, drawn, x=(HEIGHT - SIZE) / 2, size=size)
    return image, [(thing.raw, thing.xyxy) for thing in shown]


def strip(
    rng: np.random.Generator,
    width: int,
    *,
    conditions: Mapping[str, float] = CONDITIONS,
    kinds: Mapping[str, float] = KINDS,
    lookalikes: float = 0.35,
) -> Strip:
    """Draw a slope `width` pixels long.

    Args:
        rng: source of everything drawn.
        width: length in pixels, at least `HEIGHT`.
        conditions: weights of normal, blocked and damaged.
        kinds: chance of any object of a kind; what is not named is not drawn.
        lookalikes: chance of each of path, tyre tracks, shadow and gullies, which are no objects.
    """
    look = _LOOKS[rng.integers(len(_LOOKS))]
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    foot = (rng.uniform(205, 285) + _curve(rng, width)).astype(np.float32)
    crest = (rng.uniform(14, 84) + _curve(rng, width)).astype(np.float32)
    image = _surface(rng, look.slope, width, grain=9)
    ground = _surface(rng, look.ground, width, grain=4.5)
    edge = 1.8 * _field(rng, "medium", width) + _field(rng, "fine", width)
    off_slope = (rows > foot + edge) | ((rows < crest + edge) & (rows > crest + edge - rng.uniform(24, 70)))
    cv2.copyTo(ground, off_slope.astype(np.uint8), image)
    canvas = Canvas(
        image=image,
        crest=crest,
        foot=foot,
        ground=look.ground[0],
        plant=look.plant,
        stone=look.stone,
        noise={name: _field(rng, name, width) for name in ("fine", "medium", "coarse", "stones")},
    )
    _tufts(rng, canvas, look.tufts)
    for draw in (_gullies, _path, _tracks, _shadow):
        if rng.random() < lookalikes:
            draw(rng, canvas)
    objects = []
    names, weights = zip(*conditions.items(), strict=True)
    chances = np.array(weights, dtype=float) / sum(weights)
    # stones lie under drains, plants grow over everything
    for kind, draw_kind in (
        ("rock_toe", rock_toe),
        ("toe_drain", toe_drain),
        ("slope_drain", slope_drain),
        ("vegetation", plants),
    ):
        for start in range(0, width, 520):  # a long strip changes on its way
            if rng.random() >= kinds.get(kind, 0.0):
                continue
            condition = str(rng.choice(names, p=chances))
            condition = condition if (kind, condition) in RAW else _nearest(kind, condition)
            stretch = (start, min(start + 520, width))
            polygons = draw_kind(rng, canvas, stretch, condition)
            objects += [(RAW[kind, condition], polygon) for polygon in polygons]
    return Strip(canvas.image, objects)


def view(
    rng: np.random.Generator, drawn: Strip, *, x: float, size: int = SIZE, steady: bool = False
) -> tuple[Pixels, list[Shown]]:
    """A drone's picture of a strip: RGB uint8 (size, size, 3) and the objects in it.

    Args:
        rng: source of turn, zoom, light and sensor noise.
        drawn: the strip.
        x: its pixel column at the picture's left edge.
        size: side of the picture in pixels.
        steady: turn and zoom a little only, as from one frame of a flight to the next.
    """
    wobble = 0.25 if steady else 1.0
    turn = np.deg2rad(rng.normal(0, 2.5) * wobble)
    zoom = (1.06 + wobble * rng.uniform(-0.06, 0.14)) * size / SIZE
    centre = np.array([x + SIZE / 2, HEIGHT / 2]) + wobble * rng.uniform(-10, 10, 2)
    rotation = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.column_stack([rotation, size / 2 - rotation @ centre])
    image = cv2.warpAffine(
        drawn.image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    # Light falls off to one side, the sun has a colour, the sensor some noise.
    light = (np.linspace(-1, 1, size) * rng.normal(0, 0.05)).astype(np.float32)
    tint = rng.uniform(0.88, 1.12) * rng.normal(1, 0.018, 3)
    shade = 1 + light[:, None] + light[None, ::-1] * rng.normal(0, 0.7)
    grain = _field(rng, "fine", HEIGHT)
    grain = (grain[:size, :size] if size <= HEIGHT else cv2.resize(grain, (size, size))) * rng.uniform(
        1.5, 3.5
    )
    planes = [
        plane * (shade * channel) + grain
        for plane, channel in zip(cv2.split(image), tint.tolist(), strict=True)
    ]
    image = _to_pixels(planes)
    shown = []
    for raw, polygon in drawn.objects:
        if (
            polygon[:, 0].max() < x - SIZE or polygon[:, 0].min() > x + 2 * SIZE
        ):  # far off on a long strip: not worth the arithmetic
            continue
        moved = polygon @ rotation.T + matrix[:, 2]
        inside = clip_polygon(moved, size)
        if len(inside) < 3 or _area(inside) < _MIN_SHOWN * min(_area(moved), 0.05 * size * size):
            continue
        if np.ptp(inside, axis=0).min() >= _MIN_SIDE:
            shown.append(Shown(raw, inside))
    return image, shown


def clip_polygon(polygon: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """The part of a polygon (N, 2) inside 0 to size; Sutherland and Hodgman, CACM 1974. (0, 2) if none."""
    for axis, sign, limit in ((0, 1, 0.0), (0, -1, -size), (1, 1, 0.0), (1, -1, -size)):
        if not len(polygon):
            break
        distance = sign * polygon[:, axis] - limit  # >= 0 inside
        kept = []
        for k in range(len(polygon)):
            here, before = distance[k], distance[k - 1]
            if (here >= 0) != (before >= 0):
                share = before / (before - here)
                kept.append(polygon[k - 1] + share * (polygon[k] - polygon[k - 1]))
            if here >= 0:
                kept.append(polygon[k])
        polygon = np.array(kept).reshape(-1, 2)
    return np.clip(polygon, 0, size)


def _area(polygon: NDArray[np.float64]) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _nearest(kind: str, condition: str) -> str:
    """What a kind can be: a rock toe is never blocked, plants are just there."""
    return "damaged" if kind == "rock_toe" and condition != "normal" else "normal"


@cache
def _fields() -> dict[str, NDArray[np.float32]]:
    """Noise of several grains, mean 0 and deviation 1, and stones with albedo 0 to 1."""
    rng = np.random.default_rng(312)
    side = 1024
    fields = {}
    for name, sigma in (("fine", 0.8), ("medium", 3.0), ("coarse", 15.0)):
        noise = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), sigma)
        fields[name] = (noise - noise.mean()) / noise.std()
    seeds = np.full((side, side), 255, np.uint8)
    seeds.ravel()[rng.choice(side * side, side * side // 26, replace=False)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    albedo = rng.uniform(0.55, 1.0, labels.max() + 1).astype(np.float32)[labels]
    fields["stones"] = np.clip(albedo * (1.24 - 0.1 * distance), 0.25, 1.15)
    return fields


def _field(rng: np.random.Generator, name: str, width: int) -> NDArray[np.float32]:
    """A random piece of a noise field, float32 (HEIGHT, width); long ones are mirrored on."""
    source = _fields()[name]
    side = len(source)
    top = int(rng.integers(side - HEIGHT + 1))
    piece = source[top : top + HEIGHT]
    piece = piece[:, :: rng.choice([-1, 1])]
    if width > side:
        return np.pad(piece, ((0, 0), (0, width - side)), mode="symmetric")
    left = int(rng.integers(side - width + 1))
    return piece[:, left : left + width]


def _surface(
    rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...], width: int, grain: float
) -> Pixels:
    """A mottled surface between two colours, uint8 (HEIGHT, width, 3)."""
    share = 0.5 + 0.24 * _field(rng, "coarse", width) + 0.15 * _field(rng, "medium", width)
    np.clip(share, -0.15, 1.15, out=share)
    fine = grain * (_field(rng, "fine", width) + 0.5 * _field(rng, "medium", width))
    one, other = np.array(colours) + rng.normal(0, 4, 3) + rng.normal(0, 7)
    # plane by plane: numpy is slow where the last axis has three elements only
    planes = [
        fine + start + (end - start) * share for start, end in zip(one.tolist(), other.tolist(), strict=True)
    ]
    return _to_pixels(planes)


def _to_pixels(planes: list[NDArray[np.float32]]) -> Pixels:
    """Three float planes as one image, clipped and rounded."""
    return np.asarray(cv2.merge([cv2.convertScaleAbs(np.maximum(plane, 0)) for plane in planes]))


def _curve(rng: np.random.Generator, width: int) -> NDArray[np.float64]:
    """A berm's gentle bend and tilt in pixels, (width,)."""
    x = np.arange(width)
    period, phase = rng.uniform(500, 1400), rng.uniform(0, 2 * np.pi)
    return rng.uniform(2, 16) * np.sin(2 * np.pi * x / period + phase) + rng.normal(0, 0.012) * (
        (x % 1400) - 160
    )


def _tufts(rng: np.random.Generator, canvas: Canvas, count: int) -> None:
    """Small plants all over, too small to matter."""
    width = canvas.image.shape[1]
    count = int(count * width / SIZE * rng.uniform(0.3, 1.2))
    xs, ys = rng.integers(0, width, count), rng.integers(0, HEIGHT, count)
    radii = rng.integers(1, 4, count)
    shades = rng.normal(1, 0.18, count)
    for x, y, radius, shade in zip(xs.tolist(), ys.tolist(), radii.tolist(), shades.tolist(), strict=True):
        if canvas.crest[x] < y < canvas.foot[x] or radius == 1:
            cv2.circle(canvas.image, (x, y), radius, _shaded(canvas.plant, shade), -1)


def _shaded(colour: tuple[int, int, int], shade: float) -> tuple[float, float, float]:
    red, green, blue = (min(max(channel * shade, 0.0), 255.0) for channel in colour)
    return red, green, blue


def _blend(canvas: Canvas, mask: Pixels, colour: Any, strength: float, blur: float) -> None:
    """Lay a colour over what a mask (255 = inside) covers, softly."""
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return
    margin = int(3 * blur)
    part = np.s_[max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin]
    share = cv2.GaussianBlur(mask[part], (0, 0), blur).astype(np.float32)[..., None] * (strength / 255)
    under = canvas.image[part]
    canvas.image[part] = (under + (np.asarray(colour, np.float32) - under) * share).astype(np.uint8)


def _line(canvas: Canvas, points: Any, thickness: int) -> Pixels:
    mask = np.zeros(canvas.image.shape[:2], np.uint8)
    cv2.polylines(mask, [np.asarray(points, np.int32)], False, 255, thickness)
    return mask


def _path(rng: np.random.Generator, canvas: Canvas) -> None:
    """A trodden path across the slope: light and long like a drain, but soft and winding."""
    x = rng.uniform(0, canvas.image.shape[1])
    steps = np.cumsum(rng.normal(rng.normal(0, 14), 10, 8))
    mask = _line(canvas, np.column_stack([x + steps, np.linspace(0, HEIGHT, 8)]), int(rng.integers(5, 15)))
    _blend(canvas, mask, canvas.ground, rng.uniform(0.5, 0.85), 2.2)


def _tracks(rng: np.random.Generator, canvas: Canvas) -> None:
    """Two parallel ruts below the foot or along the crest."""
    along = canvas.foot + rng.uniform(18, 50) if rng.random() < 0.6 else canvas.crest - rng.uniform(14, 30)
    x = np.arange(0, len(along), 12)
    dark = [0.72 * channel for channel in canvas.ground]
    for gap in (0, rng.uniform(9, 14)):
        _blend(canvas, _line(canvas, np.column_stack([x, along[x] + gap]), 3), dark, 0.7, 1.0)


def _shadow(rng: np.random.Generator, canvas: Canvas) -> None:
    """The shadow of a pole or of a bank: dark and straight like a ditch."""
    x = rng.uniform(0, canvas.image.shape[1])
    y = rng.uniform(60, 300)
    reach = rng.uniform(80, 260)
    tilt = rng.normal(0, 0.5)
    mask = _line(canvas, [(x, y), (x + reach, y + tilt * reach)], int(rng.integers(4, 18)))
    _blend(canvas, mask, (18, 20, 24), rng.uniform(0.35, 0.6), 1.4)


def _gullies(rng: np.random.Generator, canvas: Canvas) -> None:
    """Thin dark lines that rain has cut down the slope."""
    dark = [0.45 * channel for channel in canvas.ground]
    for x in rng.uniform(0, canvas.image.shape[1], rng.integers(2, 6)):
        column = int(x)
        top = canvas.crest[column] + rng.uniform(5, 60)
        wander = x + np.cumsum(rng.normal(0, 3, 7))
        mask = _line(canvas, np.column_stack([wander, np.linspace(top, canvas.foot[column], 7)]), 2)
        _blend(canvas, mask, dark, 0.6, 0.9)
