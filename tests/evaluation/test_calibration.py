import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from assay.evaluation.calibration import calibration, fit_temperature, sharpen


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(n=600, times=2.0, seed=0):
    """Truth drawn from honest logits; the probabilities are those of the logits `times` larger."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, 2))
    truth = (random.random(n) < softmax(logits)[:, 1]).astype(int)
    return truth, softmax(times * logits), np.arange(n).astype(str)


def test_sharpen_divides_the_logits():
    logits = np.random.default_rng(0).normal(0, 3, (20, 3))
    np.testing.assert_allclose(sharpen(softmax(logits), 2.5), softmax(logits / 2.5))
    assert sharpen(np.array([[1.0, 0.0]]), 3.0)[0, 1] > 0  # a stored 0 is an underflow


def test_the_temperature_is_that_of_least_log_loss():
    truth, scores, groups = overconfident()
    found = fit_temperature(truth, scores, groups, draws=100)

    def loss(temperature):
        return -np.log(sharpen(scores, temperature)[np.arange(len(truth)), truth]).mean()

    best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x
    assert found["temperature"] == pytest.approx(best, rel=0.006)
    assert found["temperature"] == pytest.approx(2, rel=0.25)  # what the probabilities were spoilt by
    assert found["interval"]["low"] < found["temperature"] < found["interval"]["high"]
    assert (found["n"], found["groups"], found["undecided"]) == (600, 600, None)


def test_images_that_are_all_right_decide_no_temperature():
    found = fit_temperature(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array(["a", "b"]))
    assert (found["temperature"], found["undecided"]) == (1.0, "all are right")
    none = fit_temperature(np.empty(0, int), np.empty((0, 2)), np.empty(0, str))
    assert (none["temperature"], none["undecided"]) == (1.0, "there are none")


def test_the_temperature_mends_other_images():
    fitted = fit_temperature(*overconfident(seed=1), draws=100)["temperature"]
    found = calibration(*overconfident(n=1226, seed=2), temperature=fitted, draws=200)
    assert found["ece"]["low"] > 0 and found["ece"]["p"] == 0
    assert found["scaled"]["ece"]["value"] < found["ece"]["value"]
    assert found["change"]["log_loss"]["high"] < 0 and found["change"]["brier"]["high"] < 0


def test_probabilities_that_are_right_are_not_called_wrong():
    found = calibration(*overconfident(n=1226, times=1.0), draws=400)
    assert found["ece"]["low"] == 0 and found["ece"]["p"] > 0.025
    assert found["ece"]["value"] > 0  # no sample is free of it,
    assert found["ece"]["if_calibrated"] == pytest.approx(
        found["ece"]["value"], rel=0.5
    )  # nor was it to be expected
    assert "scaled" not in found


def test_copies_of_an_image_are_one_stroke_of_luck():
    truth, scores, groups = overconfident(n=300)
    four = [np.tile(truth, 4), np.tile(scores, (4, 1))]
    apart = calibration(*four, np.arange(1200).astype(str), draws=300)
    together = calibration(*four, np.tile(groups, 4), draws=300)
    assert together["ece"]["if_calibrated"] > 1.5 * apart["ece"]["if_calibrated"]  # sqrt(4) = 2


def test_no_images_no_numbers():
    found = calibration(np.empty(0, int), np.empty((0, 2)), np.empty(0, str), draws=100)
    assert all(np.isnan(found[name]["value"]) for name in ("ece", "log_loss", "brier"))
