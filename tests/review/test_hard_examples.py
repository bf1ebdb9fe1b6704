import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UserError
from assay.review.decisions import Decision, Drawn, append_decisions, decisions_from_table, read_decisions
from assay.review.hard_examples import (
    COLUMNS,
    SECONDS_PER_DECISION,
    USES,
    apply_box_decisions,
    sample_box_truth,
    use_of,
)

CLASSES = ("cone", "worker")
LOOKALIKES = ("random_cones", "roadside_signs", "orange_trucks", "weather_artifacts", "other_lookalike")
LABELS = (*LOOKALIKES, "work_zone", "unusable", "no_object", *CLASSES)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRAMES = pd.DataFrame(
    [
        {
            "candidate": f"{k:012x}",
            "image": f"boston/boston_f{10 * k:06d}.jpg",
            "group": "boston",
            "frame": 10 * k,
            "label": "",
            "reason": "several cues",
            "boxes": "[]",
        }
        for k in range(5)
    ]
)


def says(number, label, objects=None, kind="human", minutes=0):
    return Decision(
        candidate=f"{number:012x}",
        image=f"boston/boston_f{10 * number:06d}.jpg",
        label=label,
        reviewer="ann",
        kind=kind,
        at=NOON + timedelta(minutes=minutes),
        objects=objects,
    )


def apply(*decisions, images=FRAMES, sample_data=False):
    return apply_box_decisions(FRAMES, decisions, images=images, classes=CLASSES, sample_data=sample_data)


@pytest.mark.parametrize(
    ("label", "objects", "labelled", "use"),
    [
        ("orange_trucks", False, False, "negative"),
        ("orange_trucks", None, False, "none"),  # a category does not say that no object shows
        ("orange_trucks", True, False, "to_annotate"),  # a truck, and a cone beside it
        ("random_cones", None, False, "to_annotate"),  # holds cones by its name
        ("random_cones", False, False, "to_annotate"),  # whatever else was said
        ("work_zone", False, False, "to_annotate"),
        ("no_object", None, False, "negative"),
        ("no_object", False, False, "negative"),
        ("no_object", True, False, "none"),  # contradicts itself
        ("no_object", None, True, "none"),  # contradicts the labels
        ("orange_trucks", False, True, "none"),
        ("cone", None, False, "to_annotate"),
        ("cone", False, False, "to_annotate"),
        ("unusable", False, False, "dropped"),
        ("unusable", None, False, "dropped"),
    ],
)
def test_what_an_answer_is_good_for(label, objects, labelled, use):
    assert use_of(says(0, label, objects), CLASSES, labelled=labelled) == use


@given(st.sampled_from(LABELS), st.sampled_from([None, True, False]), st.booleans())
def test_a_negative_is_never_a_frame_that_holds_objects(label, objects, labelled):
    use = use_of(says(0, label, objects), CLASSES, labelled=labelled)
    assert use in USES
    if use == "negative":
        assert label not in ("random_cones", "work_zone", "unusable", *CLASSES)
        assert objects is not True and not labelled
        assert label == "no_object" or objects is False


def test_uses_are_listed_and_counted():
    examples, summary = apply(
        says(0, "random_cones", False),
        says(1, "orange_trucks", False),
        says(2, "roadside_signs"),
        says(3, "unusable"),
    )
    assert tuple(examples.columns) == COLUMNS
    assert dict(zip(examples["candidate"].str[-1], examples["use"], strict=True)) == {
        "0": "to_annotate",
        "1": "negative",
        "2": "none",
        "3": "dropped",
    }
    assert examples["category"].tolist() == ["", "orange_trucks", "", ""]
    assert summary == {
        "candidates": 5,
        "reviewed_by_human": 4,
        "reviewed_by_model": 0,
        "settled": 4,
        "settled_by_kind": {"human": 4},
        "labels": {"orange_trucks": 1, "random_cones": 1, "roadside_signs": 1, "unusable": 1},
        "uses": {"negative": 1, "labelled": 0, "to_annotate": 1, "dropped": 1, "none": 1},
        "labelled": 0,
        "negatives": 1,
        "negatives_by_category": {"orange_trucks": 1},
        "unclear": 1,
        "not_in_data": 0,
        "waiting_for_human": 1,
        "unsure": 0,
        "disputed": 0,
        "seconds_per_decision": SECONDS_PER_DECISION,
        "seconds_measured_from": 0,
        "minutes_waiting": round(SECONDS_PER_DECISION / 60, 1),
    }


def test_drawn_boxes_are_kept_for_training_whatever_the_picture_had():
    box = Drawn(label="cone", box=(1, 2, 30, 40), confidence=0.5)
    boxes = says(1, "drawn", True).model_copy(update={"drawn": (box,)})
    labels = FRAMES.assign(labelled=3)
    examples, summary = apply(says(1, "no_object"), boxes, says(2, "drawn"), images=labels)
    assert examples["use"].tolist() == ["labelled", "none"] and summary["labelled"] == 1
    assert json.loads(examples["drawn"][0]) == [
        {"label": "cone", "box": [1, 2, 30, 40], "condition": "", "confidence": 0.5}
    ]


def test_who_counts_is_as_for_classification():
    truth = says(0, "orange_trucks", False, kind="sample-truth", minutes=60)
    assert len(apply(truth)[0]) == 0
    examples, summary = apply(truth, sample_data=True)
    assert examples["use"].tolist() == ["negative"] and summary["reviewed_by_human"] == 0
    assert apply(truth, says(0, "work_zone"), sample_data=True)[0]["use"].tolist() == ["to_annotate"]
    _, summary = apply(says(0, "orange_trucks", False, kind="model"), sample_data=True)
    assert (summary["negatives"], summary["reviewed_by_model"], summary["waiting_for_human"]) == (0, 1, 5)
    assert (
        apply(says(0, "work_zone", minutes=1), says(0, "orange_trucks", False, minutes=2))[1]["negatives"]
        == 1
    )


def test_pictures_and_labels_come_from_the_images():
    images = pd.DataFrame(
        [
            {
                "candidate": f"{k:012x}",
                "image": f"images/train/{k}.png",
                "picture": f"build/x/{k}.png",
                "labelled": k,
            }
            for k in (1, 0)
        ]
    )
    examples, _ = apply(says(0, "no_object"), says(1, "no_object"), says(7, "no_object"), images=images)
    assert examples["picture"].tolist() == ["build/x/0.png", "build/x/1.png"]
    assert examples["use"].tolist() == ["negative", "none"]  # the second has a labelled box
    assert apply(says(7, "no_object"), images=images)[1]["not_in_data"] == 1


def test_validation_images_never_become_examples():
    with pytest.raises(ValueError, match="validation or test"):
        apply(images=FRAMES.assign(split="val"))


def test_no_decisions_make_an_empty_list():
    examples, summary = apply()
    assert len(examples) == 0 and summary["negatives_by_category"] == {} and summary["waiting_for_human"] == 5


def test_the_samples_clips_answer_for_their_frames(tmp_path):
    (tmp_path / "truth_clips.csv").write_text(
        "clip,first_frame,last_frame,truth,objects\n"
        "boston,0,10,orange_trucks,0\nboston,11,29,random_cones,1\nother,0,99,work_zone,1\nboston,31,40,work_zone,1\n"
    )
    decisions = sample_box_truth(FRAMES, tmp_path)
    assert [(d.image[-10:-4], d.label, d.objects) for d in decisions] == [
        ("000000", "orange_trucks", False),
        ("000010", "orange_trucks", False),
        ("000020", "random_cones", True),
        ("000040", "work_zone", True),
    ]
    assert {d.kind for d in decisions} == {"sample-truth"}
    assert apply(*decisions, sample_data=True)[1]["negatives"] == 2


def test_the_samples_images_answer_by_name_or_source(tmp_path):
    (tmp_path / "truth.csv").write_text(
        "image,truth,note\nimages/pool/a.png,no_object,\npages/b.pdf#page=2,cone,\n"
    )
    table = pd.DataFrame(
        {
            "candidate": ["0" * 12, "1" * 12, "2" * 12],
            "image": ["images/pool/a.png", "images/pool/b-2.png", "images/pool/c.png"],
            "source": ["pool/a.png", "pages/b.pdf#page=2", "pool/c.png"],
        }
    )
    assert [d.label for d in sample_box_truth(table, tmp_path)] == ["no_object", "cone"]


def test_a_sample_without_truth_is_said(tmp_path):
    with pytest.raises(UserError, match=r"truth\.csv: missing"):
        sample_box_truth(FRAMES, tmp_path)


def test_a_persons_table_says_whether_objects_show(tmp_path):
    rows = [
        {"image": f"{k}.jpg", "label": "orange_trucks", "objects": said}
        for k, said in enumerate(["no", "YES", "", "0", "true"])
    ]
    candidates = {f"{k}.jpg": f"{k:012x}" for k in range(5)}
    decisions = decisions_from_table(rows, candidates, reviewer="ann", kind="human", labels=LABELS)
    assert [d.objects for d in decisions] == [False, True, None, False, True]
    path = append_decisions(tmp_path, decisions)
    assert [d.objects for d in read_decisions(tmp_path, LABELS)] == [False, True, None, False, True]
    assert path.read_text().count("objects") == 4  # what was not said is not written


def test_neither_yes_nor_no_names_the_row():
    rows = [{"image": "0.jpg", "label": "orange_trucks", "objects": "maybe"}]
    with pytest.raises(UserError, match="row 2: objects 'maybe'"):
        decisions_from_table(rows, {"0.jpg": "0" * 12}, reviewer="ann", kind="human", labels=LABELS)


def test_lines_from_before_are_read_as_not_said(tmp_path):
    old = says(0, "orange_trucks").model_dump_json(exclude={"objects"})
    (tmp_path / "ann.jsonl").write_text(old + "\n")
    assert [d.objects for d in read_decisions(tmp_path, LABELS)] == [None]
