"""Train an image classifier: resumable epochs over cached images, two choices of the best epoch kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from assay.models import timm_adapter
from assay.models.classifier import NORMALISATION, InputMode, to_input
from assay.models.weights import Weights
from assay.training.augment import Augmentation, augment
from assay.training.checkpoint import Checkpoint, fingerprint
from assay.training.epochs import (
    SELECTIONS,
    Log,
    Row,
    Schedule,
    Setup,
    adam_or_sgd,
    best_row,
    run_epochs,
)
from assay.training.frozen import Features, frozen_features
from assay.training.precision import choose, device, keep_freed_memory


@dataclass(frozen=True)
class TrainedClassifier:
    """A network with the weights of the clean selection (eval mode, on the CPU), its facts, and a row per epoch.

    `as_published` holds the weights of the epoch that is best on the validation images themselves. `info` is what
    model.json holds. `info["collapsed"]` is None, or says in a few words how training failed.
    """

    module: nn.Module
    as_published: dict[str, Tensor]
    info: dict[str, Any]
    history: list[Row]


def train_classifier(
    *,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.integer[Any]],
    val_images: NDArray[np.uint8],
    val_labels: NDArray[np.integer[Any]],
    select_images: NDArray[np.uint8],
    select_labels: NDArray[np.integer[Any]],
    classes: Sequence[str],
    architecture: str,
    weights: Weights,
    image_size: int,
    input_mode: InputMode,
    augmentation: Augmentation,
    epochs: int,
    batch: int,
    optimizer: Literal["adam", "adamw", "sgd"],
    lr: float,
    weight_decay: float,
    schedule: Schedule,
    label_smoothing: float,
    freeze: str | Sequence[str],
    group_lrs: Mapping[str, float],
    patience: int | None,
    seed: int,
    precision: Literal["auto", "fp32", "bf16"],
    checkpoint: Path,
    log: Log,
    features: Features | None = None,
) -> TrainedClassifier:
    """Train on (N, S, S, 3) RGB uint8 images with labels in [0, len(classes)).

    Two epochs are kept: the first with the highest accuracy on the select images, which neither train nor are
    reported (clean), and the first with the highest on the val images (as published). `patience` epochs without a
    new best on the select images end the training early. `freeze` and `group_lrs` are those of `timm_adapter`.
    With the backbone frozen and no augmentation every image's features are the same in each epoch, so they are
    computed once; a dictionary given as `features` keeps them for further trainings on the same images.

    `log(name, value, epoch)` receives train/loss, train/accuracy, loss, accuracy and classes_predicted of val/ and
    select/, lr and train/images_per_second after each epoch (counted from 1); a resumed run
    repeats those of earlier epochs, but for the speed.

    After every epoch `checkpoint` is replaced. The same call after a kill goes on from there, and because an
    epoch's randomness comes from (seed, epoch) alone, ends in the same weights to the bit. The caller removes
    the file once the result is safe.

    Raises ValueError for arrays, labels or numbers that do not fit each other, UserError for an unknown
    architecture or a part of the network that does not exist.
    """
    settings: dict[str, Any] = {
        "architecture": architecture,
        "classes": list(classes),
        "image_size": image_size,
        "input_mode": input_mode,
        "augmentation": augmentation,
        "epochs": epochs,
        "batch": batch,
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "label_smoothing": label_smoothing,
        "freeze": freeze if isinstance(freeze, str) else list(freeze),
        "group_lrs": dict(group_lrs),
        "patience": patience,
        "seed": seed,
    }
    _check(train_images, train_labels, classes, image_size, "train")
    _check(val_images, val_labels, classes, image_size, "val")
    _check(select_images, select_labels, classes, image_size, "select")
    if epochs < 1 or batch < 2:
        raise ValueError(
            f"epochs {epochs}, batch {batch}: expected at least 1 epoch of batches of at least 2"
        )

    keep_freed_memory()
    on = device()
    settings["precision"] = choose(precision, on)
    settings["threads"] = torch.get_num_threads()  # sums are rounded in another order with another number
    module = timm_adapter.build(
        architecture, classes=len(classes), image_size=image_size, weights=weights, seed=seed
    )
    # channels_last in fp32 on AVX-512: no slower for resnet18, 1.5 times faster for EfficientNet-Lite0
    module = module.to(memory_format=torch.channels_last).to(on)
    frozen = timm_adapter.freeze(module, freeze)
    groups = timm_adapter.parameter_groups(module, lr, group_lrs)
    run = fingerprint(
        {**settings, "device": on.type, "torch": torch.__version__},
        [train_images, train_labels, val_images, val_labels, select_images, select_labels],
        module.state_dict(),
    )

    def on_device(labels: NDArray[np.integer[Any]]) -> Tensor:
        return torch.tensor(labels, dtype=torch.long, device=on)

    inputs = [torch.from_numpy(images).to(on) for images in (train_images, val_images, select_images)]
    network: nn.Module = module

    def prepare(examples: Tensor, generator: Generator | None) -> Tensor:
        return to_input(augment(examples, augmentation, generator) if generator else examples, input_mode)

    if freeze == "backbone" and augmentation == "none":
        known = {} if features is None else features
        inputs = [frozen_features(module, part, input_mode, settings["precision"], known) for part in inputs]
        network, frozen, prepare = timm_adapter.head_of(module), [], _as_it_is
    outcome = run_epochs(
        Setup(
            network=network,
            frozen=frozen,
            prepare=prepare,
            optimizer=adam_or_sgd(optimizer, groups, weight_decay),
            train=(inputs[0], on_device(train_labels)),
            held={"val": (inputs[1], on_device(val_labels)), "select": (inputs[2], on_device(select_labels))},
            batch=batch,
            label_smoothing=label_smoothing,
            precision=settings["precision"],
        ),
        epochs=epochs,
        schedule=schedule,
        patience=patience,
        seed=seed,
        checkpoint=Checkpoint(checkpoint, run),
        log=log,
    )
    network.load_state_dict(outcome.states["as_published"])
    as_published = {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
    network.load_state_dict(outcome.states["clean"])

    history, collapsed = outcome.history, outcome.collapsed
    best = {selection: best_row(history, selection) for selection in SELECTIONS}
    if not collapsed and best["clean"]["val/classes_predicted"] == 1 < len(np.unique(val_labels)):
        collapsed = "predicts one class"
    mean, std = NORMALISATION[input_mode]
    info = {
        **settings,
        "mean": list(mean),
        "std": list(std),
        "weights": {"origin": weights.origin, "detail": weights.detail},
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "trainable": sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        "device": on.type,
        "epochs_run": len(history),
        "selections": {
            selection: {
                "epoch": int(row["epoch"]),
                "val_accuracy": row["val/accuracy"],
                "select_accuracy": row["select/accuracy"],
            }
            for selection, row in best.items()
        },
        "last_accuracy": history[-1]["val/accuracy"] if history else 0.0,
        "collapsed": collapsed,
    }
    return TrainedClassifier(module.eval().cpu(), as_published, info, history)


def _as_it_is(examples: Tensor, generator: Generator | None) -> Tensor:
    return examples


def _check(
    images: NDArray[np.uint8], labels: NDArray[np.integer[Any]], classes: Sequence[str], size: int, split: str
) -> None:
    """Raise ValueError unless images and labels can be trained on (or looked at only, for another split)."""
    if images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"{split} images: expected uint8 (N, {size}, {size}, 3), found {images.dtype} {images.shape}"
        )
    if labels.shape != (len(images),) or len(images) == 0:
        raise ValueError(f"{split}: {len(images)} images and labels of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(
            f"{split} labels: expected 0 to {len(classes) - 1}, found {labels.min()} to {labels.max()}"
        )
    if split == "train":
        for name, count in zip(classes, np.bincount(labels, minlength=len(classes)), strict=True):
            if count < 2:
                raise ValueError(f"train labels: class {name!r} has {count} images; it needs at least 2")
