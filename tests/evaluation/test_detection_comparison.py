import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.detection import score
from assay.evaluation.detection_comparison import bootstrap_p, compare, compare_all, verdict_of
from assay.evaluation.intervals import Interval
from tests.evaluation.detectors import random_boxes, stored

AT = {"cone": 0.4, "drum": 0.4, "sign": 0.4}


@pytest.fixture(scope="module")
def predictions():
    return random_boxes(120, skill={"good": 0.85, "bad": 0.5, "twin": 0.5})


@pytest.fixture(scope="module")
def better(predictions):
    return compare(predictions, "good", "bad", split="test", thresholds=AT, draws=300)["all"]


def test_a_clear_difference_is_found_in_both_directions(predictions, better):
    assert better["verdict"] == "better beyond noise" and better["p"] == pytest.approx(2 / 301)
    assert better["map50_difference"]["low"] > 0
    equal_recall = better["matched_recall"]
    assert equal_recall["verdict"] == "better beyond noise"  # fewer false positives
    assert equal_recall["false_positives_difference"]["high"] < 0
    worse = compare(predictions, "bad", "good", split="test", thresholds=AT, draws=300)["all"]
    assert worse["verdict"] == "worse beyond noise"
    assert worse["map50_difference"]["value"] == -better["map50_difference"]["value"]
    assert worse["map50_difference"]["low"] == pytest.approx(-better["map50_difference"]["high"])
    assert worse["verdict_of"]["recall/micro"] == "worse beyond noise"


def test_differences_are_those_of_the_scores(predictions, better):
    ours, theirs = (
        score(predictions, model, split="test", thresholds=AT, draws=2)["all"] for model in ("good", "bad")
    )
    assert (better["n"], better["groups"], better["split"]) == (ours["n"], ours["groups"], "test")
    for metric in ("map50", "map50_95"):
        expected = ours[metric]["value"] - theirs[metric]["value"]
        assert better[f"{metric}_difference"]["value"] == pytest.approx(expected)
    for metric, label in (("recall", "drum"), ("precision", "macro"), ("ap50", "cone")):
        expected = ours[metric][label]["value"] - theirs[metric][label]["value"]
        assert better[f"{metric}_difference"][label]["value"] == pytest.approx(expected)


def test_two_models_of_one_skill_are_no_evidence(predictions):
    result = compare(predictions, "twin", "bad", split="test", thresholds=AT, draws=300)["all"]
    assert result["verdict"] == "no evidence of a difference"
    assert result["map50_difference"]["low"] < 0 < result["map50_difference"]["high"]


def test_a_model_does_not_differ_from_itself(predictions):
    result = compare(predictions, "bad", "bad", split="test", thresholds=AT, draws=100)["all"]
    assert result["map50_difference"] == {"value": 0, "low": 0, "high": 0}
    assert result["p"] == 1.0 and result["verdict"] == "no evidence of a difference"
    assert result["matched_recall"]["false_positives_difference"]["value"] == 0


def test_pairing_makes_the_interval_narrower_than_two_of_its_own(predictions):
    """A model that loses one box in twenty of another's differs little from it on every image."""
    boxes = predictions.of("good")
    fewer = boxes.drop(index=boxes.index[::20]).assign(model="fewer")
    both = dataclasses.replace(
        predictions,
        boxes=pd.concat([boxes, fewer], ignore_index=True),
        models={"good": {}, "fewer": {}},
    )
    difference = compare(both, "fewer", "good", split="test", thresholds=AT, draws=300)["all"]
    alone = score(both, "good", split="test", thresholds=AT, draws=300)["all"]["map50"]
    found = difference["map50_difference"]
    assert found["high"] - found["low"] < (alone["high"] - alone["low"]) / 2


def test_few_groups_cannot_prove_anything():
    """Five images of five groups, every one better: five groups give .0625 at best."""
    truth = [(f"{i}.png", "cone", 0, 0, 10, 10, False) for i in range(7)]
    boxes = [("new", f"{i}.png", "cone", 0, 0, 10, 10, 0.9) for i in range(7)]
    boxes += [("old", f"{i}.png", "cone", 50, 50, 60, 60, 0.9) for i in range(7)]
    at = {"cone": 0.5, "drum": 0.5}
    few = stored(boxes[:5] + boxes[7:12], truth[:5], 5)
    result = compare(few, "new", "old", split="test", thresholds=at)["all"]
    assert result["map50_difference"]["low"] == 1.0
    assert result["p"] == 0.0625 and result["verdict"] == "no evidence of a difference"
    enough = compare(stored(boxes, truth, 7), "new", "old", split="test", thresholds=at)["all"]
    assert enough["p"] == 0.5**6 and enough["verdict"] == "better beyond noise"


def test_leaks_are_compared_apart(predictions):
    result = compare(predictions, "good", "bad", split="test", thresholds=AT, draws=20)
    assert (result["all"]["n"], result["without_leaks"]["n"]) == (60, 58)


def test_each_may_have_its_own_thresholds(predictions):
    none = dict.fromkeys(AT, 1.0)
    result = compare(
        predictions, "good", "bad", split="test", thresholds=AT, reference_thresholds=none, draws=20
    )["all"]
    assert result["recall_difference"]["micro"]["value"] == pytest.approx(
        score(predictions, "good", split="test", thresholds=AT, draws=2)["all"]["recall"]["micro"]["value"]
    )


def test_the_verdict_can_be_about_another_metric(predictions):
    result = compare(predictions, "good", "bad", split="test", thresholds=AT, main="map50_95", draws=50)[
        "all"
    ]
    assert result["main"] == "map50_95" and result["p"] == result["p_of"]["map50_95"]


def test_a_sweep_pays_for_its_many_pairs(predictions):
    pairs = compare_all(
        predictions, ["good", "bad", "twin"], split="test", thresholds=dict.fromkeys(predictions.models, AT)
    )
    found = {(pair["candidate"], pair["reference"]): pair for pair in pairs}
    assert set(found) == {("good", "bad"), ("good", "twin"), ("bad", "twin")}
    assert found["good", "bad"]["p_holm"] == pytest.approx(3 * found["good", "bad"]["p"])
    assert found["good", "bad"]["verdict"] == "better beyond noise"
    assert found["bad", "twin"]["verdict"] == "no evidence of a difference"
    alone = compare(predictions, "good", "bad", split="test", thresholds=AT)["all"]
    assert found["good", "bad"]["map50_difference"] == alone["map50_difference"]
    assert compare_all(predictions, ["good"], split="test", thresholds={}) == []


def test_p_from_bootstrap_samples_by_hand():
    drawn = np.concatenate([np.full(95, 0.1), np.full(3, -0.1), np.zeros(1)])
    assert bootstrap_p(drawn, 50) == pytest.approx(2 * (4 + 1) / 100)
    assert bootstrap_p(-drawn, 50) == bootstrap_p(drawn, 50)
    assert bootstrap_p(np.zeros(99), 50) == 1.0
    assert bootstrap_p(np.empty(0), 50) == bootstrap_p(drawn, 1) == 1.0
    assert bootstrap_p(np.ones(99), 4) == 0.125


def test_verdicts():
    assert verdict_of(Interval(1, 0.5, 2), 0.01) == "better beyond noise"
    assert verdict_of(Interval(1, 0.5, 2), 0.01, fewer_is_better=True) == "worse beyond noise"
    assert verdict_of(Interval(-1, -2, np.nan), 0.01, fewer_is_better=True) == "no evidence of a difference"
    assert verdict_of(Interval(1, 0.5, 2), 0.06) == "no evidence of a difference"
