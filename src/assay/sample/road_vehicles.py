"""Vehicles, drawn as boxes with a rear (or front) face and the flank that faces the camera."""

from assay.sample.road_camera import CIRCLE, Colour, Pen, Point, mix, shade
from assay.sample.road_objects import AMBER, BLACK, ORANGE, SHADOW, STEEL, WHITE, Painter, Thing

GLASS: Colour = (52, 62, 72)
RED: Colour = (196, 26, 24)

Size = tuple[float, float, float]  # width, height, length in metres


def _flank(pen: Pen, thing: Thing, size: Size) -> float:
    """The x of the flank that faces the camera."""
    return thing.x - size[0] / 2 if thing.x > pen.camera.x else thing.x + size[0] / 2


def _wheel(pen: Pen, x: float, z: float, radius: float) -> None:
    if z + radius < pen.camera.z + 0.9:
        return
    for share, colour in ((1.0, (24, 24, 26)), (0.55, (118, 120, 124))):
        pen.camera.face([(x, radius + share * radius * s, z + share * radius * c) for c, s in CIRCLE], colour)


def _panel(pen: Pen, x: float, outline: tuple[tuple[float, float], ...], z0: float, colour: Colour) -> None:
    """A polygon (z ahead of z0, y) in the plane of the flank."""
    points: list[Point] = [(x, y, z0 + ahead) for ahead, y in outline]
    pen.camera.face(points, colour, convex=len(outline) <= 4)


def _ground_shadow(pen: Pen, thing: Thing, size: Size) -> None:
    half, z = size[0] / 2 + 0.12, thing.z
    pen.camera.face(
        (
            (thing.x - half, 0, z - 0.25),
            (thing.x + half, 0, z - 0.25),
            (thing.x + half, 0, z + size[2]),
            (thing.x - half, 0, z + size[2]),
        ),
        SHADOW,
    )


def car(pen: Pen, thing: Thing, _time: float) -> None:
    """A car of `extent`, seen from behind, or from the front where it comes towards us (negative speed or vary[2])."""
    size = width, height, length = thing.extent
    waist, body = 0.58 * height, thing.colour
    x, z = _flank(pen, thing, size), thing.z
    _ground_shadow(pen, thing, size)
    boxy = height > 1.8
    back = 0.1 if boxy else 0.55 if height < 1.55 else 0.25  # how far the window leans
    roof = height
    if pen.pixels > 5:
        _panel(
            pen,
            x,
            ((0, 0.28), (length, 0.28), (length, 0.8 * waist), (length * 0.72, waist), (0, waist)),
            z,
            shade(body, 0.8),
        )
        inner = thing.x + 0.92 * (x - thing.x)
        _panel(
            pen,
            inner,
            ((back, roof), (0.62 * length, roof), (0.8 * length, waist), (0.05, waist)),
            z,
            shade(body, 0.72),
        )
        if not boxy or thing.vary[0] > 0.7:
            _panel(
                pen,
                inner,
                (
                    (back + 0.12, roof - 0.09),
                    (0.6 * length, roof - 0.09),
                    (0.74 * length, waist),
                    (0.25, waist),
                ),
                z,
                GLASS,
            )
        for at in (0.19 * length, 0.81 * length):
            _wheel(pen, x, z + at, 0.32)
    half = width / 2
    for side in (-1, 1):
        pen.rect(side * (half - 0.14) - 0.12, 0.0, side * (half - 0.14) + 0.12, 0.4, BLACK)
    pen.camera.face(
        (
            (thing.x - half * 0.94, waist, z + 0.05),
            (thing.x + half * 0.94, waist, z + 0.05),
            (thing.x + half * 0.8, roof, z + back),
            (thing.x - half * 0.8, roof, z + back),
        ),
        shade(body, 0.92),
    )
    pen.camera.face(
        (
            (thing.x - half * 0.84, waist + 0.04, z + 0.05),
            (thing.x + half * 0.84, waist + 0.04, z + 0.05),
            (thing.x + half * 0.72, roof - 0.1, z + 0.9 * back),
            (thing.x - half * 0.72, roof - 0.1, z + 0.9 * back),
        ),
        mix(GLASS, (150, 175, 200), 0.25 + 0.3 * thing.vary[1]),
    )
    pen.rect(-half, 0.24, half, waist, body)
    pen.rect(-half, 0.24, half, 0.44, shade(body, 0.55))
    coming = thing.speed < 0 or thing.vary[2] > 0.8
    if pen.pixels > 4:
        lamp = (255, 248, 220) if coming else RED
        for side in (-1, 1):
            pen.rect(
                side * (half - 0.17) - 0.16,
                0.68 * waist,
                side * (half - 0.17) + 0.16,
                0.92 * waist,
                lamp,
                lit=not coming,
            )
        if coming:
            pen.rect(-0.45, 0.5 * waist, 0.45, 0.75 * waist, (30, 30, 32))
        else:
            pen.rect(-0.26, 0.6 * waist, 0.26, 0.6 * waist + 0.14, (228, 228, 220))
    pen.rect(-half, waist - 0.05, half, waist, shade(body, 1.15))


def lorry(pen: Pen, thing: Thing, _time: float) -> None:
    """A box or tipper lorry of `extent` in its colour: no beacon, no stripes, nothing of a work zone."""
    size = width, height, length = thing.extent
    x, z, body = _flank(pen, thing, size), thing.z, thing.colour
    _ground_shadow(pen, thing, size)
    floor = 1.05
    _panel(
        pen,
        x,
        ((0, floor), (0.74 * length, floor), (0.74 * length, height), (0, height)),
        z,
        shade(body, 0.74),
    )
    _panel(
        pen,
        x,
        ((0.77 * length, 0.5), (length, 0.5), (length, 1.9), (0.94 * length, 2.7), (0.77 * length, 2.7)),
        z,
        shade(thing.colour, 0.66),
    )
    _panel(
        pen,
        x,
        ((0.8 * length, 1.7), (0.96 * length, 1.7), (0.92 * length, 2.5), (0.8 * length, 2.5)),
        z,
        GLASS,
    )
    _panel(pen, x, ((0, 0.8), (0.9 * length, 0.8), (0.9 * length, floor), (0, floor)), z, (44, 44, 46))
    if thing.vary[1] > 0.5:
        _panel(pen, x, ((0.2, 1.7), (0.7 * length, 1.7), (0.7 * length, 2.1), (0.2, 2.1)), z, WHITE)
    for at in (0.12 * length, 0.27 * length, 0.88 * length):
        _wheel(pen, x, z + at, 0.5)
    half = width / 2
    for side in (-1, 1):
        pen.rect(side * (half - 0.26) - 0.22, 0.0, side * (half - 0.26) + 0.22, 0.95, BLACK)
    pen.rect(-half, 0.7, half, floor, (46, 46, 48))
    pen.rect(-half, floor, half, height, body)
    if thing.vary[0] > 0.5:  # two doors
        pen.rect(-0.02, floor, 0.02, height, shade(body, 0.7))
        for at in (-0.5 * half, 0.5 * half):
            pen.rect(at - 0.03, floor, at + 0.03, height, shade(STEEL, 0.9))
    else:  # a tipper's ribs
        for k in range(1, 5):
            at = -half + k * width / 5
            pen.rect(at - 0.05, floor, at + 0.05, height, shade(body, 0.8))
        pen.rect(-half, height - 0.12, half, height, shade(body, 1.12))
    pen.rect(-half, floor, half, floor + 0.08, shade(body, 0.6))
    for side in (-1, 1):
        pen.rect(side * (half - 0.2) - 0.13, 0.8, side * (half - 0.2) + 0.13, 0.98, RED)
    pen.rect(-0.26, 0.78, 0.26, 0.92, (226, 226, 218))


def work_vehicle(pen: Pen, thing: Thing, time: float) -> None:
    """A lorry with beacon and chevrons, an excavator, or a roller, by `vary[0]`."""
    if thing.vary[0] < 0.5:
        _chevron_lorry(pen, thing, time)
    elif thing.vary[0] < 0.8:
        _excavator(pen, thing)
    else:
        _roller(pen, thing)


def _chevron_lorry(pen: Pen, thing: Thing, time: float) -> None:
    lorry(pen, Thing(**{**thing.__dict__, "vary": (0.2, 0.0, thing.vary[2])}), time)
    half, height = thing.extent[0] / 2, thing.extent[1]
    step = half / 3
    low, high = 1.12, min(2.2, height - 0.2)
    pen.rect(-half, low, half, high, (240, 210, 40))
    for k in range(3):
        for side in (-1, 1):
            x0, x1 = side * k * step, side * (k + 0.5) * step
            x2, x3 = side * (k + 1.0) * step, side * (k + 0.5) * step
            pen.poly(((x3, low), (x2, low), (x1, high), (x0, high)), (200, 34, 28))
    blink = (time * 1.7 + thing.vary[1]) % 1.0 < 0.5
    for at in (-0.7, 0.7):
        lamp = AMBER if blink == (at > 0) else (150, 96, 20)
        pen.rect(at * half - 0.18, height, at * half + 0.18, height + 0.2, lamp, lit=False)


def _excavator(pen: Pen, thing: Thing) -> None:
    yellow = mix((244, 186, 22), (236, 140, 26), thing.vary[1])
    side = 1 if thing.vary[2] > 0.5 else -1
    _ground_shadow(pen, thing, (2.8, 3.2, 3.5))
    for at in (-1.0, 1.0):
        pen.rect(at - 0.34, 0.0, at + 0.34, 0.8, (40, 38, 36))
        pen.rect(at - 0.34, 0.1, at + 0.34, 0.2, (70, 68, 64))
    pen.rect(-1.35, 0.85, 1.35, 1.9, yellow)
    pen.rect(-1.35, 0.85, 1.35, 1.05, shade(yellow, 0.65))
    pen.rect(-1.2, 1.3, 1.2, 1.42, BLACK)
    pen.rect(side * 0.15, 1.9, side * 1.15, 2.95, shade(yellow, 0.85))
    pen.rect(side * 0.27, 2.0, side * 1.03, 2.8, GLASS)
    arm = shade(yellow, 0.92)
    pen.poly(((-side * 0.5, 1.7), (-side * 0.15, 1.7), (-side * 1.45, 3.95), (-side * 1.7, 3.7)), arm)
    pen.poly(
        ((-side * 1.4, 3.9), (-side * 1.75, 3.7), (-side * 2.35, 1.3), (-side * 2.1, 1.3)), shade(arm, 0.85)
    )
    pen.poly(
        ((-side * 1.8, 0.7), (-side * 2.5, 0.8), (-side * 2.45, 1.4), (-side * 1.95, 1.45)), (70, 66, 60)
    )


def _roller(pen: Pen, thing: Thing) -> None:
    yellow = mix((246, 196, 34), ORANGE, 0.2 * thing.vary[1])
    _ground_shadow(pen, thing, (2.0, 2.4, 3.0))
    pen.oval(0.0, 0.52, 0.95, 0.52, (86, 88, 92))
    pen.rect(-0.95, 0.1, 0.95, 0.94, (96, 98, 102))
    pen.rect(-0.95, 0.7, 0.95, 0.78, (130, 132, 136))
    pen.rect(-1.02, 0.8, 1.02, 1.55, yellow)
    pen.rect(-1.02, 0.8, 1.02, 0.92, shade(yellow, 0.6))
    for at in (-0.85, 0.85):
        pen.rect(at - 0.05, 1.55, at + 0.05, 2.45, BLACK)
    pen.rect(-1.0, 2.4, 1.0, 2.55, shade(yellow, 0.9))
    pen.rect(-0.25, 1.5, 0.25, 2.1, (60, 70, 90))
    pen.oval(0.0, 2.15, 0.12, 0.15, (214, 168, 136))


def outline(thing: Thing) -> tuple[float, float, float, float]:
    """Left, right, height and length in metres of the box around a vehicle, around its middle."""
    if thing.kind == "work_vehicle" and thing.vary[0] >= 0.8:
        return -1.02, 1.02, 2.55, 0.0
    if thing.kind == "work_vehicle" and thing.vary[0] >= 0.5:
        side = 1 if thing.vary[2] > 0.5 else -1
        return (-2.5, 1.35, 3.95, 0.0) if side > 0 else (-1.35, 2.5, 3.95, 0.0)
    width, height, length = thing.extent
    top = height + 0.2 if thing.kind == "work_vehicle" else height
    return -width / 2, width / 2, top, length


PAINTERS: dict[str, Painter] = {"car": car, "lorry": lorry, "work_vehicle": work_vehicle}
