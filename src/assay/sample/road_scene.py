"""Drawn road scenes as a dash camera sees them, with boxes; a clip is the same world while the camera moves on."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.sample import road_backdrop, road_objects, road_surroundings, road_vehicles
from assay.sample.road_camera import NEAR, Camera, Pen
from assay.sample.road_objects import Thing
from assay.sample.road_plan import Plan, plan

XYXY = tuple[float, float, float, float]

PAINTERS = road_objects.PAINTERS | road_vehicles.PAINTERS | road_surroundings.PAINTERS
MIN_HEIGHT = 0.018  # of the picture: smaller objects get no box, as an annotator would not see them
MAX_HIDDEN = 0.7
MIN_INSIDE = 0.4  # share of a box inside the picture
_OPAQUE = {"car": 0.9, "lorry": 1.0, "work_vehicle": 0.9, "message_board": 0.6, "barrier": 1.0, "parcel": 1.0}
_LONG = {"house", "rail", "barrier", "fence", "car", "lorry", "work_vehicle"}
_REACH = 190.0  # metres; farther things are not drawn


@dataclass(frozen=True)
class Shown:
    """An object of a class in a picture, however small."""

    label: str
    xyxy: XYXY  # px, clipped to the picture
    inside: float  # share of the whole box that lies in the picture
    hidden: float  # share behind nearer things
    clear: bool  # large and free enough for an annotator to box it


def scene(
    rng: np.random.Generator, size: tuple[int, int] = (640, 360), *, theme: str | None = None
) -> tuple[NDArray[np.uint8], list[tuple[str, XYXY]]]:
    """Draw one random scene.

    Args:
        rng: decides everything.
        size: width and height in px; from 160 x 90.
        theme: one of `road_plan.THEMES`; None = random, about six in ten a work zone.

    Returns:
        uint8 RGB (height, width, 3), and (class, left top right bottom in px, clipped to the picture) of every object
        that an annotator would box.
    """
    planned = plan(rng, theme=theme)
    picture, shown = render(planned, size, z=float(rng.uniform(0, 12)), moment=int(rng.integers(2**31)))
    return picture, [(thing.label, thing.xyxy) for thing in shown if thing.clear]


def render(
    planned: Plan,
    size: tuple[int, int],
    *,
    z: float,
    time: float = 0.0,
    moment: int = 0,
    noise: bool = True,
) -> tuple[NDArray[np.uint8], list[Shown]]:
    """Draw a planned world as seen from `z` metres along its road.

    Args:
        planned: the world.
        size: width and height in px.
        z: the camera's way so far, metres.
        time: seconds since the start: other cars have moved, lamps blink.
        moment: seed of this picture's rain and noise.
        noise: add the sensor's.

    Returns:
        uint8 RGB (height, width, 3) and every object of a class in it, far to near.
    """
    camera = Camera(
        size, x=planned.camera_x, z=z, bend=planned.bend, pitch=planned.pitch, weather=planned.weather
    )
    road_backdrop.paint(camera, planned.road, planned.clouds)
    things = _moved(planned.things, time)
    drawn = [
        thing
        for thing in things
        if thing.z - z < _REACH and _end(thing) > z + NEAR and _in_view(camera, thing)
    ]
    drawn.sort(key=lambda thing: (thing.kind != "house", -thing.z))
    for thing in drawn:
        PAINTERS[thing.kind](Pen(camera, thing.x, thing.z, thing.size), thing, time)
    shown = _shown(camera, drawn)
    if planned.mirrored:
        camera.image = np.ascontiguousarray(camera.image[:, ::-1])
        shown = [_mirrored(thing, size[0]) for thing in shown]
    road_backdrop.lens(camera, moment=moment, bonnet=planned.bonnet, noise=noise)
    return camera.image, shown


def _mirrored(thing: Shown, width: int) -> Shown:
    left, top, right, low = thing.xyxy
    return replace(thing, xyxy=(width - right, top, width - left, low))


def _moved(things: tuple[Thing, ...], time: float) -> list[Thing]:
    return [
        replace(thing, z=thing.z + thing.speed * time) if thing.speed and time else thing for thing in things
    ]


def _in_view(camera: Camera, thing: Thing) -> bool:
    """Whether any of it can lie in the picture; long things are always drawn."""
    if thing.kind in _LONG:
        return True
    u, _ = camera.project(thing.x, 0.0, thing.z)
    reach = 3.2 * thing.size * camera.scale(thing.z)
    return -reach < u < camera.width + reach


def _end(thing: Thing) -> float:
    """Where a thing ends along the road: long ones are seen until their far side is behind the camera."""
    if thing.kind == "house":
        return thing.z + thing.extent[2] - 2.0
    if thing.kind in ("rail", "barrier"):
        return thing.z + max(thing.extent[2], 2.95) - 0.4
    return thing.z - 0.3


def _whole_box(camera: Camera, thing: Thing) -> XYXY:
    """The box around a thing, unclipped."""
    if thing.kind in ("barrier", "fence"):
        half, high, length = (0.3, 0.82, 2.95) if thing.kind == "barrier" else (0.04, 1.2, 2.4)
        if thing.kind == "fence" and thing.vary[0] <= 0.4:
            half, length = 1.2, 0.0
        left, right = -half, half
    elif thing.kind in road_vehicles.PAINTERS:
        left, right, high, length = road_vehicles.outline(thing)
    else:
        half, high = road_objects.outline(thing)
        left, right, length = -half, half, 0.0
    boxes = [camera.box(thing.x + left, 0.0, thing.x + right, high, thing.z)]
    if length:
        boxes.append(camera.box(thing.x + left, 0.0, thing.x + right, high, thing.z + length))
    lefts, tops, rights, lows = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(lows)


def _shown(camera: Camera, drawn: list[Thing]) -> list[Shown]:
    """The labelled things in view; how much of each is hidden is asked at 5 x 5 points of its box."""
    found: list[Shown] = []
    covers: list[XYXY] = []
    for thing in reversed(drawn):  # near to far: what is nearer covers
        if not thing.label and thing.kind not in _OPAQUE:
            continue
        box = _whole_box(camera, thing)
        if thing.label:
            shown = _one(camera, thing.label, box, covers)
            if shown is not None:
                found.append(shown)
        if thing.kind in _OPAQUE:
            covers.append((box[0], box[3] - _OPAQUE[thing.kind] * (box[3] - box[1]), box[2], box[3]))
    return found[::-1]


def _one(camera: Camera, label: str, box: XYXY, covers: list[XYXY]) -> Shown | None:
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, low = min(box[2], float(camera.width)), min(box[3], float(camera.height))
    if right - left < 1 or low - top < 1:
        return None
    inside = (right - left) * (low - top) / ((box[2] - box[0]) * (box[3] - box[1]))
    hidden = 0
    if covers:
        rects = np.array(covers)
        u = left + (np.arange(5) + 0.5) * (right - left) / 5
        v = top + (np.arange(5) + 0.5) * (low - top) / 5
        across = (u[:, None] > rects[:, 0]) & (u[:, None] < rects[:, 2])
        down = (v[:, None] > rects[:, 1]) & (v[:, None] < rects[:, 3])
        hidden = int((across[:, None] & down[None]).any(axis=2).sum())
    if hidden == 25:
        return None
    clear = low - top >= MIN_HEIGHT * camera.height and inside >= MIN_INSIDE and hidden / 25 <= MAX_HIDDEN
    return Shown(label, (left, top, right, low), inside, hidden / 25, clear)
