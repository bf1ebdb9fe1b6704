import numpy as np
import pandas as pd
import pytest

from assay.evaluation.classification import score
from assay.evaluation.predictions import Predictions
from assay.evaluation.selections import calibration_section, differences, selection_section

CLASSES = ["clean", "pit"]
BOTH = ("m", "m, as published")


def stored(right, *, hashes=("a", "b"), leaks=10):
    """Two choices of one training by which images they get right; the first `leaks` images are copies."""
    tables = []
    for model, hits in zip(BOTH, right, strict=True):
        truth = np.arange(len(hits)) % 2
        pit = np.where(hits == truth.astype(bool), 0.9, 0.1)
        names = [f"{i:05d}" for i in range(len(hits))]
        about = {"model": model, "image": names, "group": names, "leak": np.arange(len(hits)) < leaks}
        tables.append(
            pd.DataFrame(about).assign(label=np.where(truth, "pit", "clean"), p_clean=1 - pit, p_pit=pit)
        )
    models = {
        model: {"hash": one, "epoch": epoch} for model, one, epoch in zip(BOTH, hashes, (3, 7), strict=True)
    }
    return Predictions(pd.concat(tables), tuple(CLASSES), models, {})


def wrong(n, which):
    return ~np.isin(np.arange(n), list(which))


def test_what_each_choice_adds_is_a_number_with_an_interval():
    predictions = stored([wrong(400, range(20, 60)), wrong(400, range(40, 60))])
    found = differences(predictions, *BOTH, CLASSES)
    assert not found["same_weights"] and found["epochs"] == {"clean": 3, "as_published": 7}
    pair = found["clean_minus_as_published"]["all"]
    assert pair["accuracy_difference"]["value"] == pytest.approx(-20 / 400)
    assert (pair["candidate_only"], pair["reference_only"], pair["verdict"]) == (0, 20, "worse beyond noise")
    assert pair["p"] == pytest.approx(2 * 0.5**20)  # exact
    leaks = found["all_minus_without_leaks"]["clean"]  # all copies are right
    assert leaks["value"] == pytest.approx(360 / 400 - 350 / 390)
    assert 0 < leaks["low"] < leaks["value"] < leaks["high"]


def test_the_page_says_both_choices_and_their_difference():
    predictions = stored([wrong(400, range(20, 60)), wrong(400, range(40, 60))])
    scores, published = (score(predictions.of(name), CLASSES, draws=100) for name in BOTH)
    found = differences(predictions, *BOTH, CLASSES)
    section = selection_section({**scores, "as_published": published, "differences": found})
    assert section.header[1:3] == ["clean (epoch 3)", "as published (epoch 7)"]
    assert section.rows[0][0] == "all, n = 400" and section.rows[1][0] == "without leaks, n = 390"
    assert section.rows[0][1].startswith("90.0 %") and section.rows[0][2].startswith("95.0 %")
    assert section.rows[0][3].startswith("-5.0 points")
    assert section.rows[2][1].startswith("+0.3 points")


def test_one_epoch_for_both_is_said_and_a_collapse_named():
    always = np.arange(40) % 2 == 0  # everything is called clean
    predictions = stored([always, always], hashes=("a", "a"))
    scores = score(predictions.of("m"), CLASSES, draws=100)
    found = differences(predictions, *BOTH, CLASSES, draws=100)
    section = selection_section({**scores, "as_published": scores, "differences": found})
    assert section.rows[0][4] == "same weights"
    assert "COLLAPSED: always clean" in section.rows[0][1]


def test_calibration_says_where_the_temperature_is_from():
    rows = stored([wrong(400, range(90)), wrong(400, range(90))]).of("m")
    scores = score(rows, CLASSES, temperature=1.5, draws=100)["all"]["calibration"]
    fitted = {"temperature": 1.5, "interval": {"value": 1.5, "low": 1.2, "high": 1.9}, "undecided": None}
    fitted |= {"n": 340, "groups": 300}
    section = calibration_section(scores, fitted)
    assert "340 images kept back" in section.note and "1.50 (1.20 to 1.90)" in section.note
    assert [row[0] for row in section.rows] == ["ECE", "log loss, nats", "Brier score"]
    assert len(section.header) == 4
    undecided = fitted | {"undecided": "all are right", "temperature": 1.0}
    assert "do not decide it (all are right), so it stays 1" in calibration_section(scores, undecided).note
    plain = calibration_section(score(rows, CLASSES, draws=100)["all"]["calibration"])
    assert plain.header == ["", "as trained"] and "kept back" not in plain.note
