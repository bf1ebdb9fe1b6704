"""What people send to a served model -> pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.data.images import BadImage, decode
from assay.errors import UserError
from assay.export.predictor import Image


def images_of(model_input: pd.DataFrame | np.ndarray | Sequence[Any]) -> list[Image]:
    """What a served model is given, as paths or arrays.

    Args:
        model_input: a DataFrame whose column "image" holds paths, encoded bytes or nested lists of pixels; a list of
            paths; or an array (N, H, W, 3) of uint8 RGB.

    Raises:
        UserError: encoded bytes are no image, or the frame has no such column.
    """
    if isinstance(model_input, pd.DataFrame):
        if "image" not in model_input:
            raise UserError(f"column 'image' missing; found {', '.join(map(str, model_input.columns))}")
        model_input = model_input["image"].tolist()
    return [_image(value) for value in model_input]


def _image(value: Any) -> Image:
    if isinstance(value, bytes):
        try:
            return decode(value)
        except BadImage as error:
            raise UserError(f"image bytes: {error}; send an encoded image") from error
    if isinstance(value, str | Path):
        return value
    pixels = np.asarray(value)
    if (
        pixels.dtype == np.int64 and ((pixels >= 0) & (pixels <= 255)).all()
    ):  # nested lists, as JSON brings them
        return pixels.astype(np.uint8)
    return pixels  # the predictor refuses what is not uint8
