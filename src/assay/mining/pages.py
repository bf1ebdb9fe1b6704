"""What makes a document page worth a person's look: QR codes that only one of two sees, marks made of many boxes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from supervision import Detections

from assay.data.marks import kind_of
from assay.evaluation.grouping import GroupingRule, group_boxes

REASONS = ("code_unseen", "code_unread", "merged", "low_confidence")  # the decoder is the surest witness
CODE = "qr"
Box: TypeAlias = tuple[float, float, float, float]
Finding: TypeAlias = tuple[str, float, str]  # reason, surprise 0-1, class


@dataclass(frozen=True)
class PageRule:
    """When a page is worth a look.

    confidence: boxes below it are not shown, 0-1. grouping: of the shown ones. merged: a mark made of so many boxes.
    low_confidence: a mark that is shown, but below this, 0-1.
    """

    confidence: float
    grouping: GroupingRule
    merged: int
    low_confidence: float


def page_finding(
    picture: np.ndarray,
    found: Detections,
    *,
    classes: Sequence[str],
    rule: PageRule,
    read: Callable[[np.ndarray, np.ndarray], Sequence[Box]],
) -> Finding | None:
    """The first of four reasons that holds, or None.

    - code_unseen: the decoder reads a QR code that lies in no shown one; surprise 1: a code that reads is one.
    - code_unread: the decoder reads nothing in a QR code that is shown; surprise = its score.
    - merged: a mark made of many boxes, maybe several marks; surprise = 1 - 1 / boxes, of the largest.
    - low_confidence: a mark that is shown by a hair; surprise = 1 - its score, of the least sure one.

    Args:
        picture: uint8 (H, W, 3) RGB.
        found: the detector's boxes, px of it.
        classes: names by class_id.
        rule: see `PageRule`.
        read: picture and boxes of QR codes (N, 4) -> boxes of the codes that are decoded, there or anywhere.
    """
    scores = np.asarray(found.confidence if len(found) else [], float)
    kept = np.flatnonzero(scores >= rule.confidence)
    marks = group_boxes(
        np.asarray(found.xyxy, float).reshape(-1, 4)[kept],
        np.asarray(found.class_id if len(found) else [], int)[kept],
        scores[kept],
        rule.grouping.on_page(picture.shape[1], picture.shape[0]),
    )
    kinds = [kind_of(name) for name in classes]
    if CODE in kinds:
        is_code = np.array([kinds[number] == CODE for number in marks.class_id], bool)
        codes = read(picture, marks.xyxy[is_code])
        inside = np.array([[_holds(box, code) for code in codes] for box in marks.xyxy[is_code]], bool)
        inside = inside.reshape(int(is_code.sum()), len(codes))
        if not inside.any(axis=0).all():
            return "code_unseen", 1.0, classes[kinds.index(CODE)]
        if not inside.any(axis=1).all():
            unread = np.flatnonzero(is_code)[~inside.any(axis=1)]
            surest = unread[marks.confidence[unread].argmax()]
            return "code_unread", float(marks.confidence[surest]), classes[int(marks.class_id[surest])]
    if not len(marks.class_id):
        return None
    most, least = int(marks.merged_count.argmax()), int(marks.confidence.argmin())
    count, score = int(marks.merged_count[most]), float(marks.confidence[least])
    if count >= rule.merged:
        return "merged", 1 - 1 / count, classes[int(marks.class_id[most])]
    if score < rule.low_confidence:
        return "low_confidence", 1 - score, classes[int(marks.class_id[least])]
    return None


def _holds(box: Sequence[float] | np.ndarray, code: Box) -> bool:
    x, y = (code[0] + code[2]) / 2, (code[1] + code[3]) / 2
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])
