"""Boxes on a photo, coloured by condition."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.data.drawing import draw_captioned
from assay.data.images import Pixels

# Okabe and Ito's colours: told apart by people who see red and green alike
COLOURS = {
    "normal": (0, 158, 115),
    "conditional": (213, 94, 0),
    "blocked": (230, 159, 0),
    "damaged": (213, 94, 0),
}
_OTHER = (204, 121, 167)


def colour_of(condition: str) -> tuple[int, int, int]:
    """RGB of a condition; one of the nine names has the colour of what stands in it."""
    lower = condition.lower()
    if lower in COLOURS:
        return COLOURS[lower]
    return next((COLOURS[name] for name in ("blocked", "damaged") if name in lower), _OTHER)


def draw(picture: Pixels, objects: Sequence[Mapping[str, Any]]) -> Pixels:
    """A copy of uint8 (H, W, 3) RGB with each object's box, "rock toe 0.83: damaged 0.91" beside it."""
    width = max(round(max(picture.shape[:2]) / 400), 1)
    return draw_captioned(
        picture,
        [one["box"] for one in objects],
        [caption(one) for one in objects],
        [colour_of(one["condition"]) for one in objects],
        width=width,
        text_scale=0.3 * width,
        padding=2,
    )


def caption(one: Mapping[str, Any]) -> str:
    """What stands beside a box."""
    return (
        f"{one['label'].replace('_', ' ')} {one['confidence']:.2f}: "
        f"{one['condition']} {one['condition_confidence']:.2f}"
    )
