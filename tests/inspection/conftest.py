"""Stand-ins for both exports: boxes that are given, and a condition that depends on how bright the crop is."""

import numpy as np
import pytest
from PIL import Image

from assay.data.detections import detections
from assay.files import write_json
from assay.inspection.stages import Inspector

CLASSES = ("rock_toe", "slope_drain", "toe_drain", "vegetation")


class Boxes:
    """Finds the same boxes in every photo: (class, confidence, left, top, right, bottom)."""

    classes = CLASSES

    def __init__(self, *boxes):
        self.boxes = boxes
        self.metadata = {"nms_iou": 0.5, "thresholds": {"rock_toe": 0.15, "slope_drain": 0.25}}

    def predict(self, images, *, confidence, nms_iou, max_boxes, batch=8):
        for _ in images:
            kept = [box for box in self.boxes if box[1] >= confidence]
            yield detections(
                np.array([box[2:] for box in kept]).reshape(-1, 4),
                np.array([CLASSES.index(box[0]) for box in kept]),
                np.array([box[1] for box in kept]),
            )


class Bright:
    """normal where the crop is bright; keeps what it was asked."""

    classes = ["normal", "conditional"]  # noqa: RUF012

    def __init__(self, features=("y_center", "recomputed_overlap_rock_toe", "aspect_ratio")):
        self.metadata = {"spatial_features": list(features), "object_types": list(CLASSES)}

    def predict(self, crops, object_types, spatial, *, batch=32):
        self.crops, self.types, self.spatial = list(crops), list(object_types), spatial
        bright = np.array([crop.mean() / 255 for crop in crops], np.float32)
        return np.stack([bright, 1 - bright], axis=1)


@pytest.fixture
def inspector():
    def inspector(*boxes, judge=None):
        return Inspector(Boxes(*boxes), judge or Bright(), {"detector": {}, "conditions": {}})

    return inspector


def photo(width=100, height=60):
    """White left half, black right half."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = 255
    return picture


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def export(folder, task, **about):
    """What an export says of itself, without a model."""
    source = {"content": "abc"}
    write_json(folder / "metadata.json", {"task": task, "experiment": "exp", "source": source, **about})
    return folder
