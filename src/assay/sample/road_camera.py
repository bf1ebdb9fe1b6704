"""A dash camera in a drawn world: projects flat faces given in metres and fills them, hazier with distance.

World: x metres right of the road's middle, y up from the ground, z ahead of the clip's first camera position. The road
may bend: everything shifts sideways by bend * distance². Only + - * / reach the integer coordinates that OpenCV fills,
so the pixels don't depend on the processor.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
Point = tuple[float, float, float]

_SUBPIXEL = 16  # OpenCV takes coordinates in 1/16 px with shift=4
_LIMIT = 20_000.0  # px; beyond this OpenCV's integers overflow
NEAR = 0.6  # metres; what is nearer is moved to this distance

# A circle of 12 corners, rounded so that no processor's cosine matters.
CIRCLE = tuple(
    (round(float(np.cos(k * np.pi / 6)), 4), round(float(np.sin(k * np.pi / 6)), 4)) for k in range(12)
)

_CIRCLE = np.array(CIRCLE)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` (0-1) of `other` in it."""
    rest = 1.0 - share
    return (
        one[0] * rest + other[0] * share,
        one[1] * rest + other[1] * share,
        one[2] * rest + other[2] * share,
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (< 1) or lighter (> 1)."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


@dataclass(frozen=True)
class Weather:
    """What light and air do to colours."""

    name: str
    sky_top: Colour
    sky_low: Colour
    haze: Colour
    light: Colour  # factor per channel
    haze_at: float = 260.0  # metres at which half of a colour is haze
    clouds: float = 0.4  # 0-1
    contrast: float = 1.0  # of shadows
    rain: float = 0.0  # 0-1
    glare: float = 0.0  # 0-1, the sun in the lens


class Camera:
    """A picture being painted, back to front."""

    def __init__(
        self, size: tuple[int, int], *, x: float, z: float, bend: float, pitch: float, weather: Weather
    ) -> None:
        """Place a camera.

        Args:
            size: width, height of the picture, px.
            x: metres right of the road's middle.
            z: metres along the road.
            bend: the road's curvature, 1/m, halved.
            pitch: the horizon's height as a share of the picture, from the top.
            weather: light and air.
        """
        self.width, self.height = size
        self.x, self.z, self.eye = x, z, 1.35
        self.bend, self.weather = bend, weather
        self.focal = 0.82 * self.width
        self.middle = self.width / 2.0
        self.horizon = self.height * pitch
        self.image: NDArray[np.uint8] = np.zeros((self.height, self.width, 3), np.uint8)

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Picture coordinates in px of a point of the world."""
        distance = z - self.z
        distance = max(distance, NEAR)
        scale = self.focal / distance
        return (
            self.middle + scale * (x - self.x + self.bend * distance * distance),
            self.horizon + scale * (self.eye - y),
        )

    def scale(self, z: float) -> float:
        """Pixels per metre at z."""
        return self.focal / max(z - self.z, NEAR)

    def tone(self, colour: Colour, z: float) -> tuple[int, int, int]:
        """A surface's colour as it is seen from here: lit, then hazed."""
        distance = max(z - self.z, 0.0)
        share = distance / (distance + self.weather.haze_at)
        light, haze = self.weather.light, self.weather.haze
        rest = 1.0 - share
        return (
            min(255, int(colour[0] * light[0] * rest + haze[0] * share)),
            min(255, int(colour[1] * light[1] * rest + haze[1] * share)),
            min(255, int(colour[2] * light[2] * rest + haze[2] * share)),
        )

    def face(self, points: Iterable[Point], colour: Colour, *, convex: bool = True, lit: bool = True) -> None:
        """Fill a flat face with corners in the world; `lit` False = a lamp, which neither light nor haze dims."""
        camera_x, camera_z, bend, focal = self.x, self.z, self.bend, self.focal
        middle, horizon, eye = self.middle, self.horizon, self.eye
        corners, nearest = [], 1e9
        for x, y, z in points:  # `project`, written out: half of a picture's time is spent here
            distance = z - camera_z
            if distance < NEAR:  # noqa: PLR1730 - a call of max() costs as much as the rest of the line
                distance = NEAR
            scale = focal / distance
            u = middle + scale * (x - camera_x + bend * distance * distance)
            v = horizon + scale * (eye - y)
            if not -_LIMIT < u < _LIMIT:
                u = -_LIMIT if u < 0 else _LIMIT
            if not -_LIMIT < v < _LIMIT:
                v = -_LIMIT if v < 0 else _LIMIT
            corners.append((int(_SUBPIXEL * u), int(_SUBPIXEL * v)))
            if z < nearest:  # noqa: PLR1730
                nearest = z
        tone = (
            self.tone(colour, nearest)
            if lit
            else (min(255, int(colour[0])), min(255, int(colour[1])), min(255, int(colour[2])))
        )
        self._fill(np.array(corners, np.int32), tone, convex)

    def ground(self, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
        """Fill a strip of the ground along the road, from z0 to z1, following its bend."""
        steps = _steps(max(z0, self.z + NEAR), z1, self.z)
        if not steps:
            return
        outline = [(x0, 0.0, z) for z in steps] + [(x1, 0.0, z) for z in reversed(steps)]
        self.face(outline, colour, convex=len(steps) <= 2)

    def box(self, x0: float, y0: float, x1: float, y1: float, z: float) -> tuple[float, float, float, float]:
        """Picture rectangle x1 y1 x2 y2 of an upright rectangle at z, unclipped."""
        left, low = self.project(x0, y0, z)
        right, high = self.project(x1, y1, z)
        return left, high, right, low

    def _fill(self, corners: NDArray[np.int32], tone: tuple[int, int, int], convex: bool) -> None:
        if convex:
            cv2.fillConvexPoly(self.image, corners, tone, cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(self.image, [corners], tone, cv2.LINE_AA, 4)


class Pen:
    """Draws one upright thing in its own metres: x right of its middle, y up, at one distance."""

    def __init__(self, camera: Camera, x: float, z: float, size: float = 1.0) -> None:
        self.camera, self.at_x, self.at_z, self.size = camera, x, z, size
        self.pixels = camera.scale(z) * size  # px per metre of the thing: decides how much detail is drawn
        u, v = camera.project(x, 0.0, z)
        self._u, self._v = _SUBPIXEL * max(-_LIMIT, min(_LIMIT, u)), _SUBPIXEL * v
        self._step = _SUBPIXEL * self.pixels
        distance = max(z - camera.z, 0.0)
        self._share = distance / (distance + camera.weather.haze_at)

    def poly(self, points: Iterable[tuple[float, float]], colour: Colour, *, lit: bool = True) -> None:
        """A convex polygon."""
        u, v, step = self._u, self._v, self._step
        corners = [(int(u + step * x), int(v - step * y)) for x, y in points]
        self._fill(np.array(corners, np.int32), colour, lit)

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, *, lit: bool = True) -> None:
        """An axis-parallel rectangle."""
        u, v, step = self._u, self._v, self._step
        left, right, low, high = (
            int(u + step * x0),
            int(u + step * x1),
            int(v - step * y0),
            int(v - step * y1),
        )
        self._fill(np.array(((left, low), (right, low), (right, high), (left, high)), np.int32), colour, lit)

    def oval(self, x: float, y: float, across: float, up: float, colour: Colour, *, lit: bool = True) -> None:
        """An ellipse around (x, y) with these radii."""
        step = self._step
        corners = _CIRCLE * (step * across, step * up) + (self._u + step * x, self._v - step * y)
        self._fill(corners.astype(np.int32), colour, lit)

    def shadow(self, radius: float, depth: float, colour: Colour) -> None:
        """What the thing darkens on the ground around its foot."""
        if self.pixels < 5:
            return
        x, z, size = self.at_x, self.at_z, self.size
        self.camera.face([(x + size * radius * c, 0.0, z + size * depth * s) for c, s in CIRCLE], colour)

    def _fill(self, corners: NDArray[np.int32], colour: Colour, lit: bool) -> None:
        red, green, blue = colour
        if lit:
            light, haze, share = self.camera.weather.light, self.camera.weather.haze, self._share
            rest = 1.0 - share
            red = red * light[0] * rest + haze[0] * share
            green = green * light[1] * rest + haze[1] * share
            blue = blue * light[2] * rest + haze[2] * share
        tone = (min(255, int(red)), min(255, int(green)), min(255, int(blue)))
        cv2.fillConvexPoly(self.camera.image, corners, tone, cv2.LINE_AA, 4)


def _steps(z0: float, z1: float, camera_z: float) -> list[float]:
    """Distances at which a long strip gets corners: near ones close together, as perspective needs."""
    if z1 <= z0:
        return []
    steps, distance = [z0], z0 - camera_z
    while True:
        distance *= 1.6
        if camera_z + distance >= z1:
            return [*steps, z1]
        steps.append(camera_z + distance)
