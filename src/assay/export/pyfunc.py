"""The registered model: MLflow runs this file ("models from code") and finds the export among its artifacts.

`mlflow` may be imported here, besides in assay.registry, because MLflow itself is the one who runs the file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from assay.data.images import BadImage, decode
from assay.errors import UserError
from assay.export.predictor import Image, Predictor


class Classifier(PythonModel):
    """Class probabilities of images, from the verified ONNX export in the artifact folder `export`."""

    def load_context(self, context: Any) -> None:
        """Load the export; MLflow calls this once."""
        self.predictor = Predictor.load(Path(context.artifacts["export"]))

    # no type hints: MLflow would read them as the model's signature and refuse the other kinds of input
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """Probabilities of every class and the most probable one: columns <class>…, predicted.

        model_input: a DataFrame whose column "image" holds paths, encoded bytes or nested lists of pixels;
        a list of paths; or an array (N, H, W, 3) of uint8 RGB. Raises UserError for an unreadable image, or
        a frame without the column.
        """
        probabilities = self.predictor.predict(_images(model_input))
        classes = self.predictor.classes
        frame = pd.DataFrame(probabilities, columns=classes)
        return frame.assign(predicted=[classes[index] for index in probabilities.argmax(axis=1)])


def _images(model_input: pd.DataFrame | np.ndarray | Sequence[Any]) -> list[Image]:
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


set_model(Classifier())
