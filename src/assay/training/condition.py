"""Train a condition classifier: a small head on frozen image features, or with the last blocks under it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.data.progress import track
from assay.models.backbones import Backbone
from assay.models.condition import ConditionClassifier, ConditionHead, to_pixels
from assay.training.epochs import Log, Row, log_row
from assay.training.precision import device


@dataclass(frozen=True)
class Examples:
    """N instances. visual: (N, features) float32, or crops (N, S, S, 3) uint8 where the backbone learns too.

    types: (N,) int64 indices. spatial: (N, numbers) float32. labels: (N,) int64 indices.
    """

    visual: NDArray[Any]
    types: NDArray[np.int64]
    spatial: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class TrainedCondition:
    """A classifier in eval mode on the CPU, what is known of its training, and a row per epoch.

    `facts["collapsed"]` is None, or says in a few words how training failed.
    """

    module: ConditionClassifier
    facts: dict[str, Any]
    history: list[Row]


def train_condition(
    *,
    backbone: Backbone,
    train: Examples,
    val: Examples | None,
    types: int,
    classes: int,
    type_embedding: int,
    hidden: Sequence[int],
    dropout: float,
    unfrozen_blocks: int | Literal["all"],
    epochs: int,
    batch: int,
    lr: float,
    weight_decay: float,
    class_weights: Literal["none", "balanced"],
    patience: int | None,
    seed: int,
    log: Log,
) -> TrainedCondition:
    """Train with AdamW and weighted cross-entropy.

    Kept is the last epoch, or with `val` the first of the highest accuracy there; then `patience` epochs without a
    better one end the training. `log(name, value, epoch)` receives lr, train/loss, train/accuracy and with `val`
    also val/loss and val/accuracy. The same arguments give the same weights on the same machine.

    Raises ValueError for examples that do not fit each other, UserError for blocks the backbone has not.
    """
    _check(train, types, classes, crops=unfrozen_blocks != 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ConditionHead(
            features=backbone.width,
            types=types,
            type_embedding=type_embedding,
            spatial=train.spatial.shape[1],
            hidden=hidden,
            classes=classes,
            dropout=dropout,
        )
    learning = backbone.unfreeze(unfrozen_blocks)
    module = ConditionClassifier(backbone, head)
    on = device() if learning else torch.device("cpu")  # a head alone is done before a GPU has started
    module.to(on)
    loop = _Loop(module, learning, loss_weights(train.labels, classes, class_weights).to(on), on, batch)
    optimizer = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], lr=lr, weight_decay=weight_decay
    )
    history: list[Row] = []
    best, kept, collapsed = -1.0, 0, None
    state: dict[str, Tensor] = {}
    for epoch in range(1, epochs + 1):
        loss, accuracy = loop.train(train, optimizer, seed, epoch, epochs)
        if not math.isfinite(loss):
            collapsed = f"the loss is not finite in epoch {epoch}"
            break
        row = {"epoch": epoch, "lr": lr, "train/loss": loss, "train/accuracy": accuracy}
        if val is not None:
            row |= loop.evaluate(val)
        history.append(row)
        log_row(log, row)
        if val is None or row["val/accuracy"] > best:
            best, kept = row.get("val/accuracy", -1.0), epoch
            state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        elif patience and epoch - kept >= patience:
            break
    if state:
        module.load_state_dict(state)
    if not collapsed and len(np.unique(train.labels)) > 1 and len(loop.decided(train).unique()) == 1:
        collapsed = "predicts one class"
    facts = {
        "device": on.type,
        "threads": torch.get_num_threads(),
        "trained_on": len(train.labels),
        "held_out": 0 if val is None else len(val.labels),
        "epochs_run": len(history),
        "best_epoch": kept,
        "last_accuracy": history[-1]["train/accuracy"] if history else None,
        "collapsed": collapsed,
    }
    return TrainedCondition(module.eval().cpu(), facts, history)


@dataclass(frozen=True)
class _Loop:
    """What every epoch works with; `learning` are the backbone's parts that do."""

    module: ConditionClassifier
    learning: Sequence[nn.Module]
    weights: Tensor
    on: torch.device
    batch: int

    def train(
        self, examples: Examples, optimizer: torch.optim.Optimizer, seed: int, epoch: int, epochs: int
    ) -> tuple[float, float]:
        """Mean loss and accuracy of one epoch; stops at the first batch whose loss is not finite."""
        epoch_seed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
        torch.manual_seed(epoch_seed)  # dropout
        order = np.random.default_rng(epoch_seed).permutation(len(examples.labels))
        self.module.eval()  # frozen parts stay so
        for part in (self.module.head, *self.learning):
            part.train()
        batches = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        total, right = 0.0, 0
        for rows in track(batches, f"epoch {epoch}/{epochs}", len(batches)) if self.learning else batches:
            labels = torch.from_numpy(examples.labels[rows]).to(self.on)
            logits = self.logits(examples, rows)
            loss = F.cross_entropy(logits, labels, weight=self.weights)
            if not math.isfinite(value := loss.item()):
                return value, 0.0
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += value * len(rows)
            right += int((logits.argmax(dim=1) == labels).sum())
        return total / len(order), right / len(order)

    def evaluate(self, examples: Examples) -> Row:
        """Loss and accuracy of examples that are not learnt from."""
        labels = torch.from_numpy(examples.labels)
        with torch.inference_mode():
            logits = self._all(examples)
        return {
            "val/loss": F.cross_entropy(logits, labels).item(),
            "val/accuracy": (logits.argmax(dim=1) == labels).double().mean().item(),
        }

    def decided(self, examples: Examples) -> Tensor:
        """(N,) the class of the highest logit."""
        with torch.inference_mode():
            return self._all(examples).argmax(dim=1)

    def logits(self, examples: Examples, rows: NDArray[np.int64]) -> Tensor:
        """Logits of some rows, on the device."""
        types = torch.from_numpy(examples.types[rows]).to(self.on)
        spatial = torch.from_numpy(examples.spatial[rows]).to(self.on)
        visual = examples.visual[rows]
        if visual.dtype == np.uint8:
            logits: Tensor = self.module(to_pixels(visual).to(self.on), types, spatial)
        else:
            logits = self.module.head(torch.from_numpy(visual).to(self.on), types, spatial)
        return logits.float()

    def _all(self, examples: Examples) -> Tensor:
        self.module.eval()
        rows = np.arange(len(examples.labels))
        return torch.cat([self.logits(examples, part).cpu() for part in np.split(rows, rows[128::128])])


def loss_weights(labels: NDArray[np.int64], classes: int, how: Literal["none", "balanced"]) -> Tensor:
    """(classes,) loss weights: N / (classes x count), so that every class weighs the same in sum."""
    counts = np.bincount(labels, minlength=classes)
    if how == "none":
        return torch.ones(classes)
    return torch.tensor(len(labels) / (classes * np.maximum(counts, 1)), dtype=torch.float32)


def _check(examples: Examples, types: int, classes: int, *, crops: bool) -> None:
    """Raise ValueError unless the examples can be trained on."""
    count = len(examples.labels)
    if not count or {len(examples.visual), len(examples.types), len(examples.spatial)} != {count}:
        raise ValueError(f"{count} labels, {len(examples.visual)} pictures, {len(examples.types)} types")
    if (examples.visual.dtype == np.uint8) != crops:
        raise ValueError(
            f"visual is {examples.visual.dtype}: a backbone that learns needs crops, a frozen one features"
        )
    for name, values, bound in (("labels", examples.labels, classes), ("types", examples.types, types)):
        if values.min() < 0 or values.max() >= bound:
            raise ValueError(f"{name}: expected 0 to {bound - 1}, found {values.min()} to {values.max()}")
