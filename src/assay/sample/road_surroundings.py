"""What stands beside every road: houses, trees, lamps, ordinary signs, bins, passers-by."""

from assay.sample.road_camera import NEAR, Colour, Pen, mix, shade
from assay.sample.road_objects import BLACK, ORANGE, SHADOW, STEEL, WHITE, Painter, Thing

LEAVES: Colour = (74, 112, 52)


def house(pen: Pen, thing: Thing, _time: float) -> None:
    """A building of `extent`: the face towards us, the flank along the road with its windows, a roof or a cornice."""
    camera = pen.camera
    width, height, length = thing.extent
    inner = thing.x - width / 2 if thing.x > camera.x else thing.x + width / 2
    outer = thing.x + width / 2 if thing.x > camera.x else thing.x - width / 2
    near, far = thing.z, thing.z + length
    if far < camera.z + 2:
        return
    near = max(near, camera.z + NEAR)
    wall = thing.colour
    flank, front = (
        shade(wall, 0.94 if thing.vary[0] > 0.5 else 0.72),
        shade(wall, 0.72 if thing.vary[0] > 0.5 else 0.94),
    )
    camera.face(((inner, 0, near), (inner, 0, far), (inner, height, far), (inner, height, near)), flank)
    if thing.z > camera.z + NEAR:
        camera.face(((inner, 0, near), (outer, 0, near), (outer, height, near), (inner, height, near)), front)
    pitched = height < 8 and thing.vary[1] > 0.35
    if pitched and thing.z > camera.z + NEAR:
        middle, roof = (inner + outer) / 2, mix((92, 70, 62), (70, 74, 82), thing.vary[2])
        top = height + 0.3 * width
        camera.face(((inner, height, near), (outer, height, near), (middle, top, near)), shade(front, 0.95))
        camera.face(
            ((inner, height, near), (inner, height, far), (middle, top, far), (middle, top, near)), roof
        )
    elif not pitched:
        camera.face(
            (
                (inner, height - 0.5, near),
                (inner, height - 0.5, far),
                (inner, height, far),
                (inner, height, near),
            ),
            shade(flank, 0.8),
        )
    _windows(pen, thing, inner, outer)


def _windows(pen: Pen, thing: Thing, inner: float, outer: float) -> None:
    camera = pen.camera
    width, height, length = thing.extent
    glass = mix((58, 66, 80), (140, 164, 190), thing.vary[2])
    floors = max(1, int(height / 3.1))
    spacing = 2.6 + 1.8 * thing.vary[1]
    for floor in range(floors):
        y0 = 0.9 + 3.1 * floor
        y1 = min(y0 + 1.6, height - 0.6)
        if thing.z > camera.z + 45:  # far: one band per floor
            camera.face(
                (
                    (inner, y0, thing.z),
                    (inner, y0, thing.z + length),
                    (inner, y1, thing.z + length),
                    (inner, y1, thing.z),
                ),
                mix(glass, thing.colour, 0.45),
            )
            continue
        count = max(1, int(length / spacing))
        for k in range(count):
            z = thing.z + (k + 0.5) * length / count
            if z - 0.6 > camera.z + 1.5 and z < camera.z + 80:
                camera.face(
                    (
                        (inner, y0, z - 0.55),
                        (inner, y0, z + 0.55),
                        (inner, y1, z + 0.55),
                        (inner, y1, z - 0.55),
                    ),
                    glass,
                )
        if thing.z > camera.z + 3 and pen.pixels > 3:
            count = max(1, int(width / spacing))
            for k in range(count):
                x = inner + (k + 0.5) * (outer - inner) / count
                camera.face(
                    (
                        (x - 0.55, y0, thing.z),
                        (x + 0.55, y0, thing.z),
                        (x + 0.55, y1, thing.z),
                        (x - 0.55, y1, thing.z),
                    ),
                    shade(glass, 0.9),
                )


_BLOBS = (
    (0.0, 0.0, 1.0),
    (-0.62, -0.2, 0.66),
    (0.6, -0.25, 0.7),
    (-0.3, 0.55, 0.62),
    (0.38, 0.5, 0.6),
    (0.0, -0.5, 0.7),
)


def tree(pen: Pen, thing: Thing, _time: float) -> None:
    """A broad-leaved tree (`extent` = crown radius, height), or a conifer where `vary[0]` is above .8."""
    radius, height, _ = thing.extent
    leaves = thing.colour
    pen.shadow(radius, 0.5 * radius, SHADOW)
    trunk = (88, 70, 54)
    pen.poly(((-0.16, 0), (0.16, 0), (0.1, height - radius), (-0.1, height - radius)), trunk)
    if thing.vary[0] > 0.8:
        for k in range(4):
            y, half = 0.9 + k * (height - 0.9) / 4.6, radius * (0.85 - 0.17 * k)
            pen.poly(((-half, y), (half, y), (0, y + 0.42 * height)), shade(leaves, 0.62 + 0.08 * k))
        return
    y = height - radius
    sway = thing.vary[1] - 0.5
    near = pen.pixels * radius > 14
    for part, (dx, dy, size) in enumerate(_BLOBS if near else _BLOBS[:4]):
        pen.oval(
            (dx + 0.3 * sway * (part % 3)) * radius,
            y + dy * radius,
            0.72 * size * radius,
            0.66 * size * radius,
            shade(leaves, 0.66 + 0.1 * dy),
        )
    if near:
        for part, (dx, dy, size) in enumerate(_BLOBS):
            r = 0.36 * size * radius
            pen.oval(
                dx * radius - 0.2 * radius + 0.1 * part * sway,
                y + (dy + 0.24) * radius,
                r,
                0.8 * r,
                shade(leaves, 1.0 + 0.16 * dy),
            )
            pen.oval(
                (dx + 0.25) * radius,
                y + (dy + 0.05) * radius,
                0.5 * r,
                0.4 * r,
                shade(leaves, 0.86 + 0.2 * dy),
            )


def lamp(pen: Pen, thing: Thing, _time: float) -> None:
    """A street lamp with an arm over the road."""
    way = -1 if thing.x > 0 else 1
    pen.rect(-0.08, 0, 0.08, 7.2, (84, 88, 92))
    pen.poly(((0, 7.1), (0, 7.25), (way * 2.2, 7.65), (way * 2.2, 7.5)), (84, 88, 92))
    pen.rect(min(way * 1.8, way * 2.6), 7.4, max(way * 1.8, way * 2.6), 7.6, (120, 122, 120))


def road_sign(pen: Pen, thing: Thing, _time: float) -> None:
    """An ordinary sign: stop, speed limit, yellow warning diamond, green direction, blue, parking; `vary[0]` chooses."""
    which = int(thing.vary[0] * 6.999)
    pen.rect(-0.04, 0, 0.04, 2.2, STEEL)
    y = 2.4
    if which == 0:
        for radius, colour in ((0.45, WHITE), (0.41, (190, 24, 30))):
            pen.poly([(radius * u, y + radius * v) for u, v in _OCTAGON], colour)
        pen.rect(-0.28, y - 0.08, 0.28, y + 0.08, WHITE)
    elif which == 1:
        pen.rect(-0.32, y - 0.42, 0.32, y + 0.42, BLACK)
        pen.rect(-0.3, y - 0.4, 0.3, y + 0.4, WHITE)
        pen.rect(-0.2, y + 0.18, 0.2, y + 0.28, BLACK)
        for at in (-0.12, 0.12):
            pen.rect(at - 0.08, y - 0.3, at + 0.08, y + 0.08, BLACK)
            pen.rect(at - 0.04, y - 0.24, at + 0.03, y + 0.02, WHITE)
    elif which in (2, 3):  # yellow, never orange: the look-alike of a temporary sign
        for half, colour in ((0.58, BLACK), (0.54, (250, 214, 24))):
            pen.poly(((0, y - half), (half, y), (0, y + half), (-half, y)), colour)
        pen.rect(-0.06, y - 0.3, 0.06, y + 0.2, BLACK)
        pen.poly(((-0.18, y + 0.1), (0.18, y + 0.1), (0, y + 0.34)), BLACK)
    elif which in (4, 5):
        colour = (16, 110, 66) if which == 4 else (22, 70, 160)
        pen.rect(-1.25, y - 0.1, 1.25, y + 1.2, WHITE)
        pen.rect(-1.2, y - 0.05, 1.2, y + 1.15, colour)
        for at, half in ((y + 0.85, 0.85), (y + 0.4, 0.6)):
            pen.rect(-half, at - 0.1, half, at + 0.1, WHITE)
        pen.rect(-0.9, 0, -0.82, 2.4, STEEL)
        pen.rect(0.82, 0, 0.9, 2.4, STEEL)
    else:
        pen.poly(((-0.45, y + 0.4), (0.45, y + 0.4), (0, y - 0.4)), (200, 30, 34))
        pen.poly(((-0.28, y + 0.29), (0.28, y + 0.29), (0, y - 0.2)), WHITE)


_OCTAGON = (
    (1.0, 0.414),
    (0.414, 1.0),
    (-0.414, 1.0),
    (-1.0, 0.414),
    (-1.0, -0.414),
    (-0.414, -1.0),
    (0.414, -1.0),
    (1.0, -0.414),
)


def bin_(pen: Pen, thing: Thing, _time: float) -> None:
    """A wheeled bin in its colour."""
    pen.shadow(0.45, 0.3, SHADOW)
    body = thing.colour
    pen.poly(((-0.27, 0.08), (0.27, 0.08), (0.33, 1.0), (-0.33, 1.0)), body)
    pen.poly(((0.1, 0.08), (0.27, 0.08), (0.33, 1.0), (0.13, 1.0)), shade(body, 0.78))
    pen.rect(-0.36, 1.0, 0.36, 1.1, shade(body, 0.65))
    pen.oval(-0.2, 0.1, 0.1, 0.1, BLACK)


def tarp(pen: Pen, thing: Thing, _time: float) -> None:
    """A heap under a tarpaulin in its colour."""
    pen.shadow(1.4, 0.5, SHADOW)
    body = thing.colour
    pen.poly(((-1.3, 0), (1.3, 0), (0.9, 0.75), (0.2, 1.05), (-0.8, 0.8)), body)
    pen.poly(((0.2, 0), (1.3, 0), (0.9, 0.75), (0.2, 1.05)), shade(body, 0.8))
    pen.poly(((-0.7, 0), (-0.55, 0), (-0.4, 0.85), (-0.5, 0.85)), shade(body, 0.7))


def banner(pen: Pen, thing: Thing, _time: float) -> None:
    """A shop's banner or parasol in its colour."""
    if thing.vary[0] > 0.5:
        pen.rect(-0.04, 0, 0.04, 2.4, (200, 200, 195))
        pen.poly(((-1.4, 1.95), (1.4, 1.95), (0, 2.6)), thing.colour)
        pen.poly(((-0.45, 1.95), (0.45, 1.95), (0, 2.6)), WHITE)
        return
    pen.rect(-0.05, 0, 0.05, 2.6, STEEL)
    pen.rect(0.05, 0.8, 0.85, 2.6, thing.colour)
    pen.rect(0.2, 1.3, 0.7, 1.45, WHITE)
    pen.rect(0.2, 1.8, 0.7, 2.2, WHITE)


def hydrant(pen: Pen, thing: Thing, _time: float) -> None:
    """A hydrant or a bollard in its colour: short, upright, no bands."""
    pen.shadow(0.25, 0.16, SHADOW)
    pen.rect(-0.13, 0, 0.13, 0.62, thing.colour)
    pen.oval(0.0, 0.64, 0.15, 0.13, shade(thing.colour, 0.9))
    pen.rect(-0.22, 0.4, 0.22, 0.5, shade(thing.colour, 0.8))


def walker(pen: Pen, thing: Thing, time: float) -> None:
    """A passer-by in a coat of the thing's colour; no vest, no helmet."""
    swing = abs((time * 1.3 + thing.vary[2]) % 2.0 - 1.0) - 0.5
    pen.shadow(0.35, 0.22, SHADOW)
    skin = mix((226, 178, 146), (104, 70, 50), thing.vary[2])
    for side, light in ((-1, 1.0), (1, 0.8)):
        foot = side * 0.09 + side * 0.3 * swing
        pen.poly(
            ((foot - 0.07, 0), (foot + 0.07, 0), (side * 0.02 + 0.1, 0.85), (side * 0.02 - 0.1, 0.85)),
            shade((52, 56, 70), light),
        )
    pen.poly(((-0.2, 0.72), (0.2, 0.72), (0.23, 1.42), (-0.23, 1.42)), thing.colour)
    pen.poly(((0.06, 0.72), (0.2, 0.72), (0.23, 1.42), (0.08, 1.42)), shade(thing.colour, 0.8))
    pen.oval(0, 1.56, 0.11, 0.14, skin)
    pen.oval(0, 1.63, 0.115, 0.09, mix((40, 30, 24), (150, 120, 80), thing.vary[1]))


def rail(pen: Pen, thing: Thing, _time: float) -> None:
    """A piece of steel guard rail, `extent[2]` metres along the road."""
    camera, x, near, far = pen.camera, thing.x, thing.z, thing.z + thing.extent[2]
    if near > camera.z + NEAR:
        pen.rect(-0.06, 0, 0.06, 0.7, (110, 112, 112))
    for y0, y1, light in ((0.48, 0.62, 0.9), (0.62, 0.8, 1.1)):
        camera.face(((x, y0, near), (x, y0, far), (x, y1, far), (x, y1, near)), shade((158, 162, 164), light))


def parcel(pen: Pen, thing: Thing, _time: float) -> None:
    """A stack of crates or a skip in its colour."""
    pen.shadow(1.2, 0.5, SHADOW)
    pen.poly(((-1.0, 0), (1.0, 0), (1.2, 1.2), (-1.2, 1.2)), thing.colour)
    pen.poly(((0.3, 0), (1.0, 0), (1.2, 1.2), (0.4, 1.2)), shade(thing.colour, 0.82))
    for at in (-0.6, 0.0, 0.6):
        pen.rect(at - 0.04, 0.05, at + 0.04, 1.15, shade(thing.colour, 0.7))


PAINTERS: dict[str, Painter] = {
    "house": house,
    "tree": tree,
    "lamp": lamp,
    "road_sign": road_sign,
    "bin": bin_,
    "tarp": tarp,
    "banner": banner,
    "hydrant": hydrant,
    "walker": walker,
    "rail": rail,
    "parcel": parcel,
}
LOOKALIKE_ORANGE = (mix(ORANGE, (236, 120, 40), 0.5), (226, 104, 30), (244, 128, 36), (214, 84, 34))
