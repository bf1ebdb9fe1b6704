"""What a training says of its own training images, each judged by a model that has not seen it.

A model has mostly memorised the images it learnt from: thresholds and "maybe" labels that are found on them need
answers of other models. K trainings give every image one (cross-fitting; Stone 1974, "cross-validatory choice").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.errors import UserError
from assay.evaluation.out_of_fold import FILE
from assay.files import atomic_write
from assay.models.classifier import InputMode, predict
from assay.training.classification import train_classifier
from assay.training.epochs import Log
from assay.training.examples import grouped_folds
from assay.training.frozen import Features


@dataclass(frozen=True)
class CrossFit:
    """fold: (N,) the part an image was held out in, from 0. probabilities: (N, classes), a row sums to 1.

    collapsed: what went wrong in which fold's training, in words; empty where nothing did.
    """

    fold: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    collapsed: dict[str, str]

    def write(self, folder: Path, rows: pd.DataFrame, classes: Sequence[str]) -> None:
        """Write out_of_fold.parquet: image, label, group (columns of `rows`), fold and p_<class> as float64.

        rows: the training images in this order. An image that training shows several times is written once.
        """
        columns = {f"p_{name}": self.probabilities[:, at].astype("f8") for at, name in enumerate(classes)}
        table = rows[["image", "label", "group"]].reset_index(drop=True).assign(fold=self.fold, **columns)
        with atomic_write(folder / FILE) as temporary:
            table.drop_duplicates("image").to_parquet(temporary, index=False)


def cross_fit(
    *,
    folds: int,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.integer[Any]],
    train_groups: Sequence[str],
    classes: Sequence[str],
    input_mode: InputMode,
    seed: int,
    checkpoint: Path,
    log: Log,
    features: Features | None = None,
    **settings: Any,
) -> CrossFit:
    """Train `folds` models, each without one part of the near-duplicate groups, and ask it about that part.

    Arguments are those of `train_classifier` without the val images (the held-out part takes their place, so that
    images a result is reported on take no part), and `train_groups`, one group per training image. Each model keeps
    its epoch by the select images. Logged names start with the fold's ("fold1/val/accuracy"). A killed call goes on
    in the fold it was in; the caller removes the checkpoints (`fold_checkpoints`) once the result is safe.

    Raises UserError when the groups cannot be split so that every fold trains on two images of each class, else
    as `train_classifier`.
    """
    if len(train_groups) != len(train_labels):
        raise ValueError(f"{len(train_labels)} training images but {len(train_groups)} groups")
    fold = grouped_folds(train_labels, train_groups, folds=folds, seed=seed)
    for number in range(folds):
        seen = np.bincount(train_labels[fold != number], minlength=len(classes))
        if seen.min() < 2 or not (fold == number).any():
            raise UserError(
                f"{len(train_labels)} training images in {len(set(train_groups))} groups are too few for {folds} folds: "
                f"fold {number + 1} would train on {seen.min()} images of class {classes[int(seen.argmin())]!r}; "
                "lower train.folds or add images"
            )
    probabilities = np.zeros((len(train_labels), len(classes)), np.float32)
    collapsed = {}
    features = {} if features is None else features  # a frozen backbone sees each image once, not once a fold
    for number, path in enumerate(fold_checkpoints(checkpoint, folds)):
        held, name = fold == number, f"fold{number + 1}"

        def log_fold(metric: str, value: float, epoch: int, name: str = name) -> None:
            log(f"{name}/{metric}", value, epoch)

        trained = train_classifier(
            train_images=train_images[~held],
            train_labels=train_labels[~held],
            val_images=train_images[held],
            val_labels=train_labels[held],
            classes=classes,
            input_mode=input_mode,
            seed=seed,
            checkpoint=path,
            log=log_fold,
            features=features,
            **settings,
        )
        probabilities[held] = predict(trained.module, train_images[held], input_mode=input_mode)
        if trained.info["collapsed"]:
            collapsed[name] = trained.info["collapsed"]
    return CrossFit(fold, probabilities, collapsed)


def fold_checkpoints(checkpoint: Path, folds: int) -> list[Path]:
    """Where each fold's training keeps its checkpoint, beside the main one."""
    return [beside(checkpoint, f"fold{number + 1}") for number in range(folds)]


def beside(checkpoint: Path, name: str) -> Path:
    """The checkpoint of a further training: train.pt -> train.<name>.pt."""
    return checkpoint.with_name(f"{checkpoint.stem}.{name}{checkpoint.suffix}")
