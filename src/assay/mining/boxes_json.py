"""The boxes of one candidate as they are stored beside it: [{label, box, score, origin}], px, one decimal."""

from collections.abc import Sequence
from typing import Any

from supervision import Detections


def boxes_json(found: Detections, classes: Sequence[str], origin: str = "model") -> list[dict[str, Any]]:
    """Boxes for `json.dumps`.

    Args:
        found: the boxes; `class_id` indexes `classes`.
        classes: names.
        origin: model; mirrored, augmented: found in that second look only; label: drawn by a person, without a score.
    """
    if found.class_id is None:
        raise ValueError("boxes need class_id")
    scores: list[Any] = [None] * len(found) if found.confidence is None else found.confidence.tolist()
    return [
        {
            "label": classes[number],
            "box": [round(float(side), 1) for side in box],
            "score": None if score is None else round(float(score), 4),
            "origin": origin,
        }
        for number, box, score in zip(found.class_id, found.xyxy, scores, strict=True)
    ]
