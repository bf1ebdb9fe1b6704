"""Which reviewed empty pictures a detector is trained on, and what becomes known of them with the model."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from assay.errors import UserError


@dataclass(frozen=True)
class Negatives:
    """Pictures in which a reviewer saw no object of any class, and the rows of examples.csv that they are."""

    pictures: tuple[Path, ...]
    rows: pd.DataFrame  # image, candidate, category, reviewer, kind; in the order of `pictures`

    def about(self, images: int) -> dict[str, Any]:
        """For model.json: how many, their share of all training images, by category and kind of reviewer, clips.

        images: labelled training images beside them.
        """
        rows = self.rows
        return {
            "count": len(rows),
            "share": share_of(len(rows), images),
            "by_category": _counts(rows["category"]),
            "by_kind": _counts(rows["kind"]),
            "clips": sorted({clip_of(image) for image in rows["image"]} - {""}),
        }


def choose(
    examples: pd.DataFrame, *, most: int, held_out: Collection[str] = (), barred: Collection[str] = ()
) -> pd.DataFrame:
    """The negatives among reviewed examples, at most `most`, evenly over the categories, always the same ones.

    Args:
        examples: hard_examples/examples.csv.
        most: so many, or fewer where fewer are there.
        held_out: clips on which false alarms are measured: their frames never teach.
        barred: candidates that must not teach, see `assay.mining.images.barred`.
    """
    empty = examples[(examples["use"] == "negative") & ~examples["candidate"].isin(barred)]
    empty = empty[~empty["image"].map(clip_of).isin(held_out)].sort_values("candidate")
    turn = empty.groupby("category").cumcount()
    return empty.loc[turn.sort_values(kind="stable").index[:most]].reset_index(drop=True)


def read_negatives(
    folder: Path,
    *,
    most: int,
    share: float | None,
    images: int,
    held_out: Collection[str] = (),
    barred: Collection[str] = (),
) -> Negatives:
    """Read the negatives that review kept in `folder`.

    Args:
        folder: build/<project>/hard_examples.
        most: so many at most; without meaning where `share` is given.
        share: of all training images, negatives included, 0-1; None: `most` counts.
        images: labelled training images beside them.
        held_out: as in `choose`.
        barred: as in `choose`.

    Raises:
        UserError: a share is asked for that the reviewed negatives do not reach.
    """
    examples = pd.read_csv(folder / "examples.csv", keep_default_na=False, dtype={"candidate": str})
    wanted = most if share is None else number_for(share, images)
    rows = choose(examples, most=wanted, held_out=held_out, barred=barred)
    if share is not None and len(rows) < wanted:
        raise UserError(
            f"{folder}/examples.csv: {len(rows)} reviewed negatives that may teach; a share of {share:g} of {images} "
            f"images and them needs {wanted}; review more candidates or lower train.negative_share"
        )
    return Negatives(tuple(folder / "images" / name for name in rows["picture"]), rows)


def share_of(negatives: int, images: int) -> float:
    """Share of the negatives among all training images, 0-1."""
    return negatives / (negatives + images) if negatives else 0.0


def number_for(share: float, images: int) -> int:
    """How many negatives make `share` of all training images, `images` labelled ones beside them."""
    return round(images * share / (1 - share))


def clip_of(image: str) -> str:
    """The clip that a mined frame, `<clip>/<clip>_f<frame>.jpg`, comes from; "" of any other image."""
    folder, _, name = image.partition("/")
    return folder if name.startswith(f"{folder}_f") else ""


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(n) for name, n in column.value_counts().sort_index().items()}
