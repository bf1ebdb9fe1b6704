"""The registered detector: MLflow runs this file ("models from code") and finds the export among its artifacts.

`mlflow` may be imported here, besides in assay.registry, because MLflow itself is the one who runs the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from assay.data.detections import to_table
from assay.evaluation.grouping import GroupingRule, group_table
from assay.export.detection import DetectorPredictor
from assay.export.inputs import images_of
from assay.export.predictor import pixels_of


class DetectorModel(PythonModel):
    """Boxes in images, from the verified ONNX export in the artifact folder `export`."""

    def load_context(self, context: Any) -> None:
        """Load the export; MLflow calls this once."""
        self.predictor = DetectorPredictor.load(Path(context.artifacts["export"]))

    # no type hints: MLflow would read them as the model's signature and refuse the other kinds of input
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        """A row per box: image (its position in the input), label, x1, y1, x2, y2 (px of the image), score 0-1.

        model_input: see `assay.export.inputs.images_of`. A box is shown from its class's
        threshold on, as evaluated. Where the export names a rule of grouping, as those of documents do, a row is a group,
        with one column more: merged_count, the boxes it was made of. Raises UserError for an unreadable image, or a frame
        without the column.
        """
        thresholds, rule = self.predictor.metadata["thresholds"], self.predictor.metadata.get("grouping")
        sizes: list[tuple[str, int, int]] = []

        def pictures() -> Iterator[np.ndarray]:
            for number, image in enumerate(images_of(model_input)):
                pixels = pixels_of(image)
                sizes.append((str(number), pixels.shape[1], pixels.shape[0]))
                yield pixels

        found = self.predictor.predict(
            pictures(),
            confidence=min(thresholds.values()),
            nms_iou=self.predictor.metadata["nms_iou"],
            max_boxes=100,
        )
        table = to_table({str(k): boxes for k, boxes in enumerate(found)}, self.predictor.classes)
        if rule is not None:
            pages = pd.DataFrame(sizes, columns=["image", "width", "height"])
            groups = group_table(
                table.assign(model=""), pages, thresholds=thresholds, rule=GroupingRule(**rule)
            )
            return groups.drop(columns="model").astype({"image": int})
        shown: pd.DataFrame = table[table["score"] >= table["label"].map(thresholds).astype(float)]
        return shown.astype({"image": int}).reset_index(drop=True)


set_model(DetectorModel())
