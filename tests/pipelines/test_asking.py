"""Test-time augmentation and ensembles: which looks a detector takes, and what comes of them."""

import numpy as np
import pytest

from assay.config import compose
from assay.data.detections import detections
from assay.errors import UserError
from assay.models import detector as detectors
from pipelines.detection import asking

CLASSES = ("rock_toe", "slope_drain", "toe_drain", "vegetation")


class Seen:
    """Stands for a detector: one box, sure as told; keeps how it was asked."""

    asked: list = []  # noqa: RUF012

    def __init__(self, module, *, classes=CLASSES, image_size=320):
        self.module, self.classes, self.image_size = module, classes, image_size

    def predict(self, images, *, confidence, nms_iou, max_boxes, flip=False):
        for image in images:
            Seen.asked.append((self.module, self.image_size, flip, image.shape))
            yield detections(np.array([[10, 10, 30, 30]]), np.array([2]), np.array([self.module]))


@pytest.fixture
def ask(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detectors, "Detector", Seen)
    monkeypatch.setattr(Seen, "asked", [])

    def ask(experiment, *, alone=False, images=1, size=320):
        cfg = compose(["project=infrastructure", f"experiment={experiment}", "profile=smoke"])
        pictures = [np.zeros((60, 90, 3), np.uint8)] * images
        return cfg, list(asking.ask(cfg, Seen(0.8, image_size=size), pictures, alone=alone))

    return ask


def test_alone_a_detector_is_asked_once(ask):
    _, (found,) = ask("yolo11s_best")
    assert found.confidence.tolist() == pytest.approx([0.8]) and Seen.asked == [
        (0.8, 320, False, (60, 90, 3))
    ]


def test_augmentation_asks_three_times_and_fuses(ask):
    _, found = ask("yolo11s_tta", images=2)
    # .83 and .67 of 320 px, to the next multiple of 32; the middle one mirrored
    assert [(size, flip) for _, size, flip, _ in Seen.asked] == [(320, False), (256, True), (224, False)] * 2
    assert len(found) == 2 and found[0].confidence.tolist() == pytest.approx([0.8])
    np.testing.assert_allclose(found[0].xyxy, [[10, 10, 30, 30]], rtol=1e-5)


def test_the_baseline_is_asked_plainly(ask):
    ask("yolo11s_tta", alone=True)
    assert len(Seen.asked) == 1


def test_members_of_an_ensemble_vote(ask, monkeypatch):
    cfg, _ = ask("yolo11s_best")
    for experiment in ("yolo11s_best", "yolo11s_expanded_reduced_aug"):
        folder = asking.stored(cfg, experiment)
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
    monkeypatch.setattr(detectors, "load_detector", lambda folder: (Seen(0.5), {}))
    _, (found,) = ask("yolo11s_ensemble")
    assert found.confidence.tolist() == pytest.approx([0.6]) and found.class_id.tolist() == [2]
    monkeypatch.setattr(detectors, "load_detector", lambda folder: (Seen(0.5, classes=("car",)), {}))
    with pytest.raises(UserError, match="yolo11s_best finds car, not rock_toe"):
        ask("yolo11s_ensemble")


def test_a_member_that_is_not_trained_is_one_line_with_the_command(ask):
    with pytest.raises(UserError, match="experiment=yolo11s_best profile=smoke") as refusal:
        ask("yolo11s_ensemble")
    assert "\n" not in str(refusal.value)
