"""The epoch loop: train, validate, keep the best, save a checkpoint, stop early or on a collapse."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from assay.models.classifier import Selection
from assay.training.checkpoint import Checkpoint
from assay.training.precision import Precision, autocast
from assay.training.progress import EpochProgress

Log = Callable[[str, float, int], None]
Row = dict[str, float]
Schedule = Literal["constant", "cosine"]

# Which images the kept epoch is chosen on. The source chose on the images it reports (document 004); "clean" chooses
# on a part of the training images that no network sees.
SELECTIONS: dict[Selection, str] = {"clean": "select", "as_published": "val"}

EVALUATION_BATCH = 128  # examples; bounds memory, changes no accuracy


@dataclass(frozen=True)
class Setup:
    """What every epoch works with. Examples are (inputs, labels) on the network's device."""

    network: nn.Module
    frozen: Sequence[nn.Module]  # parts of it that stay in eval mode
    # examples to network inputs; augmented with a generator
    prepare: Callable[[Tensor, Generator | None], Tensor]
    optimizer: torch.optim.Optimizer
    train: tuple[Tensor, Tensor]
    held: Mapping[str, tuple[Tensor, Tensor]]  # "val" and "select": looked at after every epoch
    batch: int
    label_smoothing: float
    precision: Precision


@dataclass(frozen=True)
class Outcome:
    """Weights by selection (the starting ones where no epoch ended), a row per epoch, how it failed."""

    states: dict[Selection, dict[str, Tensor]]
    history: list[Row]
    collapsed: str | None


def run_epochs(
    setup: Setup,
    *,
    epochs: int,
    schedule: Schedule,
    patience: int | None,
    seed: int,
    checkpoint: Checkpoint,
    log: Log,
) -> Outcome:
    """Run the epochs that `checkpoint` has not seen yet. A training loss that is not finite ends them.

    Every selection keeps the first epoch with the highest accuracy on its images; `patience` epochs without a new best
    on the "select" images end the training.
    """
    history: list[Row] = []
    best = dict.fromkeys(SELECTIONS, _copy(setup.network))
    collapsed: str | None = None
    base_rates = [group["lr"] for group in setup.optimizer.param_groups]
    if saved := checkpoint.read():
        setup.network.load_state_dict(saved["network"])
        setup.optimizer.load_state_dict(saved["optimizer"])
        history, best, collapsed = saved["history"], saved["best"], saved["collapsed"]
        for row in history:
            log_row(log, row)

    images = len(setup.train[1])
    with EpochProgress(epochs=epochs, images=images, done=len(history)) as progress:
        for epoch in range(len(history) + 1, epochs + 1):
            if collapsed or (patience and len(history) - best_row(history, "clean")["epoch"] >= patience):
                break
            for group, base in zip(setup.optimizer.param_groups, base_rates, strict=True):
                group["lr"] = base * rate_factor(schedule, epoch, epochs)
            progress.begin(epoch)
            loss, accuracy = _train(setup, seed, epoch, progress.batch)
            speed = progress.trained()
            if math.isfinite(loss):
                history.append(
                    {
                        "epoch": epoch,
                        "lr": max(group["lr"] for group in setup.optimizer.param_groups),
                        "train/loss": loss,
                        "train/accuracy": accuracy,
                        **evaluate(setup),
                    }
                )
                for selection in SELECTIONS:
                    if best_row(history, selection)["epoch"] == epoch:
                        best[selection] = _copy(setup.network)
                log_row(log, history[-1])
                log("train/images_per_second", speed, epoch)
                progress.end(history[-1], speed, best_row(history, "as_published")["val/accuracy"])
            else:
                collapsed = f"the loss is not finite in epoch {epoch}"
            checkpoint.write(
                {
                    "network": setup.network.state_dict(),
                    "optimizer": setup.optimizer.state_dict(),
                    "history": history,
                    "best": best,
                    "collapsed": collapsed,
                }
            )
    return Outcome(best, history, collapsed)


def best_row(history: Sequence[Row], selection: Selection) -> Row:
    """The first row with the highest accuracy on the selection's images; an epoch 0, all wrong, where there is none."""
    nothing = {"epoch": 0.0, "val/accuracy": 0.0, "select/accuracy": 0.0}
    return max(history, key=lambda row: row[f"{SELECTIONS[selection]}/accuracy"], default=nothing)


def rate_factor(schedule: Schedule, epoch: int, epochs: int) -> float:
    """What an epoch (counted from 1) multiplies the learning rate by.

    "cosine" is CosineAnnealingLR(T_max=epochs) in closed form, which needs no state in a checkpoint.
    """
    return 1.0 if schedule == "constant" else (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def evaluate(setup: Setup) -> Row:
    """Loss, accuracy in [0, 1] and the number of different classes predicted, on all held-out images."""
    setup.network.eval()
    row: Row = {}
    with torch.inference_mode():
        for name, (examples, labels) in setup.held.items():
            parts = [_logits(setup, setup.prepare(part, None)) for part in examples.split(EVALUATION_BATCH)]
            logits = torch.cat(parts)
            predicted = logits.argmax(dim=1)
            row[f"{name}/loss"] = F.cross_entropy(logits, labels).item()
            row[f"{name}/accuracy"] = (predicted == labels).double().mean().item()
            row[f"{name}/classes_predicted"] = float(len(predicted.unique()))
    return row


def _train(setup: Setup, seed: int, epoch: int, count: Callable[[int], None]) -> tuple[float, float]:
    """Train one epoch; its mean loss and accuracy. Stops at the first batch whose loss is not finite."""
    # Everything random in an epoch follows from these two numbers, so a resumed run needs no random state.
    epoch_seed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    torch.manual_seed(epoch_seed)  # dropout and stochastic depth draw from the global generator
    generator = torch.Generator().manual_seed(epoch_seed)

    setup.network.train()
    for part in setup.frozen:
        part.eval()
    examples, labels = setup.train
    total, right = 0.0, 0
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    for rows in _batches(order, setup.batch):
        logits = _logits(setup, setup.prepare(examples[rows], generator))
        loss = F.cross_entropy(logits, labels[rows], label_smoothing=setup.label_smoothing)
        if not math.isfinite(value := loss.item()):
            return value, 0.0
        setup.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        setup.optimizer.step()
        total += value * len(rows)
        right += int((logits.argmax(dim=1) == labels[rows]).sum())
        count(len(rows))
    return total / len(labels), right / len(labels)


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Split; a last batch of one joins its neighbour, because batch norm cannot train on a single value."""
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _logits(setup: Setup, inputs: Tensor) -> Tensor:
    with autocast(setup.precision, inputs.device):
        logits: Tensor = setup.network(inputs)
    return logits.float()


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def log_row(log: Log, row: Row) -> None:
    """Give `log` every number of an epoch's row."""
    for name, value in row.items():
        if name != "epoch":
            log(name, value, int(row["epoch"]))


def adam_or_sgd(name: str, groups: list[dict[str, Any]], weight_decay: float) -> torch.optim.Optimizer:
    """The optimizer by its lower-case name; `fused` updates all parameters in one pass.

    Raises ValueError for another name.
    """
    if name == "adam":
        return torch.optim.Adam(groups, weight_decay=weight_decay, fused=True)
    if name == "adamw":
        return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, weight_decay=weight_decay, fused=True)
    raise ValueError(f"optimizer {name!r}: expected adam, adamw or sgd")
