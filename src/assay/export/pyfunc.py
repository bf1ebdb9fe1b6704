"""The registered model: MLflow runs this file ("models from code") and finds the export among its artifacts.

`mlflow` may be imported here, besides in assay.registry, because MLflow itself is the one who runs the file.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from assay.export.inputs import images_of
from assay.export.predictor import Predictor


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
        probabilities = self.predictor.predict(images_of(model_input))
        classes = self.predictor.classes
        frame = pd.DataFrame(probabilities, columns=classes)
        return frame.assign(predicted=[classes[index] for index in probabilities.argmax(axis=1)])


set_model(Classifier())
