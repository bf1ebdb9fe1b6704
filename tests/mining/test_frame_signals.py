import numpy as np
import pytest
import torch
from supervision import Detections
from torch import nn

from assay.config import compose
from assay.mining.frame_signals import SCORES, signals_of
from assay.mining.timeline import rules_from
from assay.mining.verifier import Towers
from assay.sample.video import write_h264

CLASSES = ("cone", "worker")


class Drawn:
    """A detector that sees three cones from the fourth frame on, in batches of two."""

    def __init__(self):
        self.backbone = nn.AvgPool2d(2)

    def predict(self, images, *, confidence, nms_iou, max_boxes):
        for number, rgb in enumerate(images):
            self.backbone(torch.from_numpy(rgb.transpose(2, 0, 1)[None].astype(np.float32)))
            count = 3 if number >= 3 else 0
            boxes = np.tile([0.0, 0.0, 5.0, 5.0], (count, 1))
            yield Detections(xyxy=boxes, confidence=np.full(count, 0.8), class_id=np.zeros(count, int))


@pytest.fixture(scope="module")
def rules():
    cfg = compose(["project=workzone", "experiment=fusion_rules", "profile=smoke"])
    return rules_from(cfg.scoring.model_dump())


def test_every_frame_has_scores_features_and_the_state_of_the_rules(tmp_path, rules):
    frames = (np.full((32, 48, 3), 20 * k, np.uint8) for k in range(8))
    write_h264(tmp_path / "clip.mp4", frames, 10)
    towers = Towers(
        lambda rgb: np.array([2.0, 0.0]) if rgb.mean() > 70 else np.array([0.0, 2.0]),
        np.array([1.0, 0.0]),
        np.array([0.0, 3.0]),
    )
    detector = Drawn()
    found = signals_of(
        tmp_path / "clip.mp4",
        detector,
        towers,
        rules,
        classes=CLASSES,
        backbone=detector.backbone,
        stride=1,
        nms_iou=0.7,
        max_boxes=10,
    )
    assert found.frames.tolist() == list(range(8))
    assert found.scores.shape == (8, len(SCORES)) and found.features.shape == (8, 3 + 2 * 2 + 2 + 2)
    told = dict(zip(SCORES, found.scores.T, strict=True))
    assert told["yolo_score"][0] == pytest.approx(0.198, abs=1e-3)  # the ledger's least, without an object
    assert told["yolo_score"][-1] == pytest.approx(0.900, abs=1e-3)  # and its most, with cones alone
    assert told["objects"].tolist() == [0, 0, 0] + [pytest.approx(3 / 8)] * 5
    assert told["clip_score"][0] == pytest.approx(1 / (1 + np.exp(3)))  # cosines 0 and 1
    pooled, best, count, cosines = (
        found.features[:, part] for part in (0, slice(3, 5), slice(5, 7), slice(-2, None))
    )
    assert np.all(np.diff(pooled) > 10)  # the frames grow brighter
    assert best[-1].tolist() == [pytest.approx(0.8), 0] and count[-1].tolist() == [pytest.approx(3 / 8), 0]
    np.testing.assert_allclose(cosines[[0, -1]], [[0, 1], [1, 0]], atol=1e-6)
    assert found.rules[0] == "outside" and set(found.rules) <= {"outside", "approaching"}
    assert not detector.backbone._forward_hooks
