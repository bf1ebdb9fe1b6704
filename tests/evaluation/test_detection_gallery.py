import numpy as np
from PIL import Image

from assay.evaluation.detection_gallery import (
    COLOURS,
    draw_crops,
    draw_gallery,
    sample_images,
    worst_false_positives,
    worst_misses,
)
from assay.evaluation.outcomes import outcomes
from tests.evaluation.detectors import stored

TRUTH = [
    ("0.png", "cone", 10, 10, 40, 40, False),
    ("0.png", "drum", 50, 50, 60, 60, False),
    ("1.png", "drum", 0, 0, 90, 20, False),
    ("1.png", "", 50, 50, 90, 90, True),
]
BOXES = [
    ("m", "0.png", "cone", 10, 10, 40, 40, 0.9),
    ("m", "0.png", "cone", 70, 70, 90, 90, 0.6),
    ("m", "1.png", "cone", 10, 60, 30, 80, 0.8),
    ("m", "1.png", "cone", 60, 60, 80, 80, 0.95),  # on the region
]


def result():
    predictions = stored(BOXES, TRUTH, 4)
    return outcomes(predictions, "m", predictions.images["image"].tolist(), {"cone": 0.5, "drum": 0.5})


def load(name):
    return np.full((100, 100, 3), 120, np.uint8)


def has(picture, colour) -> bool:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return bool((np.abs(np.asarray(picture.convert("RGB")).astype(int) - wanted).max(axis=2) < 12).any())


def test_the_worst_come_first():
    misses, alarms = worst_misses(result()), worst_false_positives(result())
    assert misses["image"].tolist() == ["1.png", "0.png"]  # 90 x 20 px before 10 x 10
    assert alarms["score"].tolist() == [0.8, 0.6]  # neither the right box nor the one on the region
    assert len(worst_misses(result(), count=1)) == 1


def test_the_sample_is_seeded_and_mostly_of_images_with_boxes():
    images = [f"{i}.png" for i in range(4)]
    assert sample_images(result(), images, count=3) == sample_images(result(), images[::-1], count=3)
    chosen = sample_images(result(), images, count=3)
    assert {"0.png", "1.png"} < set(chosen)
    assert sample_images(result(), images, count=9) == images
    assert sample_images(result(), ["2.png", "3.png"], count=1) != []


def test_boxes_have_the_colour_of_their_outcome(tmp_path):
    draw_gallery(tmp_path / "g.png", result(), ["0.png", "1.png"], load)
    picture = Image.open(tmp_path / "g.png")
    left, right = picture.crop((0, 24, 400, picture.height)), picture.crop((400, 24, 800, picture.height))
    assert has(left, COLOURS["annotated"]) and not has(left, COLOURS["wrong"])
    for kind in ("right", "wrong", "missed"):
        assert has(right, COLOURS[kind]), kind
    assert not has(right, COLOURS["annotated"])


def test_crops_show_their_box_in_the_middle(tmp_path):
    draw_crops(tmp_path / "c.png", worst_false_positives(result(), count=1), result(), load)
    tile = Image.open(tmp_path / "c.png").crop((10, 72, 205, 267))
    assert has(tile, COLOURS["wrong"]) and has(tile, "#787878")


def test_nothing_to_show_says_so(tmp_path):
    draw_crops(tmp_path / "c.png", worst_misses(result()).iloc[:0], result(), load)
    draw_gallery(tmp_path / "g.png", result(), [], load)
    assert Image.open(tmp_path / "c.png").size == Image.open(tmp_path / "g.png").size == (800, 120)
