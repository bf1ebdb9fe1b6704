"""The table of conditions: one row per annotated object, with its box, its condition and how it lies to others."""

import math
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from assay.data.items import Bad
from assay.errors import UserError

BOX = ("x1", "y1", "x2", "y2")  # shares of the image's sides
CONDITIONS = ("normal", "blocked", "damaged")
FEATURES = (  # the authors' nine relational features, in their order
    "y_center",
    "area_ratio",
    "detector_confidence",  # exactly 0.5 where the authors' detector missed the object
    "distance_to_slope_drain",
    "near_slope_drain",
    "above_toe_drain",
    "overlap_rock_toe",
    "overlap_vegetation",
    "below_slope_drain",
)
NEEDED = ("split", "image", *BOX, "object_type", "original_class", "condition", "label")
COLUMNS = (*NEEDED, *FEATURES)
NAME = "conditions.csv"
_SPLITS = ("train", "val", "test")
_OVERSHOOT = 0.01  # of a side: clipped, as in label files


def read_conditions(
    path: Path, *, object_types: Collection[str], data: Path
) -> tuple[pd.DataFrame, list[Bad]]:
    """Read conditions.csv: its usable rows with `row` and what it has of `COLUMNS`, and the others with their reasons.

    The features may be left out: they follow from the boxes, see `condition_features.relational`.

    `row` is the line's number in the file (the header is 1), `image` a path below `data`, boxes are shares of
    the image's sides clipped to 0-1, `label` is 1 where the object needs somebody to come, else 0.

    Args:
        path: the table.
        object_types: the names that `object_type` may have.
        data: folder that `image` is relative to; a row whose image is not there is set aside.

    Raises:
        UserError: the table is missing, not a CSV file, or lacks a column of `NEEDED`.
    """
    if not path.is_file():
        raise UserError(f"{path}: missing; it lists the conditions (`make data PROJECT=infrastructure`)")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    missing = [column for column in NEEDED if column not in table]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; expected {','.join(NEEDED)}")
    columns = [column for column in COLUMNS if column in table]
    present: dict[str, bool] = {}
    good, bad = [], []
    for number, values in enumerate(table[columns].to_dict("records"), start=2):
        image = values["image"]
        if image not in present:
            present[image] = bool(image) and (data / image).is_file()
        try:
            row = _row(values, object_types)
            if not present[image]:
                raise ValueError(f"image {image!r} is not there")
        except ValueError as error:
            bad.append(Bad(f"{path.name}, line {number}", str(error)))
        else:
            good.append(row | {"row": number})
    return pd.DataFrame(good, columns=[*columns, "row"]), bad


def _row(values: Mapping[Hashable, str], object_types: Collection[str]) -> dict[Hashable, Any]:
    """One line with its numbers; ValueError says what is wrong with it."""
    if values["split"] not in _SPLITS:
        raise ValueError(f"split {values['split']!r} is none of {', '.join(_SPLITS)}")
    if values["object_type"] not in object_types:
        raise ValueError(f"object type {values['object_type']!r} is none of {', '.join(object_types)}")
    if values["condition"] not in CONDITIONS:
        raise ValueError(f"condition {values['condition']!r} is none of {', '.join(CONDITIONS)}")
    if values["label"] not in ("0", "1"):
        raise ValueError(f"label {values['label']!r} is neither 0 nor 1")
    numbers: dict[Hashable, float] = {
        name: _number(values[name], name) for name in (*BOX, *FEATURES) if name in values
    }
    for name in BOX:
        if not -_OVERSHOOT <= numbers[name] <= 1 + _OVERSHOOT:
            raise ValueError(f"the box lies outside the image: {name} {numbers[name]:g}")
        numbers[name] = min(max(numbers[name], 0.0), 1.0)
    if numbers["x2"] <= numbers["x1"] or numbers["y2"] <= numbers["y1"]:
        raise ValueError("the box has no area")
    return {**values, **numbers, "label": int(values["label"])}


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} is no number") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} is {text}")
    return number
