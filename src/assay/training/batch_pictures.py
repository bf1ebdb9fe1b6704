"""Pictures of the batches a detector learns from: what augmentation makes of the images and their boxes."""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.data.drawing import colours_of, draw_captioned

FIRST = 3  # batches of each kind, as document 003 keeps them (lines 431-437)
_MOST, _SIDE = 16, 480  # pictures of a batch; px of the longer side of each


def numbers(epochs: int, close_mosaic: int, batches: int) -> tuple[int, ...]:
    """Which batches, counted from 0, are drawn: the first of the training, and the first after mosaics are over.

    epochs: of the training. close_mosaic: epochs without mosaics at its end. batches: of an epoch.
    """
    closed = max(epochs - close_mosaic, 0) * batches if close_mosaic else epochs * batches
    chosen = {*range(FIRST), *range(closed, closed + FIRST)}
    return tuple(sorted(number for number in chosen if number < epochs * batches))


def draw_batch(
    path: Path,
    images: NDArray[np.float32],
    *,
    image_of: NDArray[np.integer],
    class_of: NDArray[np.integer],
    boxes: NDArray[np.floating],
    classes: Sequence[str],
) -> None:
    """Write one batch to `path` as a JPEG: a square of pictures, at most 16, with boxes and class names.

    Args:
        path: file to write.
        images: (N, 3, H, W) RGB, 0-1, as the network sees them.
        image_of: (M,) which of them a box lies in.
        class_of: (M,) number of its class.
        boxes: (M, 4) centre x, centre y, width, height as shares of the picture.
        classes: names by number.
    """
    colours = colours_of(classes)
    images = images[:_MOST]
    height, width = images.shape[2:]
    scale = min(_SIDE / max(height, width), 1.0)
    tile_height, tile_width = round(height * scale), round(width * scale)
    across = ceil(sqrt(len(images)))
    sheet = np.full((ceil(len(images) / across) * tile_height, across * tile_width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0) * 255).round().astype(np.uint8)
        if scale < 1:
            pixels = np.asarray(
                cv2.resize(pixels, (tile_width, tile_height), interpolation=cv2.INTER_AREA), np.uint8
            )
        own = image_of == number
        x, y, wide, high = (boxes[own] * (tile_width, tile_height, tile_width, tile_height)).T
        corners = np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], axis=1)
        labels = class_of[own].tolist()
        drawn = draw_captioned(
            pixels,
            corners.tolist(),
            [classes[label] for label in labels],
            [colours[label] for label in labels],
            width=1,
            text_scale=0.35,
            padding=2,
        )
        top, left = number // across * tile_height, number % across * tile_width
        sheet[top : top + tile_height, left : left + tile_width] = drawn
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path, "JPEG", quality=85)
