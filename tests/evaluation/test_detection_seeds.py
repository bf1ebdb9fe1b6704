"""Detection experiments compared over seeds, on drawn scenes."""

import numpy as np
import pytest

from assay.evaluation.detection import score
from assay.evaluation.detection_seeds import compare_experiments
from tests.evaluation.detectors import random_boxes, stored

SKILLS = {"good1": 0.85, "good2": 0.8, "bad1": 0.5, "bad2": 0.55}
TRAININGS = {"good": ["good1", "good2"], "bad": ["bad1", "bad2"]}


@pytest.fixture(scope="module")
def predictions():
    return random_boxes(120, skill=SKILLS)


def test_the_difference_is_that_of_the_mean_scores(predictions):
    at = {"cone": 0.4, "drum": 0.4, "sign": 0.4}
    for main in ("map50", "map50_95"):
        (pair,) = compare_experiments(predictions, TRAININGS, split="test", main=main, draws=50)
        found = {
            name: score(predictions, name, split="test", thresholds=at, draws=2)["all"][main]["value"]
            for name in SKILLS
        }
        expected = (found["good1"] + found["good2"] - found["bad1"] - found["bad2"]) / 2
        assert pair["difference"]["value"] == pytest.approx(expected)
        assert (pair["split"], pair["main"], pair["seeds"]) == ("test", main, [2, 2])


def test_a_clear_difference_is_found_and_both_variances_widen_it(predictions):
    (pair,) = compare_experiments(predictions, TRAININGS, split="test", draws=300)
    assert pair["verdict"] == "better beyond noise" and pair["difference"]["low"] > 0
    half = (pair["difference"]["high"] - pair["difference"]["low"]) / 2
    assert half > 1.96 * np.hypot(pair["sd_images"], pair["sd_seeds"]) > 1.96 * pair["sd_images"]
    single = {name: models[:1] for name, models in TRAININGS.items()}
    (pair,) = compare_experiments(predictions, single, split="test", draws=300)
    assert pair["one_seed"] and np.isnan(pair["sd_seeds"])


def test_one_group_gives_no_interval_and_no_verdict():
    truth = [(f"{k}.png", "cone", 0, 0, 10, 10, False) for k in range(2)]
    boxes = [("a", "0.png", "cone", 0, 0, 10, 10, 0.9), ("b", "1.png", "cone", 50, 50, 60, 60, 0.9)]
    images = [(f"{k}.png", "val", "flight", False, 100, 100) for k in range(2)]
    (pair,) = compare_experiments(
        stored(boxes, truth, images, ["cone"]), {"a": ["a"], "b": ["b"]}, split="val"
    )
    assert pair["difference"]["value"] == pytest.approx(0.5, abs=0.01)
    assert np.isnan(pair["difference"]["low"]) and pair["p_holm"] == 1.0
    assert pair["verdict"] == "no evidence of a difference"
