"""What a sweep of detectors says, from rows and comparisons made by hand."""

import pytest

from assay.evaluation.sections import to_markdown
from assay.evaluation.sweep import forest_of, sections_of, task_of
from assay.evaluation.sweep_detection import (
    jobs_section,
    learnt_section,
    pairs_section,
    rates_section,
    shown_section,
)


def interval(value, spread=0.05):
    return {"value": value, "low": value - spread, "high": value + spread}


def row(name="net", seed=0, *, map50=0.8, **changes):
    cells = {
        **{"job": f"{name} seed {seed}", "variant": name, "task": "detection", "status": "ok"},
        **{
            "weights": "starter",
            "weights_root": "starter",
            "weights_detail": "scenes",
            "split": "val",
            "n": 45,
            "groups": 9,
        },
        **{"train_images": 305, "hard_negatives": 20, "epoch": 3, "epochs_run": 4},
        **{"test_n": 25, "without_leaks_n": 44},
    }
    values = {"map50": map50, "map50_95": 0.5, "precision": 0.7, "recall": 0.6, "false_positives": 1.5}
    for prefix in ("", "without_leaks_", "test_"):
        for metric, value in values.items():
            for end, number in interval(value).items():
                cells[f"{prefix}{metric}" + ("" if end == "value" else f"_{end}")] = number
    return {**cells, **changes}


def pair(split="val", **changes):
    matched = {"reached": True, "false_positives_difference": interval(-0.4, 0.1), "p": 0.01}
    return {
        **{"candidate": "hard seed 0", "reference": "net seed 0", "split": split, "n": 45, "groups": 9},
        **{"main": "map50", "p_holm": 0.03, "verdict": "better beyond noise"},
        **{"map50_difference": interval(0.1), "map50_95_difference": interval(0.05)},
        **{"recall_difference": {"micro": interval(-0.02)}},
        **{"false_positives_difference": {"all": interval(-1.0, 0.5)}, "matched_recall": matched},
        **changes,
    }


def test_a_job_stands_beside_the_published_number():
    section = jobs_section([row(published=0.872, comparable="no: starter weights instead of COCO's")])
    cells = dict(zip(section.header, section.rows[0], strict=True))
    assert cells["mAP50"] == "80.0 % (75.0 to 85.0)" and cells["mAP50-95"] == "50.0 % (45.0 to 55.0)"
    assert cells["published mAP50"] == "87.20 % (not comparable: starter weights instead of COCO's)"


def test_what_a_job_learnt_from_and_whose_model_it_goes_on_from():
    later = row("later", weights="experiment", weights_detail="before 0123456789ab")
    assert learnt_section([row(), later]).rows == [
        ["net seed 0", "starter", "305", "20", "3 of 4"],
        ["later seed 0", "before, first starter", "305", "20", "3 of 4"],
    ]


def test_what_cannot_be_scored_is_undefined_and_no_test_split_is_empty():
    bare = {key: value for key, value in row().items() if not key.startswith(("test_", "map50"))}
    cells = dict(zip(jobs_section([bare]).header, jobs_section([bare]).rows[0], strict=True))
    assert cells["mAP50"] == cells["mAP50-95"] == "undefined" and cells["mAP50 on test"] == ""
    assert rates_section([bare]).rows[0][4:] == ["", "", ""]


def test_false_positives_at_the_configured_confidence_and_at_equal_recall():
    (line,) = pairs_section([pair()], [row(), row("hard")]).rows
    assert line[2:] == [
        "+10.0 points (+5.0 to +15.0)",
        "+5.0 points (+0.0 to +10.0)",
        "0.03",
        pair()["verdict"],
    ]
    first, second = shown_section(
        [pair(), pair(matched_recall={"reached": False})], [row(), row("hard")]
    ).rows
    assert first[2:4] == ["-2.0 points (-7.0 to +3.0)", "-1.00 (-1.50 to -0.50)"]
    assert (first[4:], second[4:]) == (["-0.40 (-0.50 to -0.30)", "0.01"], ["not reached", ""])


def test_every_split_is_compared_by_itself_and_a_collapse_is_named():
    rows = [row(), row("hard", collapsed="no box reaches its confidence threshold")]
    sections = sections_of(rows, [pair("val"), pair("test", n=25)], [])
    titles = [section.title for section in sections]
    assert titles[-4::2] == [
        f"Every pair of detectors, on the same {n} {split} images" for n, split in ((45, "val"), (25, "test"))
    ]
    text = "".join(map(to_markdown, sections))
    assert all("COLLAPSED" in line for line in text.splitlines() if "hard seed 0" in line)


def test_a_refused_job_has_its_reason_and_no_numbers():
    refused = {"job": "cbam seed 0", "task": "detection", "status": "refused", "error": "no stage does it"}
    sections = sections_of([row(), refused], [], [])
    assert sections[0].rows[1][1] == "refused" and set(sections[0].rows[1][2:]) == {""}
    assert (sections[1].title, sections[1].rows) == ("Refused jobs", [["cbam seed 0", "no stage does it"]])


def test_seeds_are_a_spread_of_map50():
    sections = {
        one.title: one for one in sections_of([row(seed=1, map50=0.7), row(seed=2, map50=0.8)], [], [])
    }
    (line,) = sections["Seeds: mean ± standard deviation (lowest to highest)"].rows
    assert line[2] == "75.00 ± 7.07 % (70.00 to 80.00)"


def test_the_forest_shows_map50_and_a_published_number_that_compares():
    rows = [row(published=0.9, comparable="yes"), row("other", published=0.9, comparable="no: 2 epochs")]
    label, lines = forest_of([*rows, {"job": "x", "task": "ocr", "status": "refused", "error": "-"}])
    assert label == "mAP50 on the val images" and [line.published for line in lines] == [0.9, None]
    assert lines[0].measured.value == pytest.approx(0.8) and lines[0].as_published is None


def test_the_task_is_that_of_the_jobs_that_ended_well():
    refused = {"job": "x", "task": "vision_language", "status": "refused", "error": "-"}
    assert task_of([refused, row()]) == "detection" and task_of([refused]) == "vision_language"
    assert task_of([{"job": "x", "status": "ok"}]) == "classification"  # tables before the column
