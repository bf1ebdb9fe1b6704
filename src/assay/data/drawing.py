"""Boxes with captions on a picture, by supervision."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from assay.data.images import Pixels
from assay.data.items import Box
from assay.data.marks import kind_of

Colour = tuple[int, int, int]
"""RGB, 0-255."""
MARKS: dict[str, Colour] = {  # document 003, line 252
    "qr": (0, 90, 255),
    "signature": (0, 150, 60),
    "stamp": (220, 30, 30),
}
_GREY: Colour = (128, 128, 128)
_LONGEST = 1024  # px of a drawn page, as the network sees it
OTHER: Colour = (150, 60, 190)
_SET2 = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)  # told apart by everybody


def mark_colour(label: str) -> Colour | None:
    """The colour of a kind of mark; of a subclass such as stamp_notary its kind's; None of another class."""
    return MARKS.get(kind_of(label))


def colours_of(classes: Sequence[str]) -> list[Colour]:
    """A colour for each class: a mark's own where all are marks, else of a palette, which begins anew after seven."""
    marks = [mark_colour(name) for name in classes]
    palette = [tuple(bytes.fromhex(code[1:])) for code in _SET2]
    if None in marks:
        return [palette[number % len(palette)] for number in range(len(classes))]  # type: ignore[misc]
    return [mark or OTHER for mark in marks]


def draw_captioned(
    picture: Pixels,
    boxes: Sequence[Sequence[float]],
    captions: Sequence[str],
    colours: Sequence[Colour],
    *,
    width: int,
    text_scale: float,
    padding: int,
) -> Pixels:
    """A copy of uint8 (H, W, 3) RGB with boxes (x1, y1, x2, y2 in px), each in its colour with its caption.

    width: of the lines, px. text_scale: OpenCV's. padding: around a caption, px.
    """
    import supervision as sv

    drawn = np.ascontiguousarray(picture[..., ::-1])  # supervision draws as OpenCV does: BGR
    for colour in dict.fromkeys(colours):
        some = [index for index, other in enumerate(colours) if other == colour]
        there = sv.Detections(
            xyxy=np.array([boxes[index] for index in some], float), class_id=np.zeros(len(some), int)
        )
        lines = sv.BoxAnnotator(color=sv.Color(*colour), thickness=width)
        writer = sv.LabelAnnotator(
            color=sv.Color(*colour), text_scale=text_scale, text_thickness=1, text_padding=padding
        )
        drawn = writer.annotate(
            lines.annotate(drawn, there), there, labels=[captions[index] for index in some]
        )
    return np.ascontiguousarray(drawn[..., ::-1])


def draw_annotated(picture: Pixels, boxes: Sequence[Box], classes: Sequence[str]) -> Pixels:
    """uint8 (H, W, 3) RGB with its annotated boxes and their raw names, at most 1024 px long; what is ignored in grey."""
    scale = min(_LONGEST / max(picture.shape[:2]), 1.0)
    size = tuple(max(round(side * scale), 1) for side in picture.shape[1::-1])
    small = np.array(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    colour = dict(zip(classes, colours_of(classes), strict=True))
    return draw_captioned(
        small,
        [[side * scale for side in box.xyxy] for box in boxes],
        [box.raw for box in boxes],
        [_GREY if box.ignore else colour[box.label] for box in boxes],
        width=2,
        text_scale=0.4,
        padding=3,
    )
