"""Small documents drawn in memory, and a stand-in for a detector that says what it is told to."""

import numpy as np
import pytest

from assay.data.detections import detections
from assay.documents.reading import Model
from benchmarks.small_documents import (  # noqa: F401 - tests find them here
    locked,
    logo,
    nothing,
    pdf,
    png,
    read_scan,
    scan,
    strips,
    text,
    with_code,
)

CLASSES = ("qr", "signature", "stamp")


class Told:
    """Finds the same boxes on every page: (x1, y1, x2, y2) as shares of it, class, confidence."""

    def __init__(self, *rows):
        self.classes, self.metadata = CLASSES, {}
        self.rows = np.array(rows, float).reshape(-1, 6)
        self.looked_at = 0

    def predict(self, images, *, confidence, nms_iou, max_boxes, batch=8):
        for image in images:
            self.looked_at += 1
            shown = self.rows[self.rows[:, 5] >= confidence]
            height, width = image.shape[:2]
            yield detections(shown[:, :4] * (width, height, width, height), shown[:, 4], shown[:, 5])


MARKS = (
    (0.10, 0.10, 0.50, 0.20, 1, 0.9),  # two finds of one signature
    (0.20, 0.13, 0.60, 0.23, 1, 0.6),
    (0.60, 0.60, 0.90, 0.80, 2, 0.5),
    (0.00, 0.90, 0.10, 1.00, 2, 0.1),  # below document 003's confidence
)


def model(*rows):
    return Model(Told(*rows), {"experiment": "told", "sha256": "0" * 64})


@pytest.fixture(scope="session")
def scanned_page():
    """A page of the sample generator."""
    from assay.sample.page_scene import scene

    return scene(np.random.default_rng(5), (1240, 1754))[0]
