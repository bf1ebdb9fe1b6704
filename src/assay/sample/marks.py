"""Stamps and QR codes as RGBA pictures; signatures are in `handwriting`."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.sample.handwriting import Picture, coloured, cropped
from assay.sample.lettering import COMPANY_KINDS, PLACES, RECEIVED, company, font, person

if TYPE_CHECKING:
    from PIL.Image import Image as Plate
    from PIL.ImageDraw import ImageDraw as Draw

_OVERSAMPLE = 2
INKS = (
    (38, 60, 170),
    (52, 44, 160),
    (92, 40, 150),
    (178, 30, 44),
    (30, 60, 120),
    (24, 100, 70),
    (40, 40, 48),
)


def qr(text: str, *, module: int = 4, quiet: int = 0, error: str = "m", mask: int | None = None) -> Picture:
    """The QR code of `text`.

    Args:
        text: what it says.
        module: side of a module, px.
        quiet: width of the white zone around it, modules; the standard asks for 4.
        error: correction level, l, m, q or h.
        mask: pattern 0 to 7; None weighs all eight, as the standard wants, in four times the time.

    Returns:
        uint8 array (side, side, 4), RGBA, opaque; side = module * (modules + 2 * quiet).
    """
    import segno

    dark = np.array(segno.make(text, error=error, micro=False, boost_error=False, mask=mask).matrix, np.uint8)
    dark = np.pad(dark, quiet).repeat(module, axis=0).repeat(module, axis=1)
    picture = np.full((*dark.shape, 4), 255, np.uint8)
    picture[dark == 1, :3] = 0
    return picture


def stamp(rng: np.random.Generator, size: int) -> Picture:
    """The print of a rubber stamp; see `stamp_and_kind`."""
    return stamp_and_kind(rng, size)[0]


def stamp_and_kind(rng: np.random.Generator, size: int) -> tuple[Picture, str]:
    """The print of a rubber stamp, round, oval, square or oblong, turned and unevenly inked; cropped to its ink.

    Args:
        size: of the longest side before turning, px.

    Returns:
        uint8 array (height, width, 4), RGBA, and whose stamp it is, told by what is in its middle: "official" (a coat of
        arms), "notary" (a star), "company" (a round one with words, or any that is not round).
    """
    from PIL import Image

    size = max(size, 24) * _OVERSAMPLE
    whose, form = "company", rng.random()
    if form < 0.58:
        plate, whose = _round(rng, size)
    elif form < 0.68:
        plate, whose = _round(rng, size)
        plate = plate.resize((size, int(size * rng.uniform(0.6, 0.8))), Image.Resampling.BILINEAR)
    elif form < 0.8:
        plate = _oblong(rng, size, int(size * rng.uniform(0.75, 1.0)))
    else:
        plate = _oblong(rng, size, int(size * rng.uniform(0.32, 0.6)))
    turn = rng.uniform(-25, 25) if rng.random() < 0.8 else rng.uniform(-180, 180)
    plate = plate.rotate(round(turn, 3), Image.Resampling.BILINEAR, expand=True)
    plate = plate.resize((plate.width // _OVERSAMPLE, plate.height // _OVERSAMPLE), Image.Resampling.BOX)
    alpha = np.asarray(plate)
    ink = INKS[rng.integers(len(INKS))]
    return cropped(coloured(alpha, ink, rng.uniform(0.7, 1.0) * _ink(rng, alpha.shape))), whose


def digital_signature(rng: np.random.Generator, width: int) -> Picture:
    """What a signing program prints: a name in large letters, who signed when: uint8 (height, width, 4), RGBA."""
    from PIL import Image, ImageDraw

    wide = max(width, 40) * _OVERSAMPLE
    plate = Image.new("L", (wide, int(wide * rng.uniform(0.24, 0.36))))
    draw, (_, high) = ImageDraw.Draw(plate), plate.size
    name, place = person(rng), PLACES[rng.integers(len(PLACES))]
    clock = ":".join(f"{part:02d}" for part in rng.integers(0, 60, 3) % (24, 60, 60))
    said = ["Digitally signed by", name, f"Date: {_date(rng)}", f"{clock} +0{rng.integers(0, 4)}'00'"]
    if rng.random() < 0.5:
        said.append(f"Location: {place}")
    _lines(draw, name.split(), (wide * 0.24, high / 2), width=wide * 0.44, height=high * 0.9)
    _lines(draw, said, (wide * 0.75, high / 2), width=wide * 0.44, height=high * 0.96)
    if rng.random() < 0.3:
        draw.rectangle((0, 0, wide - 1, high - 1), outline=255, width=_OVERSAMPLE)
    small = plate.resize((wide // _OVERSAMPLE, high // _OVERSAMPLE), Image.Resampling.BOX)
    return cropped(coloured(np.asarray(small), _PRINTED[rng.integers(len(_PRINTED))], 1.0))


_PRINTED = ((0, 0, 0), (30, 30, 36), (20, 40, 110))


@cache
def _blotches() -> NDArray[np.uint8]:
    """Smooth noise, tiled by a random window: coarse where the rubber did not touch, fine for the paper."""
    import cv2

    rng = np.random.default_rng(2)
    coarse = cv2.resize(
        rng.integers(0, 256, (24, 24), np.uint8), (1024, 1024), interpolation=cv2.INTER_LINEAR
    )
    fine = cv2.resize(
        rng.integers(0, 256, (400, 400), np.uint8), (1024, 1024), interpolation=cv2.INTER_LINEAR
    )
    return np.stack([coarse, fine])


def _ink(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """How much ink reached the paper, 0 to 1: blotches, grain, and less of it towards one side."""
    rows = (np.arange(shape[0]) + int(rng.integers(1024)))[:, None] % 1024
    columns = (np.arange(shape[1]) + int(rng.integers(1024)))[None, :] % 1024
    coarse, fine = _blotches()[:, rows, columns] / 255.0
    dry = rng.uniform(0, 1.1)
    ink = 1.15 - dry * (0.55 * np.clip(coarse - 0.45, 0, 1) * 2 + 0.6 * np.clip(fine - 0.5, 0, 1))
    if rng.random() < 0.3:
        x, y = np.linspace(-1, 1, shape[1])[None, :], np.linspace(-1, 1, shape[0])[:, None]
        ink = ink - 0.45 * np.clip(x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1), 0, 1)
    return np.clip(ink, 0.12, 1)


def _round(rng: np.random.Generator, size: int) -> tuple["Plate", str]:
    """A round plate: rings, text along them, something in the middle (PIL image of mode L); and whose it is."""
    from PIL import Image, ImageDraw

    plate = Image.new("L", (size, size))
    draw = ImageDraw.Draw(plate)
    thick = max(2, int(size * rng.uniform(0.012, 0.03)))
    draw.ellipse((1, 1, size - 2, size - 2), outline=255, width=thick)
    inside = size * 0.5 - thick
    if rng.random() < 0.6:
        gap = thick + max(2, int(size * 0.012))
        draw.ellipse((gap, gap, size - 1 - gap, size - 1 - gap), outline=255, width=max(1, thick // 3))
        inside -= gap - thick // 2
    letter = size * rng.uniform(0.075, 0.11)
    around = f"{company(rng)} * {COMPANY_KINDS[rng.integers(len(COMPANY_KINDS))]} *".upper()
    _text_around(
        plate, around, radius=inside - 0.72 * letter, letter=letter, start=float(rng.uniform(0, 360))
    )
    core = inside - 1.45 * letter
    if rng.random() < 0.7:
        box = (size / 2 - core, size / 2 - core, size / 2 + core, size / 2 + core)
        draw.ellipse(box, outline=255, width=max(1, thick // 2))
    middle_of = rng.random()
    if middle_of < 0.2:
        _star(draw, size / 2, core * 0.6)
        whose = "notary"
    elif middle_of < 0.35:
        _shield(draw, size / 2, core * 0.62, rng)
        whose = "official"
    else:
        whose = "company"
        place, number = PLACES[rng.integers(len(PLACES))], f"No {rng.integers(100, 99999)}"
        middle = [place, number, person(rng).split()[-1], _date(rng)]
        rng.shuffle(middle)
        middle = middle[: int(rng.integers(1, 4))]
        _lines(draw, middle, (size / 2, size / 2), width=core * 1.55, height=core * 1.1)
    return plate, whose


def _oblong(rng: np.random.Generator, width: int, height: int) -> "Plate":
    """A framed plate with lines of text; PIL image of mode L."""
    from PIL import Image, ImageDraw

    plate = Image.new("L", (width, height))
    draw = ImageDraw.Draw(plate)
    thick = max(2, int(width * rng.uniform(0.008, 0.022)))
    corner = height * (rng.uniform(0.05, 0.2) if rng.random() < 0.5 else 0)
    draw.rounded_rectangle((1, 1, width - 2, height - 2), corner, outline=255, width=thick)
    if rng.random() < 0.35:
        gap = 2 * thick + 2
        inner = (gap, gap, width - 1 - gap, height - 1 - gap)
        draw.rounded_rectangle(inner, corner * 0.8, outline=255, width=max(1, thick // 2))
    lines = [RECEIVED[rng.integers(len(RECEIVED))]] if rng.random() < 0.6 else [company(rng).upper()]
    number = f"No {rng.integers(10, 9999)}/{rng.integers(10, 99)}"
    more = [_date(rng), number, person(rng), PLACES[rng.integers(len(PLACES))]]
    rng.shuffle(more)
    lines += more[: 1 + int(rng.integers(3 if height < 0.5 * width else 4))]
    room = (width * 0.86 - 2 * thick, height * 0.78 - 2 * thick)
    _lines(draw, lines, (width / 2, height / 2), width=room[0], height=room[1])
    return plate


def _date(rng: np.random.Generator) -> str:
    return f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(2009, 2026)}"


def _lines(
    draw: "Draw", lines: list[str], centre: tuple[float, float], *, width: float, height: float
) -> None:
    """Centred lines of text, as large as the box allows."""
    step = height / len(lines)
    for k, line in enumerate(lines):
        letter = min(step * 0.85, 1.5 * width / max(len(line), 4))
        y = centre[1] + (k - (len(lines) - 1) / 2) * step
        draw.text((centre[0], y), line, 255, font("sans-bold", letter), anchor="mm")


def _text_around(plate: "Plate", text: str, *, radius: float, letter: float, start: float) -> None:
    """Letters along a circle, their feet towards its centre, spread over the whole of it."""
    import math

    from PIL import Image, ImageDraw

    face = font("sans-bold", letter)
    widths = [max(face.getlength(character), letter * 0.3) for character in text]
    while sum(widths) > 6.1 * radius and " " in text.rstrip(" *"):  # too long a name: drop its last word
        text = text.rstrip(" *").rsplit(" ", 1)[0] + " *"
        widths = [max(face.getlength(character), letter * 0.3) for character in text]
    spread = 360 / sum(widths)
    side, angle, middle = int(letter * 1.8) + 2, start, plate.width / 2
    for character, width in zip(text, widths, strict=True):
        angle += width * spread / 2
        if character != " ":
            tile = Image.new("L", (side, side))
            ImageDraw.Draw(tile).text((side / 2, side / 2), character, 255, face, anchor="mm")
            tile = tile.rotate(-round(angle, 3), Image.Resampling.BILINEAR)
            turn = math.radians(round(angle, 3))
            at = (
                round(middle + radius * math.sin(turn) - side / 2),
                round(middle - radius * math.cos(turn) - side / 2),
            )
            plate.paste(255, at, tile)
        angle += width * spread / 2


# A star's corners on a circle of radius 1, outer and inner in turn.
_STAR = (
    (0, -1), (0.224, -0.309), (0.951, -0.309), (0.363, 0.118), (0.588, 0.809),
    (0, 0.382), (-0.588, 0.809), (-0.363, 0.118), (-0.951, -0.309), (-0.224, -0.309),
)  # fmt: skip


def _star(draw: "Draw", centre: float, radius: float) -> None:
    draw.polygon([(centre + x * radius, centre + y * radius) for x, y in _STAR], fill=255)


def _shield(draw: "Draw", centre: float, radius: float, rng: np.random.Generator) -> None:
    """A coat of arms: a shield, a bar or two, a crown of dots."""
    corners = [(-0.8, -0.7), (0.8, -0.7), (0.75, 0.2), (0.4, 0.75), (0, 1), (-0.4, 0.75), (-0.75, 0.2)]
    line = max(2, int(radius * 0.1))
    draw.polygon([(centre + x * radius, centre + y * radius) for x, y in corners], outline=255, width=line)
    for _ in range(int(rng.integers(1, 3))):
        start, end = rng.uniform(-0.6, 0.6, 2) * radius
        draw.line(
            (centre - 0.7 * radius, centre + start, centre + 0.7 * radius, centre + end), fill=255, width=line
        )
    for x in (-0.6, -0.2, 0.2, 0.6):
        at = centre + x * radius
        draw.ellipse(
            (at - line, centre - 0.95 * radius - line, at + line, centre - 0.95 * radius + line), fill=255
        )
