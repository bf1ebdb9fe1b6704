"""The proof on boxes made by hand: three photos of a cone, one without, and two clips that show none."""

from dataclasses import replace
from math import isnan

import pandas as pd
import pytest

from assay.evaluation.detection import score
from assay.evaluation.proof import (
    MATCHED,
    STATED,
    TAUGHT,
    VIDEO,
    NegativeVideo,
    image_rows,
    matched_thresholds,
    points_of,
    proof_table,
    video_rows,
)
from assay.evaluation.proof_report import answer, sections_of, share_section, write_proof
from tests.evaluation.detectors import stored

TRUTH = [(f"{i}.png", "cone", 0, 0, 10, 10, False) for i in range(3)]
STATES = {name: {"cone": 0.5} for name in ("old", "new")}
HOW = {"draws": 100, "seed": 0}
PUBLISHED = {"source": "Document 000", "images": 37, "before": 590, "false_positives": 91, "change": -0.846}


def box(model, image, confidence, *, right):
    corners = (0, 0, 10, 10) if right else (50, 50, 60, 60)
    return (model, f"{image}.png", "cone", *corners, confidence)


# old at .5: 2 of 3 cones and 4 wrong boxes; from .9 on, 2 wrong. new at .5: 1 of 3 and nothing wrong; at the old recall,
# from .3 on, one wrong.
BOXES = [
    *(box("old", i, 0.9, right=True) for i in (0, 1)),
    *(box("old", i, 0.95 if i < 2 else 0.6, right=False) for i in range(4)),
    box("new", 0, 0.9, right=True),
    box("new", 3, 0.4, right=False),
    box("new", 1, 0.3, right=True),
]


@pytest.fixture
def predictions():
    found = stored(BOXES, TRUTH, 4, classes=["cone"])
    facts = {"count": 2, "by_kind": {"model": 2}, "clips": ["street"]}
    return replace(found, models=found.models | {"new": {**found.models["new"], "negatives": facts}})


@pytest.fixture
def video():
    spans = pd.DataFrame(
        [("road", "road", 0, 599, 10.0, "", True), ("street", "street", 0, 299, 10.0, "signs", False)],
        columns=["clip", "recording", "first", "last", "fps", "category", "held_out"],
    )
    rows = [("old", "road", frame, "cone", 0.6) for frame in (0, 1, 8, 20)] + [
        ("new", "road", 4, "cone", 0.35)
    ]
    rows += [("old", "street", 5, "cone", 0.7)]
    return NegativeVideo(pd.DataFrame(rows, columns=["model", "clip", "frame", "label", "score"]), spans, 1)


@pytest.fixture
def table(predictions, video):
    matched = {
        name: matched_thresholds(predictions, name, "old", split="test", stated=STATES) for name in STATES
    }
    points = points_of("old", ["new"], stated=STATES, matched=matched)
    scores = {
        name: score(predictions, name, split="test", thresholds=STATES[name], **HOW)["all"] for name in STATES
    }
    rows = image_rows(predictions, points, split="test", scores=scores, **HOW)
    return proof_table([*rows, *video_rows(predictions, video, points, **HOW)])


def test_a_candidate_stands_at_its_threshold_and_at_the_baselines_recall(table):
    images = table[table["where"] == "test images"]
    assert images[["model", "at", "false_positives"]].to_numpy().tolist() == [
        ["old", STATED, 4],
        ["old", MATCHED, 2],
        ["new", STATED, 0],
        ["new", MATCHED, 1],
    ]
    assert images["recall"].tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert images["rate"].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.25])
    changes = images["change"].tolist()
    assert isnan(changes[0]) and isnan(changes[1]) and changes[2:] == pytest.approx([-1.0, -0.5])
    assert images["change_low"].iloc[3] >= -1
    assert images["map50"].notna().all() and images["exact_low"].isna().all()


def test_alarms_stand_per_minute_on_held_out_video_and_by_lookalike(table):
    held = table[table["where"] == VIDEO]
    # frames 0 and 1 are one alarm; old at the strictest shows none of them, new's .35 counts from .3 on
    assert held["false_positives"].tolist() == [3, 0, 0, 1]
    assert held["exposure"].tolist() == [1.0] * 4 and held["unit"].eq("minute").all()
    assert (held["exact_low"] <= held["rate"]).all() and (held["rate"] <= held["exact_high"]).all()
    assert held["rate_low"].isna().all()  # one recording: nothing to draw
    assert held["note"].eq("").all()
    taught = table[table["where"] == TAUGHT]
    assert taught["category"].eq("signs").all() and taught["false_positives"].tolist() == [1, 0, 0, 0]
    assert taught["note"].tolist()[1] == "" and "flatters" in taught["note"].tolist()[2]


def test_a_recall_out_of_reach_has_no_second_row(predictions):
    turned = matched_thresholds(predictions, "old", "new", split="test", stated=STATES)
    assert turned is not None and turned["cone"] == pytest.approx(0.9)
    nothing = {"old": {"cone": 0.95}, "new": {"cone": 0.5}}  # showing nothing would match a recall of nothing
    assert matched_thresholds(predictions, "new", "old", split="test", stated=nothing) is None
    fewer = replace(predictions, boxes=predictions.boxes[predictions.boxes["score"] != 0.3])
    assert matched_thresholds(fewer, "new", "old", split="test", stated=STATES) is None
    points = points_of("old", ["new"], stated=STATES, matched={"old": {"cone": 0.9}, "new": None})
    said = [(point.model, point.at) for point in points]
    assert said == [("old", STATED), ("old", MATCHED), ("new", STATED)]


def test_the_pages_say_who_reviewed_and_keep_the_published_number_apart(table, tmp_path):
    sections = sections_of(table, source="sample", published=PUBLISHED)
    write_proof(tmp_path, table, sections, title="A proof")
    text, page = (tmp_path / "proof.md").read_text(), (tmp_path / "proof.html").read_text()
    assert len(pd.read_csv(tmp_path / "proof.csv")) == len(table)
    assert "a model (2)" in text and "4 on 4 images" in text and "3 in 1.00 minutes" in text
    first, _, second = text.partition("## As published")
    assert "-84.6 %" in second and "-84.6 %" not in first
    assert "not comparable with this table: sample data cannot be set beside it" in second
    assert "A proof" in page and "-84.6 %" in page and "data:image/png" in page
    assert len(sections_of(table, source="original", published=None)) == 1


def _curve(changes):
    """Rows of a sweep over shares: share -> (false positives, change, low, high); 0 has none."""
    rows = []
    for name, (count, *change) in changes.items():
        rows.append(
            {
                "where": "test images", "model": f"at {name}", "at": MATCHED, "unit": "image",
                "n": 40, "exposure": 40.0, "false_positives": count, "negatives": 5, "recall": 0.9, "map50": 0.8,
                **dict(zip(("change", "change_low", "change_high"), change, strict=False)),
            }
        )  # fmt: skip
    return proof_table(rows), {f"at {name}": name for name in changes}


def test_the_question_of_background_images_is_answered_from_the_numbers():
    table, shares = _curve(
        {0.0: (20,), 0.02: (18, -0.1, -0.3, 0.1), 0.1: (6, -0.7, -0.8, -0.5), 0.2: (9, -0.55, -0.7, -0.2)}
    )
    (said,) = answer(table, shares)
    assert "2 %: 18, 10 %: 6, 20 %: 9" in said
    assert "From 10 % on they are fewer beyond noise (-70.0 % (-80.0 to -50.0)); fewest at 10 %." in said
    section = share_section(table, shares)
    assert section.note == said and [row[0] for row in section.rows] == ["0.0 %", "2.0 %", "10.0 %", "20.0 %"]


def test_no_difference_beyond_noise_is_an_answer_too():
    table, shares = _curve({0.0: (20,), 0.05: (19, -0.05, -0.3, 0.2), 0.2: (40, 1.0, 0.5, 1.6)})
    (said,) = answer(table, shares)
    assert "no share is better than none beyond noise" in said and "More beyond noise: 20 %." in said
    assert answer(table[:1], shares) == [
        "No share was trained that reaches the recall without negatives: the question stays open."
    ]
