"""The peer of the scoring benchmark scores as COCO does; seconds are not tested."""

import numpy as np

from assay.evaluation.coco import coco_scores
from benchmarks import scoring
from benchmarks.coco_reference import reference_scores


def test_the_peer_and_the_scorer_give_the_same_numbers_and_the_boxes_are_worth_scoring() -> None:
    predictions = scoring.drawn(30, 12)
    names = predictions.images["image"].tolist()
    for model in ("reference", "candidate"):
        given = predictions.of(model), predictions.truth, names, scoring.CLASSES
        official = coco_scores(*given)
        np.testing.assert_allclose(reference_scores(*given), official.ap, atol=1e-12)
        assert 0.2 < official.map50_95 < 0.8
    assert predictions.images["group"].nunique() == 6


def test_every_task_has_its_row() -> None:
    rows = {row["task"]: row for row in scoring.measure(20, 5, 100, 1)}
    assert list(rows) == ["map", "scorer", "peer", "bootstrap"]
    assert rows["map"]["difference_to_peer"] < 1e-12
    assert rows["bootstrap"]["draws"] == 100 and rows["bootstrap"]["within_limit"]
