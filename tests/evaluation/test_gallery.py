import numpy as np
from PIL import Image

from assay.evaluation.gallery import draw_gallery, sample_predictions, worst_mistakes

CLASSES = ["clean", "pit"]


def test_worst_mistakes_are_wrong_and_most_confident_first(predictions):
    rows = predictions.of("baseline")
    worst = worst_mistakes(rows, CLASSES, count=5)
    assert len(worst) == 5
    assert (worst["label"] != worst["decided"]).all()
    assert worst["confidence"].is_monotonic_decreasing
    true_class = np.where(rows["label"] == "pit", rows["p_pit"], rows["p_clean"])
    assert worst["confidence"].iloc[0] == 1 - true_class.min()


def test_samples_are_seeded_and_never_more_than_there_are(predictions):
    rows = predictions.of("model")
    first, again = (sample_predictions(rows, CLASSES, count=8, seed=1) for _ in range(2))
    assert first["image"].tolist() == again["image"].tolist()
    assert len(sample_predictions(rows, CLASSES, count=500)) == len(rows)


def test_the_gallery_shows_each_image_once(predictions, tmp_path):
    asked = []

    def load(name: str) -> np.ndarray:
        asked.append(name)
        return np.full((20, 20, 3), 200, np.uint8)

    judged = sample_predictions(predictions.of("model"), CLASSES, count=7)
    draw_gallery(tmp_path / "samples.png", judged, load)
    assert asked == judged["image"].tolist()
    with Image.open(tmp_path / "samples.png") as image:
        assert image.width == 800


def test_no_mistakes_is_a_picture_too(predictions, tmp_path):
    draw_gallery(tmp_path / "none.png", worst_mistakes(predictions.of("model").iloc[:0], CLASSES), load=None)
    assert (tmp_path / "none.png").is_file()
