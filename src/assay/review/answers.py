"""What a reviewer may answer, and with which key: keep, reject, unsure, and a digit for each category.

Streamlit keeps C and R for itself, so reject is X.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay.review.decisions import UNSURE
from assay.review.hard_examples import NO_OBJECT, OBJECT, SHOW_OBJECTS, UNUSABLE

KEEP, REJECT, UNSURE_KEY, UNDO, SKIP = "k", "x", "u", "z", "n"


@dataclass(frozen=True)
class Answer:
    """What one key says."""

    key: str
    text: str  # on the button
    label: str
    objects: bool | None = None  # None: the label says it, or nobody asks
    complete: bool = True  # False: a category that waits for keep or reject


def box_answers(labels: Sequence[str], classes: Sequence[str]) -> list[Answer]:
    """The answers about a detector's candidate, a whole picture.

    Keep makes it a hard negative, because no object of any class shows. Reject says that one does: it is then offered
    for labelling. A class, or a category that means objects, says so by itself. A lookalike's category does not: it
    waits for keep or reject.

    Args:
        labels: of the project, in the order of the digits.
        classes: of the project.
    """
    named = [label for label in labels if label != NO_OBJECT]
    answers = []
    for number, label in enumerate(named, 1):
        complete = label in SHOW_OBJECTS or label in classes or label == UNUSABLE
        answers.append(Answer(str(number), _words(label), label, complete=complete))
    return [
        Answer(KEEP, "keep: no object of any class", NO_OBJECT),
        Answer(REJECT, "reject: an object shows", OBJECT),
        Answer(UNSURE_KEY, "unsure", UNSURE),
        *_nine(answers),
    ]


def label_answers(labels: Sequence[str], has: str) -> list[Answer]:
    """The answers about a classifier's candidate: a crop with one label.

    Args:
        labels: of the project, in the order of the digits.
        has: the label it has, which keep confirms; empty: none, and there is nothing to keep.
    """
    answers = [
        Answer(str(number), _words(label), label)
        for number, label in enumerate(labels, 1)
        if label != UNUSABLE
    ]
    keep = [Answer(KEEP, f"keep: {_words(has)}", has)] if has in labels else []
    reject = [Answer(REJECT, "reject: unusable", UNUSABLE)] if UNUSABLE in labels else []
    return [*keep, *reject, Answer(UNSURE_KEY, "unsure", UNSURE), *_nine(answers)]


def with_category(answer: Answer, category: Answer | None) -> Answer:
    """Keep or reject after a lookalike's digit: the category's label, with what keep or reject says of objects."""
    if category is None or category.complete or answer.label not in (NO_OBJECT, OBJECT):
        return answer
    return replace(answer, label=category.label, objects=answer.label == OBJECT)


def _nine(answers: list[Answer]) -> list[Answer]:
    """Digits are the keys; a tenth category could not be answered."""
    if len(answers) > 9:
        raise ValueError(f"{len(answers)} categories, but nine digits")
    return answers


def _words(label: str) -> str:
    return label.replace("_", " ")
