"""Stored predictions: a Parquet table of every model's probabilities, and beside it what made them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.evaluation.stored import reading
from assay.files import atomic_write, read_json, write_json

SUM_TOLERANCE = 1e-4
KEYS = ("model", "image", "group", "label", "leak")


@dataclass(frozen=True)
class Predictions:
    """Probabilities of one or more models on labelled images.

    table: one row per model and image. Columns: model, image, group (near-duplicates share one), label
        (true class name), leak (the image equals a training image), and p_<class> for each of `classes`
        (0-1; a row sums to 1). A class that a model does not know has probability 0.
    classes: every class with a probability column, in the models' order.
    models: model name -> what it is, at least {"hash", "experiment"}.
    data: the data source, at least {"source", "content"}.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    models: Mapping[str, Mapping[str, Any]]
    data: Mapping[str, Any]

    def of(self, model: str) -> pd.DataFrame:
        """Rows of one model, sorted by image. Raises UserError for a model that is not stored."""
        if model not in self.models:
            raise UserError(
                f"predictions hold no model '{model}'; there are: {', '.join(sorted(self.models))}"
            )
        rows = self.table[self.table["model"] == model]
        return rows.sort_values("image", ignore_index=True)


def probabilities(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """The p_<class> columns as float64 of shape (rows, classes), in the order of `classes`."""
    return table[[f"p_{name}" for name in classes]].to_numpy(np.float64)


def table_of(
    model: str, manifest: pd.DataFrame, scores: np.ndarray, *, known: Sequence[str], classes: Sequence[str]
) -> pd.DataFrame:
    """Rows of one model in the stored layout.

    manifest: columns image, group, label, leak, in the order of `scores`.
    scores: float (images, known), probabilities for the classes the model knows.
    classes: the columns to write; those that are not in `known` become 0.
    """
    rows = manifest[["image", "group", "label", "leak"]].reset_index(drop=True)
    rows.insert(0, "model", model)
    column = dict(zip(known, scores.T.astype(np.float64), strict=True))
    return rows.assign(**{f"p_{name}": column.get(name, 0.0) for name in classes})


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write `path` (.parquet) and the .json beside it. Raises UserError as `read_predictions` does."""
    _check(predictions, path)
    columns = [*KEYS, *(f"p_{name}" for name in predictions.classes)]
    with atomic_write(path) as temporary:
        predictions.table[columns].to_parquet(temporary, index=False)
    about = {"classes": predictions.classes, "models": predictions.models, "data": predictions.data}
    write_json(path.with_suffix(".json"), about)


def read_predictions(path: Path, *, images: Collection[str] | None = None) -> Predictions:
    """Read what `write_predictions` wrote.

    images: those the caller works on; predictions of others, or of only some of them, are refused.

    Raises UserError, one line, for: a missing or unreadable file, missing columns, probabilities that are not
    finite, lie outside 0-1 or do not sum to 1, labels that are no class, an image twice under one model,
    models that are not described, other data.
    """
    about_path = path.with_suffix(".json")
    with reading(path, about_path):
        about = read_json(about_path)
        table = pd.read_parquet(path)
        predictions = Predictions(table, tuple(about["classes"]), about["models"], about["data"])
    _check(predictions, path)
    if images is not None:
        stored = set(predictions.table["image"])
        foreign, missing = sorted(stored - set(images)), sorted(set(images) - stored)
        if foreign or missing:
            first = (
                f"image {foreign[0]} is not in the data"
                if foreign
                else f"image {missing[0]} of the data is not there"
            )
            raise UserError(
                f"{path}: predictions of other data: {first} ({len(foreign)} foreign, {len(missing)} missing); "
                "run the evaluate stage or the sweep again"
            )
    return predictions


def _check(predictions: Predictions, path: Path) -> None:
    table, classes = predictions.table, predictions.classes
    missing = [name for name in (*KEYS, *(f"p_{c}" for c in classes)) if name not in table.columns]
    if missing:
        raise UserError(
            f"{path}: column {', '.join(missing)} missing; found {', '.join(map(str, table.columns))}"
        )

    values = probabilities(table, classes)
    total = values.sum(axis=1)
    bad = ~np.isfinite(values).all(axis=1) | (values < -SUM_TOLERANCE).any(axis=1)
    bad |= ~(np.abs(total - 1) <= SUM_TOLERANCE)
    if bad.any():
        row = int(bad.argmax())
        where = f"row {row} ({table['model'].iloc[row]}, {table['image'].iloc[row]})"
        raise UserError(
            f"{path}: {where}: probabilities {np.round(values[row], 4).tolist()} are not shares that "
            f"sum to 1; store softmax outputs ({int(bad.sum())} such rows)"
        )

    unknown = sorted(set(table["label"]) - set(classes))
    if unknown:
        raise UserError(f"{path}: label '{unknown[0]}' is no class; the classes are {', '.join(classes)}")
    undescribed = sorted(set(table["model"]) - set(predictions.models))
    if undescribed:
        raise UserError(
            f"{path}: model '{undescribed[0]}' is not described in {path.with_suffix('.json').name}"
        )
    twice = table.duplicated(["model", "image"])
    if twice.any():
        row = int(twice.to_numpy().argmax())
        raise UserError(f"{path}: row {row}: image {table['image'].iloc[row]} is stored twice for one model")
