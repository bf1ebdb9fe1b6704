"""From which confidence a detector's box is shown: as configured, or as validation says, whatever test would say."""

import dataclasses

import pytest

from assay.config import compose
from assay.errors import UserError
from pipelines.detection.scoring import compare_with, thresholds
from tests.evaluation.detectors import two_images


def config(*more):
    return compose(["project=infrastructure", "experiment=yolo11s_epoch6", "profile=smoke", *more])


@pytest.fixture
def answers():
    """The same objects and boxes on val and on test; of cones 0.7 gives the highest F1 (see evaluation tests)."""
    one = two_images()
    renamed = {
        part: getattr(one, part).assign(image="val " + getattr(one, part)["image"])
        for part in ("boxes", "truth", "images")
    }
    renamed["images"] = renamed["images"].assign(split="val")
    return dataclasses.replace(one, **renamed, classes=("cone", "toe_drain")), one


def test_fixed_thresholds_are_the_recipes(answers):
    found = thresholds(config(), answers[0], "m")
    assert found == {"rock_toe": 0.15, "slope_drain": 0.25, "toe_drain": 0.15, "vegetation": 0.25}


def test_validation_finds_them_and_test_cannot_move_them(answers):
    import pandas as pd

    val, test = answers
    asked = config("evaluate.inference.thresholds=validation")
    alone = thresholds(asked, val, "m")
    assert alone == {"cone": 0.7, "toe_drain": 0.15}  # of toe drains nothing is found: as configured for them
    worse = test.boxes.assign(score=test.boxes["score"] / 2)
    both = {
        "boxes": pd.concat([val.boxes, worse], ignore_index=True),
        "truth": pd.concat([val.truth, test.truth], ignore_index=True),
        "images": pd.concat([val.images, test.images], ignore_index=True),
    }
    assert thresholds(asked, dataclasses.replace(val, **both), "m") == alone
    with pytest.raises(UserError, match="no image of split 'val'"):  # never the configured ones in silence
        thresholds(asked, test, "m")


def test_each_of_two_models_is_compared_at_its_own_thresholds(answers):
    """The reference is the model with halved scores: at its own, lower threshold it shows the same boxes."""
    import pandas as pd

    val = answers[0]
    halved = val.boxes.assign(model="half", score=val.boxes["score"] / 2)
    both = dataclasses.replace(
        val,
        boxes=pd.concat([val.boxes, halved], ignore_index=True),
        models={name: {"hash": name, "experiment": name} for name in ("m", "half")},
    )
    asked = config("evaluate.inference.thresholds=validation", "evaluate.bootstrap_draws=100")
    found = compare_with(asked, both, "m", "half")["val"]["all"]
    assert (
        found["recall_difference"]["micro"]["value"] == found["precision_difference"]["micro"]["value"] == 0
    )
