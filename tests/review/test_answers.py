import pytest

from assay.review.answers import box_answers, label_answers, with_category
from assay.review.decisions import Decision
from assay.review.hard_examples import use_of

LOOKALIKES = ("random_cones", "roadside_signs", "orange_trucks", "work_zone", "unusable")
CLASSES = ("cone", "drum")


def use(answer, classes=CLASSES):
    about = {
        "candidate": "0" * 12,
        "image": "x",
        "reviewer": "ann",
        "kind": "human",
        "at": "2026-01-01T12:00:00Z",
    }
    return use_of(Decision(label=answer.label, objects=answer.objects, **about), classes)


def test_keep_makes_a_negative_and_every_other_key_something_else():
    keys = {answer.key: answer for answer in box_answers(LOOKALIKES, CLASSES)}
    assert list(keys) == ["k", "x", "u", "1", "2", "3", "4", "5"]
    assert {key: use(answer) for key, answer in keys.items()} == {
        "k": "negative",
        "x": "to_annotate",
        "u": "none",
        "1": "to_annotate",  # cones are objects
        "2": "none",  # a sign alone does not say
        "3": "none",
        "4": "to_annotate",
        "5": "dropped",
    }
    assert [key for key, answer in keys.items() if not answer.complete] == ["2", "3"]


def test_a_lookalikes_category_takes_its_objects_from_keep_or_reject():
    keep, reject, unsure, _, signs, *_ = box_answers(LOOKALIKES, CLASSES)
    assert use(with_category(keep, signs)) == "negative"
    assert with_category(keep, signs).label == "roadside_signs" == with_category(reject, signs).label
    assert use(with_category(reject, signs)) == "to_annotate"
    assert with_category(unsure, signs) is unsure and with_category(keep, None) is keep


def test_a_class_says_by_itself_that_an_object_shows():
    answers = box_answers(("cone", "drum", "no_object", "unusable"), CLASSES)
    assert [(a.key, a.label) for a in answers[3:]] == [("1", "cone"), ("2", "drum"), ("3", "unusable")]
    assert all(answer.complete for answer in answers) and use(answers[3]) == "to_annotate"


def test_a_crop_keeps_its_label_if_it_has_one():
    labels = ("clean", "maybe", "pit", "unusable")
    assert [(a.key, a.label) for a in label_answers(labels, "pit")] == [
        ("k", "pit"),
        ("x", "unusable"),
        ("u", "unsure"),
        ("1", "clean"),
        ("2", "maybe"),
        ("3", "pit"),
    ]
    assert "k" not in [a.key for a in label_answers(labels, "")]


def test_more_categories_than_digits_are_refused():
    with pytest.raises(ValueError, match="nine digits"):
        box_answers([f"class_{n}" for n in range(10)], ())
