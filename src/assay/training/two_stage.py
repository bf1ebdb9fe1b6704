"""Three classes from two: what a model gets wrong becomes "maybe", then a second training learns all three.

The method of document 004 ("Important Context"), with one repair: there, stage 1 names the misses among its
own training images, which it has mostly memorised. Here a training image is "maybe" when a model that has not
seen it, nor any near-duplicate of it, gets it wrong.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.models.classifier import InputMode, predict
from assay.models.weights import Weights
from assay.training.classification import TrainedClassifier, train_classifier
from assay.training.cross_fit import beside, cross_fit, fold_checkpoints
from assay.training.epochs import Log

MAYBE = "maybe"


def train_two_stage(
    *,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.integer[Any]],
    train_groups: Sequence[str],
    val_images: NDArray[np.uint8],
    val_labels: NDArray[np.integer[Any]],
    select_images: NDArray[np.uint8],
    select_labels: NDArray[np.integer[Any]],
    folds: int,
    classes: Sequence[str],
    weights: Weights,
    input_mode: InputMode,
    seed: int,
    checkpoint: Path,
    log: Log,
    **settings: Any,
) -> TrainedClassifier:
    """Train the three-class model (`classes[0]`, "maybe", `classes[1]`) from two-class images.

    Arguments are those of `train_classifier`, for each stage alike (`epochs` epochs in each), and
    `train_groups`, one near-duplicate group per training image. `folds` more binary models, each without a part of
    the groups, find the "maybe" of the training images (`cross_fit`); stage 1, trained on all of them, finds those of
    the validation and select images and hands its weights to stage 2, under a new head.

    Stage 2 selects its epoch on these validation labels, so its accuracy counts agreement with stage 1's
    misses, not truth alone; `info["maybe"]` says how many images they are. Logged names of the earlier
    trainings start with their own ("stage1/val/accuracy").

    Raises UserError when fewer than 2 images are "maybe" or left in a class, else as `train_classifier`.
    """
    if len(classes) != 2:
        raise ValueError(f"two-stage training starts from 2 classes, found {len(classes)}")
    settings |= {"select_images": select_images, "input_mode": input_mode, "seed": seed}
    binary: dict[str, Any] = {
        "train_images": train_images,
        "train_labels": train_labels,
        "select_labels": select_labels,
        "classes": classes,
        "weights": weights,
    }

    def misses(answers: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        return answers.argmax(axis=1) != labels

    unseen = cross_fit(
        **binary, **settings, folds=folds, train_groups=train_groups, checkpoint=checkpoint, log=log
    )
    train_maybe = misses(unseen.probabilities, train_labels)
    stage1 = train_classifier(
        **binary,
        **settings,
        val_images=val_images,
        val_labels=val_labels,
        checkpoint=beside(checkpoint, "stage1"),
        log=lambda metric, value, epoch: log(f"stage1/{metric}", value, epoch),
    )
    val_maybe, select_maybe = (
        misses(predict(stage1.module, images, input_mode=input_mode), labels)
        for images, labels in ((val_images, val_labels), (select_images, select_labels))
    )

    three_train, three_val = _three(train_labels, train_maybe), _three(val_labels, val_maybe)
    three_classes = [classes[0], MAYBE, classes[1]]
    for name, count in zip(three_classes, np.bincount(three_train, minlength=3), strict=True):
        if count < 2:
            raise UserError(
                f"two-stage training: {count} training images are {name!r} after stage 1, at least 2 are "
                "needed; the images may be too easy or too few for three classes: train two classes"
            )
    trained = train_classifier(
        train_images=train_images,
        train_labels=three_train,
        val_images=val_images,
        val_labels=three_val,
        select_labels=_three(select_labels, select_maybe),
        classes=three_classes,
        weights=Weights(weights.origin, f"stage 1 on {weights.detail}", stage1.module.state_dict()),
        checkpoint=checkpoint,
        log=log,
        **settings,
    )
    for path in (*fold_checkpoints(checkpoint, folds), beside(checkpoint, "stage1")):
        path.unlink(missing_ok=True)
    facts = {
        "maybe": {"train": int(train_maybe.sum()), "val": int(val_maybe.sum())},
        "stage1": {key: stage1.info[key] for key in ("selections", "collapsed")},
    }
    return dataclasses.replace(trained, info={**trained.info, **facts})


def _three(labels: NDArray[np.integer[Any]], maybe: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Labels 0 and 1 become 0 and 2; "maybe" is 1."""
    return np.where(maybe, 1, 2 * labels.astype(np.int64))
