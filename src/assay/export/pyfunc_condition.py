"""The registered condition classifier: MLflow runs this file ("models from code") and finds the export in its artifacts.

`mlflow` may be imported here, besides in assay.registry, because MLflow itself is the one who runs the file.
"""

from pathlib import Path
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from assay.export.condition_predictor import ConditionPredictor
from assay.export.inputs import images_of


class ConditionModel(PythonModel):
    """The condition of objects, from the verified ONNX export in the artifact folder `export`."""

    def load_context(self, context: Any) -> None:
        """Load the export; MLflow calls this once."""
        self.predictor = ConditionPredictor.load(Path(context.artifacts["export"]))

    # no type hints: MLflow would read them as the model's signature and refuse the other kinds of input
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """Probabilities of every class and the most probable one: columns <class>…, predicted.

        model_input: a DataFrame with the columns image (a crop: path, encoded bytes or pixels), object_type and the
        spatial features that metadata.json names. Raises UserError for a missing column or an unreadable crop.
        """
        return self.predictor.predict_table(model_input, images_of(model_input))


set_model(ConditionModel())
