import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.evaluation.intervals import wilson
from assay.evaluation.plots import (
    ForestRow,
    plot_confusion,
    plot_forest,
    plot_history,
    plot_ranking,
    plot_reliability,
)

CLASSES = ["clean", "pit"]


def history(epochs: int) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train/loss": 1 / epoch,
            "val/loss": 1 / epoch,
            "val/accuracy": 1 - 0.5 / epoch,
            "select/accuracy": np.where(epoch == 2, 0.9, 0.5),
        }
    )


PLOTS = {
    "confusion": lambda path, p: plot_confusion(path, [[50, 10], [0, 0]], CLASSES),  # a class without images
    "ranking": lambda path, p: plot_ranking(path, p, ["model", "baseline"], CLASSES),
    "reliability": lambda path, p: plot_reliability(path, p.of("model"), CLASSES),
    "reliability after a temperature": lambda path, p: plot_reliability(
        path, p.of("model"), CLASSES, temperature=2.0
    ),
    "reliability of nothing": lambda path, p: plot_reliability(path, p.of("model").iloc[:0], CLASSES),
    "history": lambda path, p: plot_history(path, history(5)),
    "one epoch": lambda path, p: plot_history(path, history(1)),
    "no epoch": lambda path, p: plot_history(path, history(0)),
    "forest": lambda path, p: plot_forest(
        path,
        [ForestRow("a", wilson(90, 100), 0.92), ForestRow("b", wilson(80, 100), 0.9, comparable=False)],
        label="accuracy",
    ),
    "forest of two choices": lambda path, p: plot_forest(
        path, [ForestRow("a", wilson(90, 100), 0.92, wilson(93, 100))], label="accuracy"
    ),
    "forest of failed jobs": lambda path, p: plot_forest(path, [], label="accuracy"),
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_is_800_pixels_wide_and_the_same_again(name, predictions, tmp_path):
    for file in ("first.png", "second.png"):
        PLOTS[name](tmp_path / file, predictions)
    with Image.open(tmp_path / "first.png") as image:
        assert image.width == 800
        assert len(image.convert("L").getcolors()) > 2  # something is drawn
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_undefined_curves_are_left_out(predictions, tmp_path):
    only_clean = predictions.table[predictions.table["label"] == "clean"]
    one_class = type(predictions)(only_clean, predictions.classes, predictions.models, predictions.data)
    plot_ranking(tmp_path / "ranking.png", one_class, ["model"], CLASSES)
    assert (tmp_path / "ranking.png").is_file()


def test_a_failed_plot_leaves_no_file(predictions, tmp_path):
    with pytest.raises(KeyError):
        plot_history(tmp_path / "history.png", pd.DataFrame({"train/loss": [1.0]}))
    assert list(tmp_path.iterdir()) == []
