import dataclasses

import numpy as np
import pytest

from assay.evaluation.detection import score
from assay.evaluation.detection_comparison import compare
from assay.evaluation.detection_plots import plot_class_ap
from assay.evaluation.detection_report import against_published, rate, rates, write_report
from tests.evaluation.detectors import random_boxes
from tests.evaluation.pages import TOP, check_alone, check_numbers_of_other_images, top

AT = {"cone": 0.4, "drum": 0.4, "sign": 0.4, "<board>": 0.4}
PUBLISHED = {
    "map50": 0.8764,
    "precision": 0.1,
    "recall": None,
    "duration_min": 45,
    "per_class": {"cone": {"map50": 0.7512, "f1": 0.5}, "car": {"map50": 0.5}},
}


@pytest.fixture(scope="module")
def predictions():
    made = random_boxes(48, skill={"model": 0.8, "baseline": 0.5})
    return dataclasses.replace(made, classes=(*made.classes, "<board>"))


@pytest.fixture(scope="module")
def scored(predictions):
    """Scores of both splits and the comparison, at the usual thresholds."""
    return both(predictions, AT)


def both(predictions, thresholds):
    scores = {
        split: score(predictions, "model", split=split, thresholds=thresholds, draws=50)
        for split in ("test", "val")
    }
    return scores, compare(predictions, "model", "baseline", split="test", thresholds=thresholds, draws=50)


@pytest.fixture
def write(predictions, scored, tmp_path):
    """Write a report of data with the given source and return its HTML."""

    def write(source: str, thresholds=AT, images=None, **changes) -> str:
        scores, compared = scored
        if thresholds is not AT or images is not None:
            chosen = predictions if images is None else dataclasses.replace(predictions, images=images)
            scores, compared = both(chosen, thresholds)
        plot_class_ap(tmp_path / "ap.png", scores["test"]["all"])
        arguments = {
            "title": "workzone: <EXP>",
            **top(source, weights="yolo12s", experiment="yolo12s_fusion"),
            "scores": scores,
            "comparison": {"test": compared},
            "published": PUBLISHED,
            "figures": [("AP50 by class", tmp_path / "ap.png")],
        }
        write_report(tmp_path / "report.html", **arguments | changes)
        return (tmp_path / "report.html").read_text("utf-8")

    return write


def test_the_top_says_what_the_numbers_rest_on(write):
    html = write("sample")
    said = html.partition("<h2>")[0]
    for fact in (*TOP, "package: yolo12s", "yolo12s_fusion", "mAP50 ", "n = 24 (test)"):
        assert fact in said
    assert "workzone: &lt;EXP&gt;" in html and "&lt;board&gt;" in html and "<board>" not in html


def test_every_split_class_and_the_comparison_are_there(write):
    html = write("sample")
    for text in (
        "Metrics, test",
        "Metrics, val",
        "no objects to score",
        "Against the baseline",
        "without leaks",
    ):
        assert text in html
    assert "false positives per image at equal recall" in html and "log-odds" in html
    assert "beyond noise" in html or "no evidence" in html
    assert "Against the baseline" not in write("sample", comparison=None)


def test_sample_and_own_numbers_never_stand_beside_published_ones(write):
    check_numbers_of_other_images(write("sample"), write("own (photos)"), "87.64")


def test_original_numbers_do_unless_there_are_none(write):
    html = write("original")
    assert "Sample data" not in html
    assert "87.64 %" in html and "AP50 of cone" in html
    assert "Published and measured" not in write("original", published={})


def test_the_file_stands_alone(write):
    check_alone(write("sample"))


def test_a_collapse_is_the_first_thing_said(write):
    html = write("sample", thresholds=dict.fromkeys(AT, 1.0), warnings=["the loss is not finite"])
    assert html.index("collapsed on test: no box reaches") < html.index('headline">')
    assert "the loss is not finite" in html
    assert "Undefined: precision micro" in html and "(no box reaches the threshold)" in html
    assert "collapsed" not in write("sample")


def test_few_groups_are_warned_of(write, predictions):
    few = predictions.images.assign(group=np.where(np.arange(48) < 24, "a", "b"))
    assert "24 images from 2 independent groups only" in write("sample", images=few)
    assert "independent groups only" not in write("sample")


def test_published_rows_keep_numbers_about_this_data_only(predictions):
    part = score(predictions, "model", split="test", thresholds=AT, draws=50)["all"]
    rows = {row["metric"]: row for row in against_published(part, PUBLISHED)}
    assert set(rows) == {"mAP50", "precision", "AP50 of cone"}  # no time, no f1, no class that is not here
    assert rows["precision"]["measured"] == part["precision"]["macro"] and not rows["precision"]["within"]
    assert rows["AP50 of cone"]["measured"] == part["ap50"]["cone"]
    own = against_published(part, {"map50": part["map50"]["value"]})
    assert own[0]["within"]


def test_rates_in_words():
    assert rate({"value": 1.234, "low": 0.9, "high": 1.6}) == "1.23 (0.90 to 1.60)"
    assert rate({"value": 1.0, "low": np.nan, "high": np.nan}) == "1.00 (no interval)"
    assert rates({"value": -0.5, "low": -1.0, "high": np.nan}) == "-0.50 (-1.00 to no end)"
    assert rates({"value": np.nan, "low": np.nan, "high": np.nan}) == "undefined"
