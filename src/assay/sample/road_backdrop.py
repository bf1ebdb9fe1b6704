"""Sky, ground and road below everything else, and the lens in front of it: rain, glare, bonnet, noise."""

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from assay.sample.road_camera import CIRCLE, Camera, Colour, Weather, mix, shade

Picture = NDArray[np.uint8]

WEATHERS = {
    "clear": Weather(
        "clear", (66, 124, 196), (196, 218, 236), (196, 210, 224), (1.04, 1.02, 0.98), 420, 0.25
    ),
    "autumn": Weather(
        "autumn", (92, 132, 182), (236, 222, 200), (222, 210, 192), (1.06, 0.99, 0.88), 330, 0.45
    ),
    "overcast": Weather(
        "overcast", (150, 158, 166), (206, 210, 212), (196, 200, 204), (0.86, 0.88, 0.9), 210, 0.9
    ),
    "dusk": Weather("dusk", (58, 64, 108), (232, 156, 112), (150, 124, 126), (0.66, 0.58, 0.6), 240, 0.5),
    "mist": Weather("mist", (186, 192, 196), (212, 214, 214), (206, 210, 210), (0.9, 0.9, 0.9), 60, 0.2),
    "rain": Weather(
        "rain", (112, 120, 130), (168, 176, 182), (160, 168, 174), (0.72, 0.75, 0.8), 110, 0.9, rain=1.0
    ),
    "glare": Weather(
        "glare", (150, 176, 206), (255, 240, 206), (250, 232, 200), (1.0, 0.93, 0.8), 130, 0.2, glare=1.0
    ),
}


@dataclass(frozen=True)
class Road:
    """The road's cross-section, metres right of its middle."""

    lanes: tuple[float, ...]  # x of the lines between lanes
    left: float
    right: float  # its edges
    middle: float | None  # x of the double yellow line between directions; None = one direction
    pavement: float  # width of the footpath on each side; 0 = a grass verge
    tar: Colour
    verge: Colour
    patches: tuple[
        tuple[float, float, float, float, float], ...
    ]  # x, z, width, length, lightness: mended tar
    skyline: tuple[
        tuple[float, float, float], ...
    ]  # share of the width, of the width, of the height: far houses


def paint(camera: Camera, road: Road, clouds: int) -> None:
    """Paint sky, skyline, ground and road markings into an empty picture; `clouds` seeds their places."""
    size = (camera.width, camera.height)
    np.copyto(camera.image, _sky(size, camera.weather, camera.horizon, clouds))
    horizon = min(max(int(camera.horizon), 1), camera.height - 2)
    image, weather = camera.image, camera.weather
    for at, wide, high in road.skyline:  # far away: it doesn't come nearer within a clip
        u0, u1 = int((at - wide / 2) * camera.width), int((at + wide / 2) * camera.width)
        tone = mix((96, 104, 112), weather.haze, 0.62 + 0.2 * (1 - high * 4))
        top = int(horizon - high * camera.height)
        cv2.rectangle(image, (u0, top), (u1, horizon), tone, -1)
    rows = camera.height - horizon
    depth = camera.focal * camera.eye / (np.arange(rows) + 1.0)  # metres to each row of the ground
    share = (depth / (depth + weather.haze_at))[:, None]
    ground = np.array(road.verge) * np.array(weather.light) * (1 - share) + np.array(weather.haze) * share
    image[horizon:] = np.clip(ground, 0, 255).astype(np.uint8)[:, None]
    start, end = camera.z + 0.7, camera.z + 260.0
    if road.pavement:
        for side, edge in ((-1, road.left), (1, road.right)):
            camera.ground(edge, edge + side * road.pavement, start, end, (168, 164, 158))
            camera.ground(edge, edge + side * 0.22, start, end, (196, 194, 188))
    camera.ground(road.left, road.right, start, end, road.tar)
    for x, z, width, length, light in road.patches:
        if z + length > camera.z + 1.0 and z < camera.z + 90:
            camera.ground(x, x + width, z, min(z + length, camera.z + 90), shade(road.tar, light))
    for lane in (camera.x - 0.85, camera.x + 0.85):  # worn wheel tracks
        camera.ground(lane - 0.3, lane + 0.3, start, camera.z + 70, shade(road.tar, 0.94))
    _markings(camera, road, start, end)
    _grain(camera, horizon)


@lru_cache(maxsize=2)
def _sky(size: tuple[int, int], weather: Weather, horizon: float, clouds: int) -> Picture:
    """A gradient with clouds, painted at an eighth of the size: nothing in it is sharp."""
    width, height = max(size[0] // 8, 2), max(size[1] // 8, 2)
    share = np.clip((np.arange(height) + 0.5) * 8 / max(horizon, 1.0), 0, 1)[:, None]
    sky = (np.array(weather.sky_top) * (1 - share) + np.array(weather.sky_low) * share)[:, None]
    rng = np.random.default_rng(clouds)
    small = np.zeros((24, 64), np.uint8)
    for _ in range(int(26 * weather.clouds)):
        u, v, r = (int(k) for k in rng.integers((0, 0, 1), (64, 14, 4)))
        points = np.array([(16 * (u + 2.6 * r * c), 16 * (v + 0.8 * r * s)) for c, s in CIRCLE]).astype(
            np.int32
        )
        cv2.fillConvexPoly(small, points, int(rng.integers(70, 190)), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(small, (5, 3), 0)
    mask = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)[..., None] / 256
    white = np.array(mix((252, 252, 252), weather.haze, 0.3 if weather.clouds < 0.8 else 0.75))
    blended = (sky + (white - sky) * mask).astype(np.uint8)
    return np.asarray(cv2.resize(blended, size, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def _markings(camera: Camera, road: Road, start: float, end: float) -> None:
    white, yellow = (222, 222, 214), (226, 176, 50)
    for edge in (road.left + 0.35, road.right - 0.35):
        camera.ground(edge - 0.06, edge + 0.06, start, end, white)
    if road.middle is not None:
        for shift in (-0.14, 0.14):
            camera.ground(road.middle + shift - 0.05, road.middle + shift + 0.05, start, end, yellow)
    for line in road.lanes:
        z = (camera.z // 9.0) * 9.0
        while z < camera.z + 120:
            if z + 3 > start:
                camera.ground(line - 0.07, line + 0.07, z, z + 3, white)
            z += 9.0


@cache
def _noise(height: int, width: int) -> Picture:
    return np.random.default_rng(7).integers(0, 9, (height * 2, width * 2, 1), dtype=np.uint8).repeat(3, 2)


_BIAS = 16  # added with the grain and taken off again: OpenCV adds unsigned bytes fastest


@cache
def _tar_grain() -> NDArray[np.int16]:
    """A periodic texture of the ground, 256 x 256 cells of 6 cm."""
    rng = np.random.default_rng(11)
    fine = rng.integers(-8, 9, (256, 256)).astype(np.int16)
    return (fine + np.roll(fine, 1, 1) + np.roll(fine, 1, 0)) // 2


def _grain(camera: Camera, horizon: int) -> None:
    """Roughen the near ground; the grain lies on the road and moves with it."""
    first = min(horizon + int(0.06 * camera.height), camera.height - 1)
    rows = np.arange(first, camera.height, dtype=np.float32) + np.float32(0.5 - camera.horizon)
    depth = np.float32(camera.focal * camera.eye) / rows
    column = np.arange(0, camera.width, 2, dtype=np.float32) - np.float32(camera.middle)
    x = (column[None] * (depth / np.float32(camera.focal))[:, None] + np.float32(camera.x + 40)) * np.float32(
        16
    )
    z = ((depth + np.float32(camera.z)) * np.float32(6)).astype(np.int32) & 255
    fade = np.clip(2560 / depth, 26, 256).astype(np.int16)  # what is finer than a pixel evens out
    grain = (_tar_grain()[z[:, None], x.astype(np.int32) & 255] * fade[:, None] >> 8) + np.int16(_BIAS)
    plane = grain.astype(np.uint8).repeat(2, 1)[:, : camera.width]
    ground = camera.image[first:]
    cv2.add(ground, cv2.merge([plane] * 3), dst=ground)
    cv2.subtract(ground, np.full((1, 3), float(_BIAS)), dst=ground)


def lens(camera: Camera, *, moment: int, bonnet: Colour | None, noise: bool) -> None:
    """What lies between the world and the sensor; `moment` seeds rain and noise of this one picture."""
    image, weather = camera.image, camera.weather
    height, width = image.shape[:2]
    rng = np.random.default_rng(moment)
    if weather.rain:
        _rain(image, rng)
    if bonnet is not None:
        points = np.array(
            [
                (16 * width * u, 16 * height * v)
                for u, v in (
                    (-0.02, 1.02),
                    (-0.02, 0.965),
                    (0.22, 0.925),
                    (0.5, 0.912),
                    (0.78, 0.925),
                    (1.02, 0.965),
                    (1.02, 1.02),
                )
            ]
        ).astype(np.int32)
        cv2.fillPoly(image, [points], shade(bonnet, 0.8), cv2.LINE_AA, 4)
        cv2.polylines(image, [points[1:6]], False, mix(bonnet, weather.haze, 0.6), 1, cv2.LINE_AA, 4)
    if weather.glare:
        _glare(image, weather.glare)
    if noise:
        bank = _noise(height, width)
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        cv2.add(image, bank[top : top + height, left : left + width], dst=image)
        cv2.subtract(image, np.full((1, 3), 4.0), dst=image)


def _rain(image: Picture, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    for u, v, length in rng.random((70, 3)).tolist():
        start = (int(16 * width * u), int(16 * height * v))
        stop = (start[0] + int(10 * (0.5 + length)), start[1] + int(16 * height * 0.05 * (0.4 + length)))
        cv2.line(image, start, stop, (190, 196, 202), 1, cv2.LINE_AA, 4)
    for u, v, size in rng.random((14, 3)).tolist():  # drops on the windscreen: small lenses upside down
        r = 1 + int(height * (0.006 + 0.016 * size))
        x, y = int(r + u * (width - 2 * r - 1)), int(r + v * (height - 2 * r - 1))
        patch = image[y - r : y + r, x - r : x + r]
        drop = cv2.GaussianBlur(np.ascontiguousarray(patch[::-1, ::-1]), (5, 5), 0)
        mask = _disc(r)
        np.copyto(patch, drop, where=mask)
        cv2.circle(image, (x, y), r, (214, 218, 222), 1, cv2.LINE_AA)


@cache
def _disc(radius: int) -> NDArray[np.bool_]:
    at = np.arange(-radius, radius) + 0.5
    return ((at[:, None] ** 2 + at[None] ** 2) < radius * radius)[..., None]


@cache
def _sun(height: int, width: int) -> Picture:
    """A low sun with its halo and two ghosts, 0-255, to be added."""
    rows, columns = np.mgrid[0:height:4, 0:width:4].astype(np.float64)
    picture = np.zeros((*rows.shape, 3))
    for u, v, radius, colour in (
        (0.42, 0.36, 0.62, (210, 180, 120)),
        (0.42, 0.36, 0.13, (255, 250, 235)),
        (0.63, 0.66, 0.05, (60, 90, 50)),
        (0.73, 0.82, 0.08, (80, 50, 60)),
    ):
        reach = np.sqrt((columns / width - u) ** 2 + ((rows / height - v) * height / width) ** 2) / radius
        soft = np.clip(1 - reach, 0, 1)
        picture += (soft * soft)[..., None] * np.array(colour)
    small = np.clip(picture, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def _glare(image: Picture, strength: float) -> None:
    height, width = image.shape[:2]
    sun = _sun(height, width)
    cv2.add(image, (sun * strength).astype(np.uint8) if strength < 1 else sun, dst=image)
