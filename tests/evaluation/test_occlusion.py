import numpy as np
from PIL import Image

from assay.evaluation.gallery import sample_predictions, worst_mistakes
from assay.evaluation.occlusion import CELLS, PASSES, chosen, draw_occlusion, occlusion_map

CLASSES = ["clean", "pit"]


def brightness_of_a_corner(shown):
    """A "network" that calls a pit where the upper left quarter is bright."""
    pit = shown[:, : shown.shape[1] // 4, : shown.shape[2] // 4].mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - pit, pit], axis=1)


def corner(size=32):
    image = np.zeros((size, size, 3), np.uint8)
    image[: size // 4, : size // 4] = 255
    return image


def test_the_map_is_where_the_answer_comes_from():
    asked = []

    def predict(shown):
        asked.append(len(shown))
        return brightness_of_a_corner(shown)

    found = occlusion_map(predict, corner())
    assert found.shape == (CELLS, CELLS) and asked == [PASSES]
    assert found[:2, :2].min() > 0.2 and np.abs(found[4:, 4:]).max() == 0


def test_every_size_is_covered():
    assert np.isfinite(occlusion_map(brightness_of_a_corner, corner(126))).all()


def test_mistakes_and_right_answers_are_looked_at(predictions, tmp_path):
    rows = predictions.of("baseline")
    judged = chosen(worst_mistakes(rows, CLASSES), sample_predictions(rows, CLASSES))
    assert judged["correct"].tolist() == [False] * 4 + [True] * 4
    draw_occlusion(tmp_path / "map.png", judged, np.stack([corner()] * 8), brightness_of_a_corner)
    with Image.open(tmp_path / "map.png") as image:
        assert image.width == 800


def test_nothing_to_look_at_is_a_picture_too(predictions, tmp_path):
    nothing = worst_mistakes(predictions.of("model").iloc[:0], CLASSES)
    draw_occlusion(tmp_path / "none.png", nothing, np.empty((0, 32, 32, 3), np.uint8), brightness_of_a_corner)
    assert (tmp_path / "none.png").is_file()
