"""Drawn close-ups of signs with real letters: those of work zones, and those that any road or shop has."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.sample.lettering import font, length

Colour = tuple[int, int, int]

WORK_ZONE = "work_zone"
OTHER = "roadside_signs"

# Phrases by kind and split: what is tested was partly never shown.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    WORK_ZONE: {
        "train": (
            "ROAD WORK AHEAD", "LANE CLOSED 500 FT", "DETOUR", "END ROAD WORK", "WORKERS AHEAD", "ROAD CLOSED",
            "SHOULDER WORK", "MERGE LEFT", "ONE LANE ROAD AHEAD", "WORK ZONE SPEED LIMIT 35", "LOOSE GRAVEL",
            "BE PREPARED TO STOP",
        ),
        "test": (
            "ROAD WORK NEXT 5 MILES", "RIGHT LANE CLOSED", "DETOUR AHEAD", "FLAGGER AHEAD", "UTILITY WORK AHEAD",
            "BRIDGE WORK 1000 FT", "WORK ZONE FINES DOUBLE", "UNEVEN LANES", "EXPECT DELAYS", "RAMP CLOSED",
            "KEEP LEFT", "NEW SURFACE NO LINES",
        ),
    },
    OTHER: {
        "train": (
            "STOP", "SPEED LIMIT 45", "NO PARKING", "ONE WAY", "SCHOOL ZONE", "EXIT 12", "MAIN ST", "COFFEE TO GO",
            "YIELD", "NO LEFT TURN", "CAR WASH OPEN", "BUS STOP",
        ),
        "test": (
            "SPEED LIMIT 25", "NO PARKING ANY TIME", "DO NOT ENTER", "SCHOOL CROSSING", "EXIT 27 AIRPORT",
            "HARBOUR AVE", "ORANGE JUICE SALE", "DEAD END", "NO TURN ON RED", "GARDEN CENTER", "KEEP RIGHT",
            "CLOSED ON SUNDAYS",
        ),
    },
}  # fmt: skip
EACH = {"train": 3, "test": 5}  # pictures of one phrase

_ORANGE: Colour = (250, 128, 24)
_DARK: Colour = (24, 24, 26)
_WHITE: Colour = (240, 240, 236)
_LOOKS: dict[str, tuple[tuple[Colour, Colour], ...]] = {
    "orange": ((_ORANGE, _DARK),),
    "board": (((18, 18, 20), (255, 186, 46)),),
    "plain": (
        (_WHITE, _DARK), ((24, 110, 62), _WHITE), ((30, 70, 150), _WHITE), ((176, 30, 34), _WHITE),
        (_ORANGE, _WHITE), ((250, 204, 40), _DARK),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Sign:
    """A drawn sign and its truth."""

    picture: NDArray[np.uint8]  # (H, W, 3) RGB
    text: str
    label: str
    look: str  # orange, board (a message board's lamps) or plain


def signs(rng: np.random.Generator, split: str) -> list[Sign]:
    """All signs of a split, "train" or "test"; the same generator state gives the same pixels."""
    found = []
    for label in (WORK_ZONE, OTHER):
        for text in PHRASES[label][split]:
            for _ in range(EACH[split]):
                look = "plain"
                if label == WORK_ZONE:
                    look = "board" if rng.random() < 0.3 else "orange"
                found.append(Sign(draw_sign(rng, text, look), text, label, look))
    return found


def draw_sign(rng: np.random.Generator, text: str, look: str) -> NDArray[np.uint8]:
    """One sign as a camera sees it: its words on two to three lines, turned a little, small, blurred, noisy.

    Returns uint8 RGB, 26 to 150 px high.
    """
    from PIL import Image, ImageDraw, ImageFilter

    ground, ink = _LOOKS[look][int(rng.integers(len(_LOOKS[look])))]
    lines = _lines(text)
    size, name = 40.0, "mono-bold" if look == "board" else "sans-bold"
    wide = max(length(name, size, line) for line in lines)
    width, height = round(wide + 56), round(len(lines) * 50 + 44)
    board = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(board)
    pen.rectangle((4, 4, width - 5, height - 5), outline=ink if look != "board" else (70, 72, 74), width=3)
    for k, line in enumerate(lines):
        left = (width - length(name, size, line)) / 2
        pen.text((left, 24 + 50 * k), line, fill=ink, font=font(name, size))
    pixels = np.asarray(board)
    if look == "board":  # lamps: dark gaps in a grid
        pixels = pixels.copy()
        pixels[::5] = pixels[::5] // 3
        pixels[:, ::5] = pixels[:, ::5] // 3
    board = Image.fromarray(pixels)
    margin = 24
    base = Image.new(
        "RGB", (width + 2 * margin, height + 2 * margin), tuple(rng.integers(60, 190, 3).tolist())
    )
    base.paste(board, (margin, margin))
    wobble = rng.uniform(-0.055, 0.055, 8) * np.tile([base.width, base.height], 4)
    corners = np.array([0, 0, 0, base.height, base.width, base.height, base.width, 0]) + wobble
    seen = base.transform(base.size, Image.Transform.QUAD, corners.tolist(), Image.Resampling.BILINEAR)
    tall = float(np.exp(rng.uniform(np.log(26), np.log(150))))
    seen = seen.resize((max(round(seen.width * tall / seen.height), 16), round(tall)), Image.Resampling.BOX)
    seen = seen.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.9))))
    light, spread = rng.uniform(0.55, 1.1), rng.uniform(2, 9)
    noise = rng.integers(-round(spread), round(spread) + 1, (*seen.size[::-1], 3))
    return np.clip(np.rint(np.asarray(seen) * light) + noise, 0, 255).astype(np.uint8)


def _lines(text: str) -> list[str]:
    """A text on up to three lines of about equal length, as signs have it."""
    words = text.split()
    if len(words) < 3:
        return words
    rows = 3 if len(text) > 16 else 2
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(line) + len(word) > len(text) / rows + 1 and len(lines) < rows - 1:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]
