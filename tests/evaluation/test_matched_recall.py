import numpy as np
import pytest

from assay.evaluation.detection_metrics import counts_at
from assay.evaluation.matched_recall import matched_recall
from assay.evaluation.matching import match
from tests.evaluation.detectors import random_boxes, stored

TRUTH = [(f"{i}.png", "cone", 0, 0, 10, 10, False) for i in range(4)]


def box(model, image, score, *, right, label="cone"):
    corners = (0, 0, 10, 10) if right else (50, 50, 60, 60)
    return (model, f"{image}.png", label, *corners, score)


# the reference finds two of four at 0.5, with three false positives
REFERENCE = [box("old", i, 0.9, right=i < 2) for i in range(4)] + [box("old", 3, 0.6, right=False)]
# the candidate finds its second object at 0.3, below its threshold, after one false positive
CANDIDATE = [
    box("new", 0, 0.9, right=True),
    box("new", 1, 0.4, right=False),
    box("new", 1, 0.3, right=True),
    box("new", 2, 0.2, right=False),
    box("new", 2, 0.1, right=True),
]


def matched(candidate, *, reference=REFERENCE, weights=(1, 1, 1, 1), at=0.5):
    predictions = stored([*candidate, *reference], TRUTH, 4)
    images = [f"{i}.png" for i in range(4)]
    new, old = (
        match(predictions.of(model), predictions.truth, images, predictions.classes)
        for model in ("new", "old")
    )
    limits = np.array([at, at])
    weights = np.vstack([np.ones((1, 4)), np.atleast_2d(np.asarray(weights, float))])
    return new, matched_recall(new, old, limits, limits, [weights])


def test_by_hand():
    new, found = matched(CANDIDATE)
    assert found.reference_recall == found.candidate_recall == 0.5
    # the reference's third false positive, at 0.6, is not needed for the two that it finds
    assert found.reference_false_positives == 2 / 4 and found.candidate_false_positives == 1 / 4
    assert found.difference.tolist() == [-0.25, -0.25]
    assert found.thresholds == pytest.approx([0.3, 0.3])
    right, wrong = counts_at(new, found.thresholds)  # the reported thresholds do what is said of them
    assert (right.sum(), wrong.sum()) == (2, 1)


def test_every_sample_matches_anew():
    """Image 1 away, 0 twice: the reference finds 2 of 4, the candidate's first box alone does too."""
    _, found = matched(CANDIDATE, weights=(2, 0, 1, 1))
    assert found.difference[1] == pytest.approx(0 - 2 / 4)


def test_a_detector_beside_itself_differs_by_nothing():
    """Also where its own thresholds could be stricter at the same recall, and where two sets of them tell the same."""
    predictions = random_boxes(60, skill={"new": 0.7, "old": 0.5})
    images = predictions.images["image"].tolist()
    model = match(predictions.of("new"), predictions.truth, images, predictions.classes)
    weights = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=200)
    for at in (0.02, 0.25, 0.6):
        limits = np.full(3, at)
        found = matched_recall(model, model, limits, limits, [np.ones((1, 60)), weights])
        assert (found.difference == 0).all() and found.unreached == 0
        assert found.candidate_false_positives == found.reference_false_positives


def test_a_recall_out_of_reach_is_said():
    _, found = matched(CANDIDATE[:2], weights=[(1, 1, 1, 1), (2, 0, 1, 1)])
    assert found.difference[0] == np.inf and np.isnan(found.candidate_false_positives)
    assert np.isnan(found.thresholds).all()
    assert found.unreached == 0.5


def test_a_reference_that_finds_nothing_is_matched_by_silence():
    _, found = matched(CANDIDATE, at=0.95)
    assert found.reference_recall == 0 and found.candidate_false_positives == 0
    assert found.thresholds == pytest.approx([1, 1])


def test_boxes_of_equal_score_come_in_together():
    tied = [box("new", i, 0.3, right=i != 1) for i in range(4)]
    _, found = matched(tied)
    assert found.candidate_recall == 3 / 4 and found.candidate_false_positives == 1 / 4


def test_class_thresholds_move_together():
    predictions = random_boxes(60, skill={"new": 0.8, "old": 0.5})
    images = predictions.images["image"].tolist()
    new, old = (
        match(predictions.of(name), predictions.truth, images, predictions.classes) for name in ("new", "old")
    )
    ours, theirs = np.array([0.2, 0.5, 0.7]), np.array([0.4, 0.4, 0.4])
    found = matched_recall(new, old, ours, theirs, [np.ones((1, 60))])
    right, wrong = counts_at(new, found.thresholds)
    objects = new.objects.sum()
    assert right.sum() / objects == pytest.approx(found.candidate_recall)
    assert found.candidate_recall >= found.reference_recall > found.candidate_recall - 2 / objects
    assert wrong.sum() / 60 == pytest.approx(found.candidate_false_positives)
    steps = np.log(found.thresholds / (1 - found.thresholds)) - np.log(ours / (1 - ours))
    assert steps == pytest.approx(steps[0], abs=1e-6)
