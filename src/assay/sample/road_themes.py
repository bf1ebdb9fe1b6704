"""What a theme puts beside the road: a work zone, or one of the things that look like one."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from assay.sample.road_backdrop import Road
from assay.sample.road_camera import Colour, mix
from assay.sample.road_objects import Thing
from assay.sample.road_surroundings import LOOKALIKE_ORANGE


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number, uniform in the range."""
    return float(rng.uniform(low, high))


def vary(rng: np.random.Generator) -> tuple[float, float, float]:
    """Three numbers, 0-1, that make a thing differ from others of its kind."""
    one, two, three = rng.random(3).tolist()
    return one, two, three


def pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of the colours, a little greyed."""
    return mix(colours[int(rng.integers(len(colours)))], (128, 128, 128), between(rng, 0, 0.15))


def work_zone(
    rng: np.random.Generator, road: Road, camera_x: float, zone: tuple[float, float]
) -> Iterator[Thing]:
    """Advance signs, a taper from the kerb to the lane's edge, a row along it, and the work behind it."""
    start, end = zone
    edge, lane = road.right - 0.5, camera_x + 1.75
    lane = min(lane, edge - 1.6)
    for ahead in (between(rng, 28, 40), between(rng, 12, 22)):
        yield _object(
            rng, "temporary_traffic_control_sign", road.right + between(rng, 0.2, 1.2), start - ahead
        )
    for z in rng.uniform(start, end, int(rng.integers(0, 3))).tolist():
        yield _object(rng, "temporary_traffic_control_sign", between(rng, lane + 0.9, road.right + 1.2), z)
    if rng.random() < 0.45:
        ahead = between(rng, -30, 26)  # before the zone or in it
        yield _object(rng, "message_board", road.right - 0.4, start - ahead)
    row = str(rng.choice(["cone", "drum", "tubular_marker", "vertical_panel"], p=[0.5, 0.34, 0.08, 0.08]))
    taper, step = min(18.0, 0.4 * (end - start)), between(rng, 2.4, 5.5)
    z = start
    while z < end:
        share = min(1.0, (z - start) / taper, (end - z) / 6.0 + 0.15)
        if rng.random() > 0.06:
            yield _object(rng, row, edge + (lane - edge) * share + between(rng, -0.12, 0.12), z)
        z += step
    middle, free = (lane + edge) / 2 + 0.3, (start + taper, end - 4.0)
    if rng.random() < 0.45:
        yield _object(rng, "arrow_board", middle, start + taper - 2)
    for _ in range(int(rng.integers(0, 4))):
        yield _object(
            rng,
            "barricade",
            between(rng, lane + 0.9, edge + 1.4),
            between(rng, free[0] - 6, free[1]),
        )
    for _ in range(int(rng.integers(1, 6))):
        yield _object(rng, "worker", between(rng, lane + 0.7, edge + 2.0), between(rng, *free))
    for _ in range(int(rng.integers(0, 3))):
        vehicle = _object(rng, "work_vehicle", middle, between(rng, *free))
        paint = pick(rng, ((240, 240, 236), (244, 190, 40), (240, 120, 40)))
        yield replace(vehicle, extent=(2.4, between(rng, 2.4, 3.2), 7.0), colour=paint)
    if rng.random() < 0.3:
        long = between(rng, 9, 30)
        yield from _row(_object(rng, "barrier", lane + 0.5, free[0]), min(free[0] + long, end), 3.0)
    if rng.random() < 0.3:
        stretch = _object(rng, "fence", edge + 1.3, free[0])
        yield from _row(replace(stretch, vary=(0.9, *stretch.vary[1:])), min(free[0] + 20, end), 2.4)
    if rng.random() < 0.5:
        yield Thing("tarp", edge + 2.2, between(rng, *free), colour=(112, 92, 70), vary=vary(rng))


def _row(first: Thing, end: float, step: float) -> Iterator[Thing]:
    for z in np.arange(first.z, end, step).tolist():
        yield replace(first, z=z)


def _object(rng: np.random.Generator, kind: str, x: float, z: float) -> Thing:
    look = vary(rng)
    size = between(rng, 0.92, 1.1) if kind != "cone" else float(rng.choice([0.7, 0.95, 1.0, 1.2]))
    return Thing(kind, x, z, label=kind, size=size, vary=look)


def _stored_cones(rng: np.random.Generator, road: Road) -> Iterator[Thing]:
    """Cones that close nothing: a huddle on the pavement, a pair before a garage, one forgotten at the kerb."""
    for _ in range(int(rng.integers(3, 7))):
        x, z = road.right + between(rng, 0.6, 3.4), between(rng, 8, 150)
        if rng.random() < 0.3:
            x = road.left - between(rng, 0.6, 3.0)
        for _ in range(int(rng.integers(1, 6))):
            yield _object(rng, "cone", x + between(rng, -0.7, 0.7), z + between(rng, -0.8, 0.8))


def _ordinary_signs(rng: np.random.Generator, road: Road) -> Iterator[Thing]:
    for _ in range(int(rng.integers(5, 11))):
        side = 1 if rng.random() < 0.7 else -1
        edge = road.right if side > 0 else road.left
        yield Thing(
            "road_sign",
            edge + side * between(rng, 0.4, 2.0),
            between(rng, 7, 190),
            vary=vary(rng),
            size=between(rng, 0.9, 1.3),
        )


def _orange_lorries(rng: np.random.Generator, road: Road) -> Iterator[Thing]:
    for k in range(int(rng.integers(2, 6))):
        parked = rng.random() < 0.6
        speed = 0.0 if parked else -9.0 if road.middle is not None else 9.0
        yield Thing(
            "lorry",
            road.right - 1.6 if parked else -1.8,
            between(rng, 9, 26) + 24 * k,
            colour=pick(rng, LOOKALIKE_ORANGE),
            vary=vary(rng),
            speed=speed,
            extent=(2.4, between(rng, 2.7, 3.7), between(rng, 6, 9)),
        )


def _orange_things(rng: np.random.Generator, road: Road) -> Iterator[Thing]:
    for _ in range(int(rng.integers(8, 19))):
        kind = str(rng.choice(["bin", "tarp", "banner", "hydrant", "walker", "parcel"]))
        x = road.right + between(rng, 0.5, 3.2)
        if rng.random() < 0.35:
            x = road.left - between(rng, 0.5, 3.2)
        yield Thing(kind, x, between(rng, 7, 160), colour=pick(rng, LOOKALIKE_ORANGE), vary=vary(rng))


def _nothing(_rng: np.random.Generator, _road: Road) -> Iterator[Thing]:
    yield from ()


LOOKALIKES: dict[str, Callable[[np.random.Generator, Road], Iterator[Thing]]] = {
    "random_cones": _stored_cones,
    "roadside_signs": _ordinary_signs,
    "orange_trucks": _orange_lorries,
    "weather_artifacts": _nothing,
    "other_lookalike": _orange_things,
    "plain": _nothing,
}
