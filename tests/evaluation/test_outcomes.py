import numpy as np
import pytest

from assay.evaluation.outcomes import confusion, outcomes
from tests.evaluation.detectors import random_boxes, stored

TRUTH = [
    ("0.png", "cone", 0, 0, 10, 10, False),
    ("0.png", "drum", 20, 0, 30, 10, False),
    ("0.png", "drum", 40, 0, 50, 10, False),
    ("0.png", "", 60, 0, 80, 20, True),
]
BOXES = [
    ("m", "0.png", "cone", 0, 0, 10, 10, 0.9),  # right
    ("m", "0.png", "cone", 20, 0, 30, 10, 0.8),  # lies on a drum
    ("m", "0.png", "drum", 60, 0, 70, 10, 0.8),  # on the region
    ("m", "0.png", "drum", 80, 80, 90, 90, 0.7),  # on nothing
    ("m", "0.png", "drum", 40, 0, 50, 10, 0.2),  # right, but not sure enough
    ("m", "0.png", "cone", 0, 0, 10, 9, 0.6),  # the cone is found already
]


def judged():
    return outcomes(stored(BOXES, TRUTH, 1), "m", ["0.png"], {"cone": 0.5, "drum": 0.5})


def test_every_box_and_object_has_an_outcome():
    found = judged().found
    assert dict(zip(found["score"].astype(str) + found["label"], found["outcome"], strict=True)) == {
        "0.9cone": "right",
        "0.8cone": "wrong",
        "0.6cone": "wrong",
        "0.8drum": "ignored",
        "0.7drum": "wrong",
    }
    assert found.set_index("score")["instead"].drop(0.8).eq("").all()
    assert found[(found["score"] == 0.8) & (found["label"] == "cone")]["instead"].item() == "drum"
    truth = judged().truth
    assert truth["outcome"].tolist() == ["found", "missed", "missed", "ignore"]
    assert truth["instead"].tolist() == ["", "cone", "", ""]


def test_confusion_by_hand():
    """Rows: cone, drum, nothing is there. Columns: cone, drum, nothing was found."""
    assert confusion(judged(), ["cone", "drum"]).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 0]]


def test_one_object_explains_one_box():
    boxes = [("m", "0.png", "cone", 20, 0, 30, 10, 0.8), ("m", "0.png", "cone", 20, 0, 30, 9, 0.7)]
    result = outcomes(stored(boxes, TRUTH, 1), "m", ["0.png"], {"cone": 0.5, "drum": 0.5})
    assert result.found["instead"].tolist() == ["drum", ""]


@pytest.mark.parametrize("seed", range(3))
def test_the_matrix_adds_up(seed):
    predictions = random_boxes(30, seed=seed)
    images = predictions.images["image"].tolist()
    result = outcomes(predictions, "m", images, dict.fromkeys(predictions.classes, 0.3))
    counts = confusion(result, predictions.classes)
    objects = predictions.truth[~predictions.truth["ignore"]]["label"].value_counts()
    assert counts.sum(axis=1)[:3].tolist() == [objects.get(name, 0) for name in predictions.classes]
    shown = result.found[result.found["outcome"] != "ignored"]["label"].value_counts()
    assert counts.sum(axis=0)[:3].tolist() == [shown.get(name, 0) for name in predictions.classes]
    assert np.trace(counts) == (result.found["outcome"] == "right").sum() > 0
