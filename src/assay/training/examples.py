"""Which images a training shows: the training split, what reviewers said of it, and the profile's bound."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import UserError


def training_rows(
    manifest: pd.DataFrame,
    reviewed: pd.DataFrame | None,
    *,
    classes: Sequence[str],
    repeat: int = 1,
    max_images: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The rows to train on, in a fixed order.

    A reviewed label replaces the one on disk, also of an image that had none, and holds for every
    pixel-identical copy; a reviewed image whose label is no
    class of this training (unusable, or "maybe" where there are two classes) is left out.

    Args:
        manifest: the prepared data set's table.
        reviewed: examples of the review stage (image, label); None = labels as they are on disk.
        classes: what the training tells apart.
        repeat: how often a reviewed image appears.
        max_images: a seeded subset that keeps the classes' shares; reviewed images are kept first.
        seed: of the subset.

    Returns:
        Columns image, label, group.

    Raises:
        UserError: a class is left with fewer than two images.
    """
    rows = manifest.loc[
        manifest["split"].isin(["train", "pool"]), ["image", "label", "group", "split", "pixels"]
    ].copy()
    rows["reviewed"] = False
    if reviewed is not None and len(reviewed):
        answer = answers(rows, reviewed)
        rows["reviewed"] = answer.notna()
        rows["label"] = answer.fillna(rows["label"])
    rows = rows[rows["label"].isin(list(classes)) & ((rows["split"] == "train") | rows["reviewed"])]
    if max_images is not None and len(rows) > max_images:
        rows = _subset(rows, max_images, seed)
    for name in classes:
        if (found := int((rows["label"] == name).sum())) < 2:
            mend = "raise train.max_images or add images"
            if name not in set(manifest["label"]):  # "maybe"
                mend = "only reviewers give this label: review candidates (`assay review record`), then `dvc repro`"
            raise UserError(f"class {name!r}: {found} training images, at least 2 are needed; {mend}")
    again = [rows[rows["reviewed"]]] * (repeat - 1)
    return pd.concat([rows, *again])[["image", "label", "group"]].reset_index(drop=True)


def answers(rows: pd.DataFrame, reviewed: pd.DataFrame) -> pd.Series:
    """The reviewed label of each row (image, pixels) and of its pixel-identical copies; NaN where there is none."""
    answer = reviewed.set_index("image")["label"].reindex(rows["image"])
    by_pixels = pd.Series(answer.to_numpy(), index=rows["pixels"]).dropna()
    return rows["pixels"].map(by_pixels[~by_pixels.index.duplicated()])


def split_off(labels: NDArray[Any], groups: Sequence[str], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Mark about `share` (at most 0.5) of the images: no group is on both sides, classes are shared out evenly.

    Raises:
        UserError: too few images or groups for such a part.
    """
    return grouped_folds(labels, groups, folds=round(1 / share), seed=seed) == 0


def grouped_folds(labels: NDArray[Any], groups: Sequence[str], *, folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) which of `folds` parts each image is in: a group is in one only, classes are shared out evenly.

    Raises:
        UserError: too few images or groups for so many parts.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(labels), dtype=np.int64)
    try:
        for number, (_, rows) in enumerate(splitter.split(fold, labels, np.asarray(groups))):
            fold[rows] = number
    except ValueError as error:
        raise UserError(
            f"{len(labels)} training images in {len(set(groups))} groups cannot be split into {folds} parts with every "
            "class; raise train.max_images or add images"
        ) from error
    return fold


def _subset(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = rows.iloc[order].sort_values("reviewed", ascending=False, kind="stable")
    rank = shuffled.groupby("label").cumcount() / shuffled.groupby("label")["image"].transform("size")
    kept = rank.sort_values(kind="stable").index[:count]
    return rows.loc[rows.index.isin(kept)]
