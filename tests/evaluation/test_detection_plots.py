import dataclasses
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.evaluation.detection import score
from assay.evaluation.detection_metrics import Curve
from assay.evaluation.detection_plots import _rate_at, draw, plot_box_confusion, plot_rate, plot_training
from assay.evaluation.plots import figure
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
        "test_precision.png",
        "test_recall.png",
        "test_confusion.png",
        "test_confusion_normalized.png",
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
        plot_rate(
            path,
            predictions=predictions,
            model="m",
            rate="f1",
            split="test",
            thresholds=dict.fromkeys(CLASSES, at),
        )
    assert (tmp_path / "0.2.png").read_bytes() != (tmp_path / "0.8.png").read_bytes()


def test_rates_at_a_threshold_count_the_boxes_from_there_on():
    line = Curve(*(np.array(values) for values in ([0.9, 0.5], [1.0, 0.5], [0.4, 0.6], [0.57, 0.55])))
    at = np.array([0.2, 0.5, 0.7, 0.95])
    np.testing.assert_array_equal(_rate_at(line, "recall", at), [0.6, 0.6, 0.4, 0])
    np.testing.assert_array_equal(_rate_at(line, "precision", at), [0.5, 0.5, 1, np.nan])


def test_training_curves_show_both_losses_rates_and_the_learning_rate(tmp_path, monkeypatch):
    names = ("box_loss", "map50", "map50_95", "precision", "recall", "lr")
    history = pd.DataFrame({name: np.linspace(0.2, 0.8, 5) for name in names})
    drawn = []

    @contextmanager
    def seen(path, height):
        with figure(path, height) as picture:
            yield picture
            drawn.extend(axes.get_legend_handles_labels()[1] for axes in picture.axes)

    monkeypatch.setattr("assay.evaluation.detection_plots.figure", seen)
    plot_training(tmp_path / "history.png", history.assign(val_box_loss=0.5))
    assert drawn == [["box", "box, val"], ["mAP50", "mAP50-95"], ["precision", "recall"], []]
    plot_training(tmp_path / "older.png", history)  # a model trained before these losses were kept
    assert drawn[4] == ["box"]
