import dataclasses
import json

import numpy as np
import pytest

from assay.errors import UserError
from assay.evaluation.coco import coco_scores
from assay.evaluation.detection import best_thresholds, flat, score
from tests.evaluation.detectors import random_boxes, stored, two_images

AT = {"cone": 0.4, "drum": 0.4, "sign": 0.4}


@pytest.fixture(scope="module")
def predictions():
    return random_boxes(80)


@pytest.fixture(scope="module")
def scores(predictions):
    return score(predictions, "m", split="test", thresholds=AT, draws=200)


def test_values_are_the_scorers_and_lie_in_their_intervals(predictions, scores):
    part = scores["all"]
    images = predictions.split("test")["image"].tolist()
    official = coco_scores(predictions.of("m"), predictions.truth, images, predictions.classes)
    assert part["map50"]["value"] == official.map50
    assert part["map50_95"]["value"] == official.map50_95
    assert part["ar"]["value"] == official.ar
    assert [part["ap50"][name]["value"] for name in predictions.classes] == official.ap[:, 0].tolist()
    assert part["scorer_difference"] < 1e-12
    for metric in ("map50", "map50_95", "ar"):
        assert part[metric]["low"] < part[metric]["value"] < part[metric]["high"]
    for label in ("cone", "drum", "sign"):
        assert part["ap50"][label]["low"] <= part["ap50"][label]["value"] <= part["ap50"][label]["high"]


def test_only_the_split_is_scored_and_leaks_apart(predictions, scores):
    everything, without = scores["all"], scores["without_leaks"]
    assert (everything["n"], without["n"]) == (40, 38)  # images 000 and 002 are leaks of split test
    kept = predictions.images[(predictions.images["split"] == "test") & ~predictions.images["leak"]]
    alone = dataclasses.replace(
        predictions,
        images=kept,
        truth=predictions.truth[predictions.truth["image"].isin(kept["image"])],
        boxes=predictions.boxes[predictions.boxes["image"].isin(kept["image"])],
    )
    assert score(alone, "m", split="test", thresholds=AT, draws=200)["all"] == without
    assert score(predictions, "m", split="val", thresholds=AT, draws=2)["all"]["split"] == "val"
    with pytest.raises(UserError, match="no image of split 'tset'; there are: test, val"):
        score(predictions, "m", split="tset", thresholds=AT)


def test_counts_agree_with_the_rates(scores):
    part = scores["all"]
    counts = part["counts"]
    found = counts["true_positives"]
    assert found + counts["missed"] == sum(part["objects"].values())
    assert part["recall"]["micro"]["value"] == pytest.approx(found / (found + counts["missed"]))
    assert part["precision"]["micro"]["value"] == pytest.approx(found / (found + counts["false_positives"]))
    assert part["false_positives"]["all"]["value"] == pytest.approx(counts["false_positives"] / part["n"])
    assert np.trace(part["confusion"]) == found
    assert np.array(part["confusion"])[:, :3].sum() - found == counts["false_positives"]


def test_scores_are_reproducible_and_plain_json(predictions, scores):
    again = score(predictions, "m", split="test", thresholds=AT, draws=200)
    assert json.loads(json.dumps(scores)) == scores == again
    assert score(predictions, "m", split="test", thresholds=AT, draws=200, seed=1) != scores


def test_flat_names(scores):
    numbers = flat(scores["all"])
    assert numbers["map50"] == scores["all"]["map50"]["value"]
    assert numbers["recall/cone/low"] == scores["all"]["recall"]["cone"]["low"]
    assert numbers["false_positives/all"] > 0
    assert all(isinstance(value, float) for value in numbers.values())


def test_groups_that_move_together_widen_the_interval():
    """Sixty images that are six scenes, ten times each, know no more than six."""
    boxes, truth, images = [], [], []
    for index in range(60):
        name, scene = f"{index:02d}.png", index // 10
        images.append((name, "test", f"scene{scene}", False, 100, 100))
        truth.append((name, "cone", 0, 0, 10, 10, False))
        if scene % 2:
            boxes.append(("m", name, "cone", 0, 0, 10, 10, 0.9))
    grouped = stored(boxes, truth, images)
    alone = dataclasses.replace(grouped, images=grouped.images.assign(group=""))
    at = {"cone": 0.5, "drum": 0.5}
    wide, narrow = (
        score(each, "m", split="test", thresholds=at, draws=300)["all"]["recall"]["micro"]
        for each in (grouped, alone)
    )
    assert wide["value"] == narrow["value"] == 0.5
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])


def test_one_group_has_no_interval():
    predictions = two_images()
    predictions = dataclasses.replace(predictions, images=predictions.images.assign(group="clip"))
    found = score(predictions, "m", split="test", thresholds={"cone": 0.5})["all"]
    assert found["groups"] == 1 and np.isnan(found["map50"]["low"])


def test_a_class_without_objects_is_named():
    predictions = dataclasses.replace(two_images(), classes=("cone", "drum"))
    part = score(predictions, "m", split="test", thresholds=AT, draws=20)["all"]
    assert part["not_scored"] == {"drum": "no objects to score"}
    assert part["undefined"]["ap50/drum"] == "no objects to score"
    assert part["undefined"]["precision/drum"] == "no box reaches the threshold"
    assert part["map50"]["value"] == part["ap50"]["cone"]["value"]


def test_nothing_above_the_threshold_is_a_collapse():
    part = score(two_images(), "m", split="test", thresholds={"cone": 0.95}, draws=20)["all"]
    assert part["collapsed"] == "no box reaches its confidence threshold"
    assert part["recall"]["cone"]["value"] == 0 and part["false_positives"]["all"]["value"] == 0
    assert part["undefined"]["precision/micro"] == "no box reaches the threshold"


def test_one_class_only_is_a_collapse(predictions):
    drums = dataclasses.replace(predictions, boxes=predictions.boxes.assign(label="drum"))
    part = score(drums, "m", split="test", thresholds=AT, draws=20)["all"]
    assert part["collapsed"] == "every box above its threshold is called drum"
    assert score(two_images(), "m", split="test", thresholds=AT, draws=20)["all"]["collapsed"] is None


def test_all_leaked_leaves_nothing_to_score():
    predictions = two_images()
    predictions = dataclasses.replace(predictions, images=predictions.images.assign(leak=True))
    part = score(predictions, "m", split="test", thresholds=AT)["without_leaks"]
    assert part["n"] == 0 and np.isnan(part["map50"]["value"]) and part["collapsed"] is None
    assert part["undefined"]["false_positives/all"] == "no image is left"


def test_a_threshold_is_needed_for_every_class(predictions):
    with pytest.raises(ValueError, match="no confidence threshold for drum, sign"):
        score(predictions, "m", split="test", thresholds={"cone": 0.5})


def test_best_thresholds_by_hand():
    """F1 is 2/3, 1/2, 4/5 at 0.9, 0.8, 0.7; of drums there is nothing to learn from."""
    predictions = dataclasses.replace(two_images(), classes=("cone", "drum"))
    found = best_thresholds(predictions, "m", split="test", otherwise={"cone": 0.2, "drum": 0.25})
    assert found == {"cone": 0.7, "drum": 0.25}
