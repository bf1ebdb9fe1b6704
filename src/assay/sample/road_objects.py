"""The objects of a work zone, drawn: cones, drums, boards, signs, workers. Each painter is given a pen and a `Thing`."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from assay.sample.road_camera import Colour, Pen, mix, shade

ORANGE: Colour = (250, 98, 22)
WHITE: Colour = (238, 238, 232)
BLACK: Colour = (26, 26, 28)
STEEL: Colour = (150, 153, 156)
AMBER: Colour = (255, 186, 46)
SHADOW: Colour = (48, 48, 52)


@dataclass(frozen=True)
class Thing:
    """One object of a scene, where it stands at time 0 and what varies between two of its kind."""

    kind: str
    x: float  # metres right of the road's middle
    z: float  # metres along the road: its near side
    label: str = ""  # class; "" = nothing a detector looks for
    size: float = 1.0
    colour: Colour = (128, 128, 128)
    vary: tuple[float, float, float] = (0.5, 0.5, 0.5)  # 0-1 each; what they change is the painter's affair
    speed: float = 0.0  # metres per second along the road
    extent: tuple[float, float, float] = (0, 0, 0)  # width, height, length in metres, where they differ


def cone(pen: Pen, thing: Thing, _time: float) -> None:
    """A cone of 0.75 m with two reflective bands."""
    orange = mix(ORANGE, (230, 60, 20), thing.vary[0])
    pen.shadow(0.34, 0.22, SHADOW)
    pen.rect(-0.2, 0.0, 0.2, 0.05, mix(BLACK, orange, 0.75 * (thing.vary[1] > 0.4)))
    if pen.pixels < 8:
        pen.poly(((-0.14, 0.05), (0.14, 0.05), (0.04, 0.75), (-0.04, 0.75)), orange)
        pen.rect(-0.09, 0.36, 0.09, 0.5, WHITE)
        return
    for y0, y1, colour in (
        (0.05, 0.30, orange),
        (0.30, 0.44, WHITE),
        (0.44, 0.52, orange),
        (0.52, 0.60, WHITE),
        (0.60, 0.75, orange),
    ):
        w0, w1 = 0.15 - 0.16 * y0, 0.15 - 0.16 * y1
        pen.poly(((-w0, y0), (w0, y0), (w1, y1), (-w1, y1)), colour)
        pen.poly(((0.25 * w0, y0), (w0, y0), (w1, y1), (0.25 * w1, y1)), shade(colour, 0.8))


def drum(pen: Pen, thing: Thing, _time: float) -> None:
    """A plastic drum of 1 m, orange and white in turn, on a black foot."""
    orange = mix(ORANGE, (240, 120, 40), thing.vary[0])
    pen.shadow(0.5, 0.3, SHADOW)
    pen.rect(-0.34, 0.0, 0.34, 0.09, BLACK)
    edges = (0.08, 0.26, 0.42, 0.58, 0.74, 1.0)
    for k, (y0, y1) in enumerate(pairwise(edges)):
        colour = WHITE if k % 2 else orange
        w0, w1 = 0.30 - 0.06 * y0, 0.30 - 0.06 * y1
        pen.poly(((-w0, y0), (w0, y0), (w1, y1), (-w1, y1)), colour)
        if pen.pixels > 10:
            pen.poly(((0.4 * w0, y0), (w0, y0), (w1, y1), (0.4 * w1, y1)), shade(colour, 0.76))
            pen.poly(((-w0, y0), (-0.7 * w0, y0), (-0.7 * w1, y1), (-w1, y1)), shade(colour, 0.9))
    pen.rect(-0.09, 1.0, 0.09, 1.06, shade(orange, 0.7))


def _stripes(pen: Pen, half: float, middle: float, lean: float) -> None:
    """A white rail, `half` metres to each side, with leaning orange stripes."""
    y0, y1, step = middle - 0.11, middle + 0.13, 0.36
    if pen.pixels * step < 1.2:  # finer than a pixel: the eye sees their mixture
        pen.rect(-half, y0, half, y1, mix(ORANGE, WHITE, 0.45))
        return
    pen.rect(-half, y0, half, y1, WHITE)
    low, high = max(lean, 0.0), max(-lean, 0.0)
    x = -half
    while x < half - 0.02:
        end = min(x + step * 0.55, half)
        bottom, top = (min(x + low, half), min(end + low, half)), (min(x + high, half), min(end + high, half))
        pen.poly(((bottom[0], y0), (bottom[1], y0), (top[1], y1), (top[0], y1)), ORANGE)
        x += step


def barricade(pen: Pen, thing: Thing, _time: float) -> None:
    """Striped rails on two legs: three rails of 2 m, or one rail on a folding trestle."""
    wide = thing.vary[0] > 0.45
    half, rails = (1.05, (0.42, 0.86, 1.30)) if wide else (0.5, (0.45, 0.78))
    pen.shadow(half + 0.1, 0.3, SHADOW)
    lean = 0.16 if thing.vary[1] > 0.5 else -0.16
    for side in (-0.8, 0.8):
        pen.rect(side * half - 0.04, 0.0, side * half + 0.04, rails[-1] + 0.1, shade(STEEL, 0.9))
        pen.rect(side * half - 0.16, 0.0, side * half + 0.16, 0.06, shade(STEEL, 0.6))
    for y in rails:
        _stripes(pen, half, y, lean)
    if wide and thing.vary[2] > 0.4:
        for side in (-0.75, 0.75):
            pen.oval(side * half, rails[-1] + 0.24, 0.09, 0.1, AMBER)


def sign(pen: Pen, thing: Thing, _time: float) -> None:
    """A temporary sign: an orange diamond or board with black border and symbol, on a stand."""
    board = thing.vary[0] > 0.72
    orange = mix((255, 122, 20), (240, 90, 30), thing.vary[1])
    pen.shadow(0.5, 0.3, SHADOW)
    for side in (-1, 1):
        pen.poly(((side * 0.5, 0.0), (side * 0.58, 0.0), (side * 0.08, 0.75), (0.0, 0.75)), shade(STEEL, 0.7))
    pen.rect(-0.035, 0.3, 0.035, 1.3, shade(STEEL, 0.8))
    if board:
        pen.rect(-0.62, 1.0, 0.62, 1.95, BLACK)
        pen.rect(-0.58, 1.04, 0.58, 1.91, orange)
        for y, half in ((1.72, 0.42), (1.46, 0.36), (1.2, 0.46)):
            _letters(pen, -half, y - 0.07, half, y + 0.07)
        return
    for half, colour in ((0.68, BLACK), (0.63, orange)):
        pen.poly(((0, 1.55 - half), (half, 1.55), (0, 1.55 + half), (-half, 1.55)), colour)
    _symbol(pen, thing.vary[2])


def _letters(pen: Pen, x0: float, y0: float, x1: float, y1: float) -> None:
    if pen.pixels < 14:
        pen.rect(x0, y0 + 0.02, x1, y1 - 0.02, (80, 50, 30))
        return
    x = x0
    while x < x1:
        pen.rect(x, y0, min(x + 0.075, x1), y1, BLACK)
        x += 0.125


def _symbol(pen: Pen, which: float) -> None:
    if which < 0.35:  # a worker with a shovel
        pen.oval(0.02, 1.86, 0.07, 0.08, BLACK)
        pen.poly(((-0.1, 1.5), (0.1, 1.52), (0.1, 1.78), (-0.04, 1.78)), BLACK)
        pen.poly(((-0.2, 1.24), (-0.1, 1.24), (0.06, 1.52), (-0.08, 1.52)), BLACK)
        pen.poly(((0.12, 1.24), (0.22, 1.24), (0.08, 1.52), (-0.04, 1.52)), BLACK)
        pen.poly(((-0.34, 1.3), (-0.28, 1.26), (0.2, 1.66), (0.16, 1.7)), BLACK)
    elif which < 0.7:  # a bent arrow
        pen.poly(((0.1, 1.2), (0.2, 1.2), (0.2, 1.5), (0.1, 1.52)), BLACK)
        pen.poly(((0.1, 1.5), (0.2, 1.5), (-0.08, 1.78), (-0.16, 1.72)), BLACK)
        pen.poly(((-0.3, 1.84), (-0.22, 1.56), (-0.02, 1.76)), BLACK)
    else:
        for y, half in ((1.72, 0.26), (1.55, 0.42), (1.38, 0.26)):
            _letters(pen, -half, y - 0.06, half, y + 0.06)


def _trailer(pen: Pen, half: float, colour: Colour) -> None:
    pen.shadow(half + 0.3, 0.8, SHADOW)
    for side in (-0.62, 0.62):
        pen.oval(side * half, 0.3, 0.17, 0.3, BLACK)
        pen.oval(side * half, 0.3, 0.08, 0.14, STEEL)
    pen.rect(-0.85 * half, 0.42, 0.85 * half, 0.82, colour)
    pen.rect(-0.85 * half, 0.42, 0.85 * half, 0.5, shade(colour, 0.7))
    pen.rect(-0.09, 0.8, 0.09, 1.9, shade(STEEL, 0.8))


def message_board(pen: Pen, thing: Thing, _time: float) -> None:
    """A trailer with a dark panel on which amber letters stand in two or three rows."""
    _trailer(pen, 1.2, mix(ORANGE, (190, 190, 185), thing.vary[2] > 0.6))
    pen.rect(-1.45, 1.55, 1.45, 3.05, (70, 72, 74))
    pen.rect(-1.38, 1.62, 1.38, 2.98, (18, 18, 20))
    rows = 3 if thing.vary[0] > 0.4 else 2
    for row in range(rows):
        y = 2.98 - (row + 0.5) * 1.36 / rows
        half = 0.65 + 0.6 * ((thing.vary[1] * (row + 3) * 7.3) % 1.0)
        if pen.pixels < 12:
            pen.rect(-half, y - 0.1, half, y + 0.1, shade(AMBER, 0.62), lit=False)
            continue
        x, step = -half, 0.24
        while x < half:
            tall = 0.17 if (int(x * 40) + row) % 3 else 0.09
            pen.rect(x, y - 0.17, x + 0.05, y + tall, AMBER, lit=False)
            pen.rect(x, y + tall - 0.05, x + 0.15, y + tall, AMBER, lit=False)
            pen.rect(x + 0.1, y - 0.17, x + 0.15, y + (0.02 if row % 2 else 0.17), AMBER, lit=False)
            x += step


def arrow_board(pen: Pen, thing: Thing, time: float) -> None:
    """A trailer with a black panel on which lamps make a blinking arrow."""
    _trailer(pen, 1.05, mix((238, 150, 30), ORANGE, thing.vary[2]))
    pen.rect(-1.22, 1.45, 1.22, 2.75, (38, 38, 40))
    way = 1 if thing.vary[0] > 0.5 else -1
    on = (time * 1.4 + thing.vary[1]) % 1.0 < 0.72
    lamp = AMBER if on else (74, 62, 34)
    radius = 0.085
    spots = [(-0.85 + 0.34 * k, 2.1) for k in range(6)]
    spots += [(0.85 - 0.27 * k, 2.1 + 0.22 * k * up) for k in (1, 2) for up in (-1, 1)]
    for x, y in spots:
        if on and pen.pixels > 9:
            pen.oval(way * x, y, 1.5 * radius, 1.5 * radius, shade(AMBER, 0.5), lit=False)
        pen.oval(way * x, y, radius, radius, lamp, lit=False)


def worker(pen: Pen, thing: Thing, time: float) -> None:
    """A person in a bright vest with silver bands and a helmet; walks on the spot with time."""
    vest = (252, 112, 28) if thing.vary[0] > 0.45 else (205, 240, 48)
    trousers = mix((42, 52, 84), (70, 62, 52), thing.vary[1])
    skin = mix((226, 178, 146), (104, 70, 50), thing.vary[2])
    helmet = ((246, 246, 240), (250, 210, 40), (240, 110, 30))[int(thing.vary[1] * 2.99)]
    swing = abs((time * 1.1 + thing.vary[2]) % 2.0 - 1.0) - 0.5  # a triangle wave
    step, side = 0.16 * swing, 1 if thing.vary[2] > 0.5 else -1
    pen.shadow(0.4, 0.25, SHADOW)
    pen.poly(((-0.17 - step, 0), (-0.03 - step, 0), (0.0, 0.86), (-0.19, 0.86)), trousers)
    pen.poly(((0.03 + step, 0), (0.17 + step, 0), (0.19, 0.86), (0.0, 0.86)), shade(trousers, 0.8))
    pen.poly(((-0.2, 0.8), (0.2, 0.8), (0.25, 1.44), (-0.25, 1.44)), vest)
    pen.poly(((0.08, 0.8), (0.2, 0.8), (0.25, 1.44), (0.1, 1.44)), shade(vest, 0.82))
    if pen.pixels > 9:
        pen.rect(-0.21, 0.95, 0.22, 1.02, (225, 228, 220))
        pen.rect(-0.14, 1.02, -0.08, 1.44, (225, 228, 220))
        pen.rect(0.08, 1.02, 0.14, 1.44, (205, 208, 200))
    reach = 0.18 + 0.2 * swing
    sleeve = mix(vest, trousers, 0.25)
    pen.poly(
        (
            (side * 0.22, 1.42),
            (side * 0.31, 1.36),
            (side * (0.34 + reach), 0.92),
            (side * (0.26 + reach), 0.9),
        ),
        sleeve,
    )
    pen.poly(((-side * 0.22, 1.42), (-side * 0.31, 1.36), (-side * 0.33, 0.86), (-side * 0.25, 0.84)), sleeve)
    pen.oval(0.0, 1.56, 0.105, 0.14, skin)
    pen.poly(((-0.15, 1.6), (0.15, 1.6), (0.1, 1.74), (-0.1, 1.74)), helmet)
    pen.rect(-0.17, 1.585, 0.17, 1.615, shade(helmet, 0.82))


def barrier(pen: Pen, thing: Thing, _time: float) -> None:
    """A piece of barrier, 3 m along the road: concrete, or plastic in orange and white."""
    base = ORANGE if thing.vary[0] > 0.82 else WHITE if thing.vary[0] > 0.64 else (176, 172, 164)
    near, far = thing.z, thing.z + 2.95
    camera, x = pen.camera, thing.x
    side = -1 if thing.x > camera.x else 1  # the side that faces us
    for y0, w0, y1, w1, light in (
        (0, 0.3, 0.25, 0.28, 0.62),
        (0.25, 0.28, 0.45, 0.14, 0.95),
        (0.45, 0.14, 0.82, 0.1, 0.75),
    ):
        camera.face(
            (
                (x + side * w0, y0, near),
                (x + side * w0, y0, far),
                (x + side * w1, y1, far),
                (x + side * w1, y1, near),
            ),
            shade(base, light),
        )
        pen.poly(((-w0, y0), (w0, y0), (w1, y1), (-w1, y1)), shade(base, 0.86))
    if thing.vary[1] > 0.5:
        pen.rect(-0.05, 0.6, 0.05, 0.7, AMBER)


def fence(pen: Pen, thing: Thing, _time: float) -> None:
    """A stretch of orange mesh between posts, 2.4 m wide, or 2.4 m along the road (`vary[0]` above .4)."""
    mesh = mix(ORANGE, (255, 150, 80), 0.35)
    camera, x = pen.camera, thing.x
    along = thing.vary[0] > 0.4
    corners = [(x, thing.z), (x, thing.z + 2.4)] if along else [(x - 1.2, thing.z), (x + 1.2, thing.z)]
    (xa, za), (xb, zb) = corners
    camera.face(((xa, 0.12, za), (xb, 0.12, zb), (xb, 1.08, zb), (xa, 1.12, za)), mesh)
    if pen.pixels > 12:
        for k in range(1, 6):
            y = 0.12 + 0.165 * k
            camera.face(((xa, y, za), (xb, y, zb), (xb, y + 0.03, zb), (xa, y + 0.03, za)), shade(mesh, 0.72))
    for xp, zp in corners:
        camera.face(
            ((xp - 0.04, 0, zp), (xp + 0.04, 0, zp), (xp + 0.04, 1.2, zp), (xp - 0.04, 1.2, zp)), (92, 84, 74)
        )


def tubular_marker(pen: Pen, thing: Thing, _time: float) -> None:
    """A post of 0.95 m with two white bands."""
    pen.shadow(0.24, 0.16, SHADOW)
    pen.oval(0.0, 0.04, 0.2, 0.05, BLACK)
    pen.rect(-0.06, 0.04, 0.06, 0.95, mix(ORANGE, (235, 70, 20), thing.vary[0]))
    for y in (0.58, 0.76):
        pen.rect(-0.065, y, 0.065, y + 0.1, WHITE)


def vertical_panel(pen: Pen, thing: Thing, _time: float) -> None:
    """A narrow striped panel on a foot."""
    pen.shadow(0.34, 0.2, SHADOW)
    pen.rect(-0.28, 0.0, 0.28, 0.08, BLACK)
    pen.rect(-0.16, 0.2, 0.16, 1.15, WHITE)
    for k in range(4):
        y = 0.2 + 0.24 * k
        top = (y + 0.22, y + 0.12) if thing.vary[0] > 0.5 else (y + 0.12, y + 0.22)
        pen.poly(
            (
                (-0.16, top[0] - 0.12),
                (0.16, top[1] - 0.12),
                (0.16, min(top[1], 1.15)),
                (-0.16, min(top[0], 1.15)),
            ),
            ORANGE,
        )
    pen.rect(-0.03, 0.05, 0.03, 0.2, STEEL)


Painter = Callable[[Pen, Thing, float], None]

PAINTERS: dict[str, Painter] = {
    "cone": cone,
    "drum": drum,
    "barricade": barricade,
    "temporary_traffic_control_sign": sign,
    "message_board": message_board,
    "arrow_board": arrow_board,
    "worker": worker,
    "barrier": barrier,
    "fence": fence,
    "tubular_marker": tubular_marker,
    "vertical_panel": vertical_panel,
}

# Half width and height of what a box encloses, metres.
OUTLINES: dict[str, tuple[float, float]] = {
    "cone": (0.2, 0.75),
    "drum": (0.34, 1.06),
    "barricade": (1.05, 1.48),
    "temporary_traffic_control_sign": (0.68, 2.23),
    "message_board": (1.45, 3.05),
    "arrow_board": (1.22, 2.75),
    "worker": (0.4, 1.74),
    "tubular_marker": (0.2, 0.95),
    "vertical_panel": (0.28, 1.15),
    "parcel": (1.2, 1.2),
}


def outline(thing: Thing) -> tuple[float, float]:
    """Half width and height in metres of the box around an upright thing, its size applied."""
    half, high = OUTLINES[thing.kind]
    if thing.kind == "barricade" and thing.vary[0] <= 0.45:
        half, high = 0.5, 0.91
    if thing.kind == "barricade" and thing.vary[0] > 0.45 and thing.vary[2] > 0.4:
        high = 1.64
    if thing.kind == "temporary_traffic_control_sign" and thing.vary[0] > 0.72:
        half, high = 0.62, 1.95
    return half * thing.size, high * thing.size
