from pathlib import Path

import numpy as np
import pytest
import yaml

from assay.data.detections import detections
from assay.mining.clip import ClipSettings
from assay.mining.timeline import rules_from
from tests.mining.clip_project import ClipProject

CLASSES = ("cone", "worker", "message_board", "work_equipment")


@pytest.fixture(scope="session")
def published():
    """The rules as conf/scoring ships them, as plain mappings."""
    return yaml.safe_load(Path("conf/scoring/document_002.yaml").read_text("utf-8"))


@pytest.fixture
def rules(published):
    return rules_from(published)


@pytest.fixture(scope="session")
def classes():
    return CLASSES


@pytest.fixture(scope="session")
def boxes():
    return _boxes


@pytest.fixture
def settings(rules, classes):
    return ClipSettings(
        classes=classes,
        rules=rules,
        stride=2,
        cap=5,
        score_range=(0.45, 0.91),
        gate=True,
        nms_iou=0.7,
        max_boxes=100,
    )


@pytest.fixture
def project(tmp_path, settings, boxes):
    return ClipProject(tmp_path, settings, boxes)


def _boxes(**counts):
    """So many boxes of each class, at confidence .9, side by side."""
    numbers = [CLASSES.index(name) for name, count in counts.items() for _ in range(count)]
    left = 10.0 * np.arange(len(numbers))
    xyxy = np.stack([left, left, left + 8, left + 8], axis=1)
    return detections(xyxy, np.array(numbers), np.full(len(numbers), 0.9))
