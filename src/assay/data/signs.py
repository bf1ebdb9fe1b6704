"""Close-ups of signs with the text that is written on them: signs/signs.csv beside the pictures it names."""

from pathlib import Path

import pandas as pd

from assay.errors import UserError

WORK_ZONE, OTHER = "work_zone", "roadside_signs"  # two of the review's labels
LABELS = (OTHER, WORK_ZONE)
COLUMNS = ("image", "split", "label", "text", "look")
TABLE = "signs/signs.csv"


def read_signs(data: Path) -> pd.DataFrame:
    """The signs of data/workzone: image (path below `data`), split (train or test), label, text, look.

    Raises:
        UserError: there is no table, a column or a picture is missing, or a split or a label is unknown.
    """
    path = data / TABLE
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; reading signs needs close-ups of signs with their texts, columns "
            f"{', '.join(COLUMNS)} (the sample has them: `make data PROJECT=workzone`)"
        )
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise UserError(f"{path}: column {missing[0]} is missing; found {', '.join(table.columns)}")
    for column, known in (("split", ("train", "test")), ("label", LABELS)):
        wrong = table[~table[column].isin(known)]
        if len(wrong):
            raise UserError(
                f"{path}: line {wrong.index[0] + 2}: {column} {wrong[column].iloc[0]!r}; "
                f"expected one of {', '.join(known)}"
            )
    for line, name in enumerate(table["image"], 2):
        if not (path.parent / name).is_file():
            raise UserError(f"{path}: line {line}: {name}: no such picture beside it")
    for split in ("train", "test"):
        if set(table.loc[table["split"] == split, "label"]) != set(LABELS):
            raise UserError(f"{path}: split {split} needs signs of both labels, {' and '.join(LABELS)}")
    return table.assign(image="signs/" + table["image"])[list(COLUMNS)]
