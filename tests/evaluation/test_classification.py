import numpy as np
import pandas as pd
import pytest

from assay.evaluation.classification import decide, equals_share, flat, score
from assay.evaluation.intervals import wilson

CLASSES = ["clean", "pit"]


def rows_of(labels, pit, *, groups=None, leak=None, maybe=None) -> pd.DataFrame:
    pit = np.asarray(pit, float)
    maybe = np.zeros(len(pit)) if maybe is None else np.asarray(maybe, float)
    index = range(len(pit))
    return pd.DataFrame(
        {
            "model": "m",
            "image": [f"{i:05d}.png" for i in index],
            "group": [str(g) for g in (index if groups is None else groups)],
            "label": labels,
            "leak": [False] * len(pit) if leak is None else leak,
            "p_clean": 1 - pit - maybe,
            "p_pit": pit,
            "p_maybe": maybe,
        }
    )


def test_the_published_confusion_matrix_gives_the_published_numbers():
    """EXP-002A of the ledger: CM [[631, 29], [42, 524]] -> 94.21 %, F1 .9416, P .9426, R .9409."""
    labels = ["clean"] * 660 + ["pit"] * 566
    pit = [0.1] * 631 + [0.9] * 29 + [0.1] * 42 + [0.9] * 524
    scores = score(rows_of(labels, pit), CLASSES, draws=200)["all"]
    assert scores["confusion"] == [[631, 29], [42, 524]]
    assert round(scores["accuracy"]["value"], 4) == 0.9421
    assert scores["accuracy"]["low"] == wilson(1155, 1226).low
    published = {"f1": 0.9416, "precision": 0.9426, "recall": 0.9409}
    assert {name: round(scores[name]["macro"]["value"], 4) for name in published} == published
    assert round(scores["recall"]["pit"]["value"], 4) == 0.9258
    assert scores["recall"]["pit"]["low"] < 0.9258 < scores["recall"]["pit"]["high"]
    assert scores["undefined"] == {} and scores["collapsed"] is None


def test_a_collapse_is_named():
    """EXP-002B of the ledger: 53.83 % is the share of clean images, one class for all."""
    scores = score(rows_of(["clean"] * 660 + ["pit"] * 566, [0.3] * 1226), CLASSES, draws=100)["all"]
    assert round(scores["accuracy"]["value"], 4) == 0.5383
    assert scores["collapsed"] == "clean"
    assert scores["majority"] == {"class": "clean", "n": 660, "share": 660 / 1226, "reached": True}
    assert scores["predicted_share"] == {"clean": 1.0, "pit": 0.0}
    assert np.isnan(scores["precision"]["pit"]["value"])
    assert scores["undefined"] == {
        "precision/pit": "pit is never predicted",
        "precision/macro": "pit is never predicted",
    }


def test_a_split_of_one_class_has_undefined_metrics_by_name():
    scores = score(rows_of(["clean"] * 4, [0.1, 0.2, 0.3, 0.9]), CLASSES, draws=100)["all"]
    assert scores["accuracy"]["value"] == 0.75 and scores["collapsed"] is None
    for name in ("recall/pit", "recall/macro", "balanced_accuracy", "roc_auc", "average_precision"):
        assert scores["undefined"][name] == "no image is pit"
    assert np.isfinite(scores["calibration"]["ece"]["value"])


@pytest.mark.parametrize(
    ("accuracy", "same"), [(0.5383, True), (0.538, True), (0.5391, False), (0.9421, False)]
)
def test_the_published_collapse_is_known_by_rule(accuracy, same):
    assert equals_share(accuracy, 660, 1226) == same


def test_leaks_are_left_out_of_the_second_part_only():
    rows = rows_of(["clean", "pit", "pit"], [0.1, 0.9, 0.1], leak=[True, True, False])
    scores = score(rows, CLASSES, draws=100)
    assert (scores["all"]["n"], scores["without_leaks"]["n"]) == (3, 1)
    assert scores["all"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert scores["without_leaks"]["accuracy"]["value"] == 0


def test_only_leaks_leaves_nothing_and_says_so():
    scores = score(rows_of(["clean", "pit"], [0.1, 0.9], leak=[True, True]), CLASSES, draws=100)[
        "without_leaks"
    ]
    assert scores["n"] == 0
    assert np.isnan(scores["accuracy"]["value"])
    assert set(scores["undefined"].values()) == {"no image is left"}
    assert {"accuracy", "roc_auc", "f1/macro"} <= set(scores["undefined"])


def test_three_class_model_against_two_class_truth():
    rows = rows_of(
        ["clean", "clean", "pit", "pit"], pit=[0.1, 0.2, 0.3, 0.1], maybe=[0.1, 0.7, 0.6, 0.2]
    )  # answers: clean, maybe, maybe, clean; without "maybe": clean, pit (.2 against .1), pit, clean
    scores = score(rows, CLASSES, maybe="maybe", draws=100)["all"]
    assert scores["accuracy"]["value"] == pytest.approx(2 / 4)
    three = scores["three_class"]
    assert three["maybe_share"]["value"] == pytest.approx(2 / 4)
    assert three["accuracy_decided"]["value"] == pytest.approx(1 / 2)
    assert three["pit_missed"]["value"] == pytest.approx(1 / 2)


def test_all_probability_on_maybe_is_still_a_decision():
    answer = decide(rows_of(["pit"], [0.0], maybe=[1.0]), CLASSES)
    assert answer.scores.tolist() == [[0.5, 0.5]] and answer.decided.tolist() == [0]


def test_routing_is_scored_when_asked_for():
    scores = score(
        rows_of(["clean", "pit", "pit"], [0.6, 0.8, 0.2]), CLASSES, routing=(0.75, 0.5), draws=100
    )["all"]
    assert scores["routing"]["pit_at"] == 0.75
    assert scores["routing"]["maybe_share"]["value"] == pytest.approx(1 / 3)


def test_a_label_outside_the_classes_is_refused():
    with pytest.raises(ValueError, match="'maybe'"):
        score(rows_of(["clean", "maybe"], [0.1, 0.9]), CLASSES)


def test_flat_names_what_a_tracker_logs():
    numbers = flat(score(rows_of(["clean", "pit"], [0.1, 0.9]), CLASSES, draws=100)["all"])
    assert numbers["accuracy"] == 1.0 and "accuracy/low" in numbers and "recall/pit/high" in numbers
    assert all(isinstance(value, float) for value in numbers.values())
    assert "collapsed" not in numbers and not any(name.startswith("confusion") for name in numbers)
