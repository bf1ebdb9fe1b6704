import dataclasses

import numpy as np
import pytest
from PIL import Image

from assay.evaluation.detection import score
from assay.evaluation.detection_plots import draw, plot_box_confusion, plot_f1
from tests.evaluation.detectors import CLASSES, random_boxes

AT = dict.fromkeys(CLASSES, 0.4)


def load(name: str) -> np.ndarray:
    return np.full((300, 300, 3), 40 + int(name[:3]), np.uint8)


@pytest.fixture(scope="module")
def predictions():
    return random_boxes(24)


def pictures(folder, predictions):
    scores = score(predictions, "m", split="test", thresholds=AT, draws=20)["all"]
    return draw(folder, predictions, "m", split="test", thresholds=AT, scores=scores, load=load)


def test_every_picture_is_800_wide_not_blank_and_the_same_again(predictions, tmp_path):
    first, second = pictures(tmp_path / "a", predictions), pictures(tmp_path / "b", predictions)
    assert [path.name for _, path in first] == [
        "test_ap50.png",
        "test_precision_recall.png",
        "test_f1.png",
        "test_confusion.png",
        "test_gallery.png",
        "test_misses.png",
        "test_false_positives.png",
    ]
    for (caption, path), (_, again) in zip(first, second, strict=True):
        assert "(test)" in caption
        assert path.read_bytes() == again.read_bytes()
        picture = np.asarray(Image.open(path).convert("RGB"))
        assert picture.shape[1] == 800 and len(np.unique(picture @ [1, 256, 65536])) > 10


def test_nothing_found_and_nothing_there_are_drawn(predictions, tmp_path):
    silent = dataclasses.replace(predictions, boxes=predictions.boxes.iloc[:0])
    empty = dataclasses.replace(predictions, truth=predictions.truth.iloc[:0])
    for name, each in (("silent", silent), ("empty", empty)):
        for _, path in pictures(tmp_path / name, each):
            assert Image.open(path).size[0] == 800


def test_fifty_classes_fit(tmp_path):
    plot_box_confusion(tmp_path / "c.png", np.eye(51, dtype=int).tolist(), [f"class {i}" for i in range(50)])
    assert Image.open(tmp_path / "c.png").size == (800, 900)


def test_thresholds_move_the_dots(predictions, tmp_path):
    for at in (0.2, 0.8):
        path = tmp_path / f"{at}.png"
        plot_f1(path, predictions, "m", split="test", thresholds=dict.fromkeys(CLASSES, at))
    assert (tmp_path / "0.2.png").read_bytes() != (tmp_path / "0.8.png").read_bytes()
