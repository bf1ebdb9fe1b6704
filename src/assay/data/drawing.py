"""Boxes with captions on a picture, by supervision."""

from collections.abc import Sequence

import numpy as np

from assay.data.images import Pixels

Colour = tuple[int, int, int]
"""RGB, 0-255."""


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
