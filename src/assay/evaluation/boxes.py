"""Stored boxes: Parquet tables of what every detector found and what is there, and beside them what made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.evaluation.stored import reading
from assay.files import atomic_write, read_json, write_json

if TYPE_CHECKING:
    from supervision import Detections

CORNERS = ("x1", "y1", "x2", "y2")
BOX_COLUMNS = ("model", "image", "label", *CORNERS, "score")
TRUTH_COLUMNS = ("image", "label", *CORNERS, "ignore")
IMAGE_COLUMNS = ("image", "split", "group", "leak", "width", "height")


@dataclass(frozen=True)
class BoxPredictions:
    """Boxes of one or more detectors on annotated images.

    boxes: one row per found box. Columns: model, image, label, x1, y1, x2, y2 (px of the stored image), score
        (0-1).
    truth: one row per annotated box. Columns: image, label, x1, y1, x2, y2, ignore (bool: neither object nor
        background; its label is "").
    images: one row per image, also those without a box. Columns: image, split, group (flight, document or
        clip: not independent inside; "" = its own), leak (equals a training image), width, height (px).
    classes: every label that boxes and objects may have, in the models' order.
    models: model name -> what it is, at least {"hash", "experiment", "profile", "weights"}.
    data: the data source, at least {"source", "content"}.
    """

    boxes: pd.DataFrame
    truth: pd.DataFrame
    images: pd.DataFrame
    classes: tuple[str, ...]
    models: Mapping[str, Mapping[str, Any]]
    data: Mapping[str, Any]

    def of(self, model: str) -> pd.DataFrame:
        """Boxes of one model, in stored order. Raises UserError for a model that is not stored."""
        if model not in self.models:
            known = ", ".join(sorted(self.models))
            raise UserError(f"predictions hold no model '{model}'; there are: {known}")
        return self.boxes[self.boxes["model"] == model].reset_index(drop=True)

    def split(self, name: str) -> pd.DataFrame:
        """Rows of `images` of one split, by name, `group` filled. Raises UserError for a split without images."""
        rows = self.images[self.images["split"] == name].sort_values("image", ignore_index=True)
        if rows.empty:
            there = ", ".join(sorted(self.images["split"].unique())) or "none"
            raise UserError(f"predictions hold no image of split '{name}'; there are: {there}")
        return rows.assign(group=rows["group"].where(rows["group"] != "", rows["image"]))


def rows_of(model: str, found: Mapping[str, "Detections"], classes: Sequence[str]) -> pd.DataFrame:
    """Rows of `BoxPredictions.boxes` for one model. found: image -> detections whose class_id indexes `classes`.

    Boxes without area are left out: they lie on nothing, and an untrained network draws many. Detections need a
    confidence.
    """
    from assay.data.detections import to_table

    rows = to_table(found, classes)
    rows = rows[(rows["x2"] > rows["x1"]) & (rows["y2"] > rows["y1"])]
    return rows.assign(model=model)[list(BOX_COLUMNS)].reset_index(drop=True)


def companions(path: Path) -> dict[str, Path]:
    """Where the other tables and the description of `path` lie: truth.parquet, images.parquet, <name>.json."""
    return {
        "truth": path.with_name("truth.parquet"),
        "images": path.with_name("images.parquet"),
        "about": path.with_suffix(".json"),
    }


def write_boxes(path: Path, predictions: BoxPredictions) -> None:
    """Write `path` (.parquet) and its `companions`. Raises UserError as `read_boxes` does."""
    _check(predictions, path)
    beside = companions(path)
    tables = (
        (path, predictions.boxes, BOX_COLUMNS),
        (beside["truth"], predictions.truth, TRUTH_COLUMNS),
        (beside["images"], predictions.images, IMAGE_COLUMNS),
    )
    for target, table, columns in tables:
        with atomic_write(target) as temporary:
            table[list(columns)].to_parquet(temporary, index=False)
    about = {"classes": predictions.classes, "models": predictions.models, "data": predictions.data}
    write_json(beside["about"], about)


def read_boxes(path: Path, *, content: str | None = None) -> BoxPredictions:
    """Read what `write_boxes` wrote.

    content: hash of the data the caller works on; predictions made on other data are refused.

    Raises UserError, one line, for: a missing or unreadable file, missing columns, coordinates that are not
    finite or make no box, scores outside 0-1, labels that are no class, images that are not in the list or stand
    in it twice, models that are not described, other data.
    """
    beside = companions(path)
    with reading(path, *beside.values()):
        about = read_json(beside["about"])
        boxes, truth, images = (pd.read_parquet(file) for file in (path, beside["truth"], beside["images"]))
        predictions = BoxPredictions(
            boxes, truth, images, tuple(about["classes"]), about["models"], about["data"]
        )
    _check(predictions, path)
    made_on = predictions.data.get("content")
    if content is not None and made_on != content:
        raise UserError(
            f"{path}: predictions of other data (content {str(made_on)[:12]}, expected {content[:12]}); "
            "run the evaluate stage again"
        )
    return predictions


def _check(predictions: BoxPredictions, path: Path) -> None:
    beside = companions(path)
    boxes, truth, images = predictions.boxes, predictions.truth, predictions.images
    for file, table, columns in (
        (path, boxes, BOX_COLUMNS),
        (beside["truth"], truth, TRUTH_COLUMNS),
        (beside["images"], images, IMAGE_COLUMNS),
    ):
        missing = [name for name in columns if name not in table.columns]
        if missing:
            found = ", ".join(map(str, table.columns))
            raise UserError(f"{file}: column {', '.join(missing)} missing; found {found}")

    twice = images["image"].duplicated().to_numpy()
    if twice.any():
        raise UserError(
            f"{beside['images']}: image {images['image'].iloc[int(twice.argmax())]} is listed twice"
        )
    if images[["split", "group", "leak"]].isna().to_numpy().any():
        raise UserError(f"{beside['images']}: split, group and leak must be filled ('' = a group of its own)")

    listed = set(images["image"])
    for file, table in ((path, boxes), (beside["truth"], truth)):
        _check_corners(table, file)
        label = table["label"]
        unknown = ~label.isin(predictions.classes).to_numpy()
        if file == beside["truth"]:
            unknown &= ~truth["ignore"].to_numpy(bool)
        if unknown.any():
            raise UserError(
                f"{file}: row {int(unknown.argmax())}: label '{label.iloc[int(unknown.argmax())]}' is no class; "
                f"the classes are {', '.join(predictions.classes)}"
            )
        stray = ~table["image"].isin(listed).to_numpy()
        if stray.any():
            raise UserError(
                f"{file}: row {int(stray.argmax())}: image {table['image'].iloc[int(stray.argmax())]} is not in "
                f"{beside['images'].name}"
            )

    score = boxes["score"].to_numpy(np.float64)
    bad = ~((score >= 0) & (score <= 1))
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"{path}: row {row} ({boxes['model'].iloc[row]}, {boxes['image'].iloc[row]}): score {score[row]} "
            f"is outside 0-1 ({int(bad.sum())} such rows); store confidences"
        )
    undescribed = sorted(set(boxes["model"]) - set(predictions.models))
    if undescribed:
        raise UserError(f"{path}: model '{undescribed[0]}' is not described in {beside['about'].name}")


def _check_corners(table: pd.DataFrame, file: Path) -> None:
    corners = table[list(CORNERS)].to_numpy(np.float64)
    bad = ~np.isfinite(corners).all(axis=1)
    bad |= ~((corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1]))
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"{file}: row {row} ({table['image'].iloc[row]}): {corners[row].tolist()} is no box, it needs finite "
            f"x1 < x2 and y1 < y2 in pixels ({int(bad.sum())} such rows)"
        )
