"""What is written beside the drawn slopes: label files, and the table of conditions with its spatial features."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.data.conditions_table import COLUMNS, FEATURES
from assay.sample.infrastructure_picture import RAW, SIZE, XYXY, Shown

NAMES = sorted(set(RAW.values()), key=lambda name: (name.lower(), name))  # nine, numbered in this order
PLAIN_NAMES = ["rock toe", "slope drain", "toe drain", "vegetation"]  # the four of the first 120 pictures
POLYGONS = 0.35  # share of objects drawn as polygons; the others are boxes
MISSED = 0.1  # share that the imagined first detector did not find: confidence exactly 0.5
_NEAR = 0.2  # of the picture's diagonal
_OF_RAW = {raw: key for key, raw in RAW.items()}


def kind_of(raw: str) -> str:
    """rock_toe, slope_drain, toe_drain or vegetation."""
    return _OF_RAW[raw][0]


def label_lines(shown: Sequence[Shown], rng: np.random.Generator | None = None) -> str:
    """A YOLO label file. With `rng` names are the nine and some objects are polygons; else four and boxes only."""
    lines = []
    for thing in shown:
        plain = kind_of(thing.raw).replace("_", " ")
        number = PLAIN_NAMES.index(plain) if rng is None else NAMES.index(thing.raw)
        if rng is not None and rng.random() < POLYGONS:
            shares = thing.polygon.ravel() / SIZE
        else:
            left, top, right, bottom = (value / SIZE for value in thing.xyxy)
            shares = np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
        lines.append(f"{number} " + " ".join(f"{share:.6f}" for share in shares) + "\n")
    return "".join(lines)


def condition_rows(
    split: str, image: str, shown: Sequence[Shown], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """One row of conditions.csv per object: box as shares, names, condition, label and the authors' nine features."""
    boxes = [tuple(value / SIZE for value in thing.xyxy) for thing in shown]
    kinds = [kind_of(thing.raw) for thing in shown]
    found = rng.random(len(boxes)) >= MISSED
    scores = np.where(found, rng.uniform(0.28, 0.95, len(boxes)), 0.5)
    rows = []
    for k, (thing, box) in enumerate(zip(shown, boxes, strict=True)):
        condition = _OF_RAW[thing.raw][1]
        listed = [(kinds[other], boxes[other], other) for other in range(len(boxes)) if found[other]]
        values = dict(zip(FEATURES, _features(box, float(scores[k]), k, listed), strict=True))
        row = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) | values
        rows.append(
            {"split": split, "image": image}
            | {name: round(float(value), 6) for name, value in row.items()}
            | {"object_type": kinds[k], "original_class": thing.raw, "condition": condition}
            | {"label": int(condition != "normal")}
        )
    return [{name: row[name] for name in COLUMNS} for row in rows]


def _features(
    box: Any, score: float, index: int, listed: Sequence[tuple[str, Any, int]]
) -> tuple[float, ...]:
    """The relational features (ledger, infrastructure stage 2), from the objects that the detector listed."""
    x, y = _centre(box)

    def of(kind: str) -> list[tuple[Any, int]]:
        return [(other, number) for name, other, number in listed if name == kind]

    drains = [_centre(other) for other, _ in of("slope_drain")]
    distance = min((np.hypot(x - u, y - v) / np.sqrt(2) for u, v in drains), default=1.0)
    return (
        y,
        (box[2] - box[0]) * (box[3] - box[1]),
        score,
        distance,
        float(distance < _NEAR),
        float(any(y < _centre(other)[1] for other, number in of("toe_drain") if number != index)),
        max((_iou(box, other) for other, _ in of("rock_toe")), default=0.0),
        max((_iou(box, other) for other, _ in of("vegetation")), default=0.0),
        float(any(y > v for _, v in drains)),
    )


def _centre(box: Any) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _iou(one: XYXY, other: XYXY) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
