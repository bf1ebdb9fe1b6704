import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from assay.evaluation.metrics import (
    calibration_bin,
    calibration_metrics,
    confusion_metrics,
    ranking_metrics,
    weighted_share,
)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_every_metric_is_scikit_learns_under_sample_weights(seed, k):
    random = np.random.default_rng(seed)
    n = 60
    truth = np.concatenate([np.arange(k), random.integers(0, k, n - k)])
    scores = random.integers(1, 6, (n, k)).astype(float)  # few values: many ties
    scores /= scores.sum(axis=1, keepdims=True)
    decided = scores.argmax(axis=1)
    weights = random.integers(0, 4, (3, n)).astype(float)
    weights[:, :k] += 1  # every class is there
    names = [f"c{i}" for i in range(k)]
    confusion, ranking = (
        confusion_metrics(weights, truth, decided, names),
        ranking_metrics(weights, truth, scores),
    )

    for draw, sample_weight in enumerate(weights):
        given_weights = {"sample_weight": sample_weight}
        recall = reference.recall_score(truth, decided, average=None, labels=range(k), **given_weights)
        f1 = reference.f1_score(truth, decided, average="macro", labels=range(k), **given_weights)
        accuracy = reference.accuracy_score(truth, decided, **given_weights)
        classes = [1] if k == 2 else range(k)
        auc = np.mean([reference.roc_auc_score(truth == c, scores[:, c], **given_weights) for c in classes])
        average = np.mean(
            [reference.average_precision_score(truth == c, scores[:, c], **given_weights) for c in classes]
        )
        assert weighted_share(weights, truth == decided)[draw] == pytest.approx(accuracy)
        assert [confusion[f"recall/{name}"][draw] for name in names] == pytest.approx(recall.tolist())
        assert confusion["f1/macro"][draw] == pytest.approx(f1)
        assert confusion["balanced_accuracy"][draw] == pytest.approx(recall.mean())
        assert ranking["roc_auc"][draw] == pytest.approx(auc)
        assert ranking["average_precision"][draw] == pytest.approx(average)


def test_undefined_metrics_are_nan_not_zero():
    truth, once = np.array([0, 0, 1]), np.ones((1, 3))
    one_class = confusion_metrics(once, truth, np.zeros(3, int), ["clean", "pit"])
    assert np.isnan(one_class["precision/pit"][0]) and np.isnan(one_class["precision/macro"][0])
    assert one_class["recall/pit"][0] == 0 and one_class["f1/pit"][0] == 0  # defined, and bad
    no_pits = ranking_metrics(once, np.zeros(3, int), np.full((3, 2), 0.5))
    assert np.isnan(no_pits["roc_auc"][0])


def test_calibration_error_by_hand():
    # two bins: confidence .9 (right 1 of 2) and .6 (right 1 of 1): (2 * |.5 - .9| + 1 * |1 - .6|) / 3
    truth, scores = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    found = calibration_metrics(np.array([[1.0, 1, 1], [1, 0, 1]]), truth, scores)
    assert found["ece"] == pytest.approx([(2 * 0.4 + 0.4) / 3, (0.1 + 0.4) / 2])
    assert found["brier"][0] == pytest.approx(reference.brier_score_loss(truth, scores[:, 1]))
    assert found["log_loss"][0] == pytest.approx(reference.log_loss(truth, scores))
    assert np.isnan(calibration_metrics(np.ones((1, 0)), np.empty(0, int), np.empty((0, 2)))["ece"][0])


def test_a_stored_zero_is_an_underflow_and_costs_no_infinity():
    wrong = calibration_metrics(np.ones((1, 1)), np.array([1]), np.array([[1.0, 0.0]]))
    assert 87 < wrong["log_loss"][0] < 88  # -log of float32's smallest normal number


def test_bins_hold_their_upper_end():
    assert calibration_bin(np.array([0.0, 1 / 15, 0.5, 14 / 15 + 1e-9, 1.0])).tolist() == [0, 0, 7, 14, 14]
