"""Probabilities of the training images by models that had not seen them: what thresholds may be chosen on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.evaluation.predictions import SUM_TOLERANCE, probabilities

FILE = "out_of_fold.parquet"
_KEYS = ("image", "label", "group", "fold")


def read_out_of_fold(folder: Path, classes: Sequence[str]) -> pd.DataFrame | None:
    """The table that `CrossFit.write` left in a model's folder; None where its training asked for no folds.

    Raises UserError, one line, for a file that cannot be read, a missing column, another label or probabilities that
    are not shares that sum to 1.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    mend = "train the model again"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); {mend}") from error
    wanted = [*_KEYS, *(f"p_{name}" for name in classes)]
    if missing := [name for name in wanted if name not in table.columns]:
        raise UserError(f"{path}: column {', '.join(missing)} missing; {mend}")
    values = probabilities(table, classes)
    wrong = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE))  # also where NaN
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{path}: row {row} ({table['image'].iloc[row]}): probabilities {np.round(values[row], 4).tolist()} are "
            f"not shares that sum to 1; {mend}"
        )
    if unknown := sorted(set(table["label"]) - set(classes)):
        raise UserError(f"{path}: label {unknown[0]!r} is no class; the classes are {', '.join(classes)}")
    return table
