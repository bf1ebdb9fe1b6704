"""What stands where in a drawn world: a road, its surroundings, its traffic, and what a theme adds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.sample.road_backdrop import WEATHERS, Road
from assay.sample.road_camera import Colour, Weather, mix
from assay.sample.road_objects import Thing
from assay.sample.road_surroundings import LEAVES
from assay.sample.road_themes import LOOKALIKES, between, pick, vary, work_zone

# Theme -> how often a random scene has it. All but the first hold no work zone.
THEMES = {
    "work_zone": 0.62,
    "random_cones": 0.08,
    "roadside_signs": 0.07,
    "orange_trucks": 0.08,
    "weather_artifacts": 0.05,
    "other_lookalike": 0.06,
    "plain": 0.04,
}
LENGTH = 300.0  # metres of road with things beside it

_PAINTS: tuple[Colour, ...] = (
    (236, 236, 234), (38, 40, 44), (150, 154, 160), (92, 98, 108), (168, 30, 34), (34, 62, 120),
    (196, 190, 176), (60, 84, 66), (214, 214, 218),
)  # fmt: skip
_WALLS: tuple[Colour, ...] = (
    (150, 84, 66), (176, 112, 86), (206, 196, 178), (190, 186, 180), (132, 126, 122), (214, 204, 188),
    (120, 94, 84), (168, 150, 124), (226, 222, 214),
)  # fmt: skip
_COATS: tuple[Colour, ...] = (
    (46, 52, 70),
    (120, 40, 44),
    (80, 80, 84),
    (170, 150, 120),
    (60, 90, 80),
    (226, 104, 40),
)


@dataclass(frozen=True)
class Plan:
    """A world, and where in it the camera drives."""

    theme: str
    road: Road
    weather: Weather
    things: tuple[Thing, ...]
    camera_x: float
    bend: float
    pitch: float
    clouds: int
    bonnet: Colour | None
    mirrored: bool  # traffic keeps to the left
    zone: tuple[float, float] | None  # metres along the road at which the work zone begins and ends


def plan(
    rng: np.random.Generator,
    *,
    theme: str | None = None,
    place: str | None = None,
    weather: str | None = None,
    zone: tuple[float, float] | None = None,
) -> Plan:
    """Plan a world.

    Args:
        rng: decides what the arguments leave open.
        theme: one of `THEMES`.
        place: city, suburb or highway.
        weather: one of `road_backdrop.WEATHERS`.
        zone: where a work zone begins and ends, metres along the road.
    """
    theme = theme or str(rng.choice(list(THEMES), p=list(THEMES.values())))
    if weather is None:
        odd = theme == "weather_artifacts"
        names, shares = (
            (["rain", "glare"], [0.5, 0.5])
            if odd
            else (
                ["clear", "autumn", "overcast", "dusk", "mist", "rain", "glare"],
                [0.3, 0.18, 0.22, 0.09, 0.07, 0.08, 0.06],
            )
        )
        weather = str(rng.choice(names, p=shares))
    place = place or str(rng.choice(["city", "suburb", "highway"], p=[0.45, 0.33, 0.22]))
    road, camera_x = _road(rng, place)
    things = list(_surroundings(rng, place, road))
    closed = theme == "work_zone"
    if closed and zone is None:
        start = between(rng, -28, 55)
        zone = (start, start + between(rng, 30, 90))
    things += _traffic(rng, road, camera_x, closed=zone if closed else None)
    if closed and zone is not None:
        things += work_zone(rng, road, camera_x, zone)
    else:
        zone = None
        things += LOOKALIKES[theme](rng, road)
    return Plan(
        theme=theme,
        road=road,
        weather=WEATHERS[weather],
        things=tuple(things),
        camera_x=camera_x + between(rng, -0.3, 0.3),
        bend=float(rng.choice([0.0, 0.0, 1.0, -1.0]) * rng.uniform(0.0002, 0.0014)),
        pitch=between(rng, 0.40, 0.52),
        clouds=int(rng.integers(2**31)),
        bonnet=_PAINTS[int(rng.integers(len(_PAINTS)))] if rng.random() < 0.5 else None,
        mirrored=rng.random() < 0.3,
        zone=zone,
    )


def _road(rng: np.random.Generator, place: str) -> tuple[Road, float]:
    """A cross-section and the x of the lane that the camera drives in: the one left of the rightmost."""
    lanes: tuple[float, ...]
    middle: float | None
    if place == "highway":
        lanes, left, right, middle, camera = (-3.6, 0.0, 3.6), -7.6, 9.6, None, 1.8
        pavement = 0.0
    elif place == "city" and rng.random() < 0.6:
        lanes, left, right, middle, camera = (-3.4, 3.4), -7.4, 7.4, 0.0, 1.75
        pavement = 3.2
    else:
        lanes, left, right, middle, camera = (), -5.8, 6.6, 0.0, 1.75
        pavement = 2.2 if rng.random() < 0.7 else 0.0
    grey = between(rng, 78, 124)
    tar = (grey * 1.01, grey, grey * between(rng, 0.95, 1.03))
    grass = mix((94, 116, 62), (142, 128, 84), float(rng.random()))
    verge = grass if place != "city" else (140, 136, 130)
    patches = tuple(
        (
            between(rng, left, right - 1), between(rng, 0, LENGTH), between(rng, 0.4, 2.8),
            between(rng, 1, 9), between(rng, 0.8, 1.12),
        )
        for _ in range(14)
    )  # fmt: skip
    high = 0.16 if place == "city" else 0.05
    skyline = tuple(
        (float(rng.random()), between(rng, 0.02, 0.09), between(rng, 0.01, high))
        for _ in range(16 if place == "city" else 9)
    )
    return Road(lanes, left, right, middle, pavement, tar, verge, patches, skyline), camera


def _surroundings(rng: np.random.Generator, place: str, road: Road) -> Iterator[Thing]:
    leaves = mix(LEAVES, (176, 110, 40), float(rng.random() ** 2))
    for side, edge in ((-1, road.left), (1, road.right)):
        if place != "highway":
            yield from _houses(
                rng, place, side, edge + side * (road.pavement + (0.4 if place == "city" else 7.0))
            )
        else:
            for z in np.arange(-4, 160, 4.0).tolist():
                yield Thing("rail", edge + side * 1.2, z, extent=(0, 0, 4.0))
        z = between(rng, 2, 14)
        gap = {"city": 17.0, "suburb": 12.0, "highway": 10.0}[place]
        while z < LENGTH:
            away = between(rng, 1.4, 2.6) if place == "city" else between(rng, 2.6, 16)
            crown = between(rng, 1.3, 2.7)
            yield Thing(
                "tree", edge + side * away, z, colour=mix(leaves, (120, 130, 70), between(rng, 0, 0.5)),
                vary=vary(rng), extent=(crown, crown * 2 + between(rng, 1.2, 3.0), 0),
            )  # fmt: skip
            z += between(rng, 0.5, 1.6) * gap
        for z in np.arange(between(rng, 0, 28), 200, 34.0).tolist():
            yield Thing("lamp", edge + side * 0.7, z)
        if place != "highway":
            for _ in range(int(rng.integers(0, 6))):
                at = edge + side * float(rng.uniform(0.8, max(1.2, road.pavement - 0.4)))
                yield Thing(
                    "walker",
                    at,
                    between(rng, 6, 120),
                    colour=pick(rng, _COATS[:5]),
                    vary=vary(rng),
                    speed=between(rng, -1.2, 1.2),
                )
        for _ in range(int(rng.integers(0, 3))):
            yield Thing(
                "road_sign",
                edge + side * between(rng, 0.6, 1.6),
                between(rng, 10, 120),
                vary=vary(rng),
            )


def _houses(rng: np.random.Generator, place: str, side: int, edge: float) -> Iterator[Thing]:
    z = between(rng, -20, -4)
    while z < LENGTH:
        if place == "city":
            wide, high, long = (
                between(rng, 9, 16),
                between(rng, 6, 24),
                between(rng, 12, 30),
            )
            gap = float(rng.choice([0.1, 0.1, 4.0, 14.0]))
        else:
            wide, high, long = (
                between(rng, 8, 12),
                between(rng, 3.4, 6.4),
                between(rng, 8, 14),
            )
            gap = between(rng, 6, 26)
        yield Thing(
            "house",
            edge + side * wide / 2,
            z,
            colour=pick(rng, _WALLS),
            vary=vary(rng),
            extent=(wide, high, long),
        )
        z += long + gap


def _a_car(rng: np.random.Generator, x: float, z: float, speed: float) -> Thing:
    kind = float(rng.random())
    extent = (1.8, 1.45, 4.4) if kind < 0.5 else (1.9, 1.72, 4.6) if kind < 0.85 else (2.0, 2.3, 5.2)
    one, two, three = vary(rng)
    return Thing(
        "car",
        x,
        z,
        colour=pick(rng, _PAINTS),
        vary=(one, two, 0.7 * three),
        speed=speed,
        extent=extent,
    )


def _traffic(
    rng: np.random.Generator, road: Road, camera_x: float, closed: tuple[float, float] | None
) -> Iterator[Thing]:
    """Cars in the open lanes, and parked ones; none in a closed lane."""
    if rng.random() < 0.6:
        yield _a_car(
            rng,
            camera_x + between(rng, -0.2, 0.2),
            between(rng, 24, 70),
            between(rng, 8, 12),
        )
    if rng.random() < 0.15:
        lorry = Thing(
            "lorry",
            camera_x,
            between(rng, 80, 130),
            colour=pick(rng, _PAINTS),
            vary=vary(rng),
            speed=10.0,
            extent=(2.5, 3.6, 8.5),
        )
        yield lorry
    oncoming = -1.0 if road.middle is not None else 1.0
    for lane in (-1.75, -5.2) if road.middle is not None else (-1.8, -5.4):
        if lane < road.left + 1.2:
            continue
        for _ in range(int(rng.integers(0, 3))):
            yield _a_car(rng, lane, between(rng, 9, 150), oncoming * between(rng, 8, 12))
    if closed is None:
        for _ in range(int(rng.integers(0, 5))):
            lane = road.right - 1.45 if road.middle is not None else 5.4
            yield _a_car(
                rng,
                lane,
                between(rng, 8, 160),
                0.0 if road.middle is not None else between(rng, 9, 13),
            )
