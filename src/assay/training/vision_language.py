"""Train low-rank adapters of a vision-language model to answer a question about a crop with a class's word."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.data.progress import track
from assay.models.qwen_adapter import Asker, learnt, probabilities_of, put_back
from assay.training.checkpoint import Checkpoint
from assay.training.condition import loss_weights
from assay.training.epochs import Log, Row, log_row


@dataclass(frozen=True)
class Questions:
    """N questions. crops: (N, S, S, 3) uint8 RGB. labels: (N,) int64, the index of each right word."""

    crops: NDArray[np.uint8]
    asked: Sequence[str]
    labels: NDArray[np.int64]


def train_adapters(
    *,
    asker: Asker,
    train: Questions,
    val: Questions | None,
    words: Sequence[str],
    epochs: int,
    batch: int,
    lr: float,
    weight_decay: float,
    class_weights: Literal["none", "balanced"],
    patience: int | None,
    seed: int,
    checkpoint: Checkpoint,
    log: Log,
) -> tuple[dict[str, Any], list[Row]]:
    """Train the adapters of `asker`'s network, in place; what is known of the training, and a row per epoch.

    AdamW on the negative log-likelihood of the right word's tokens and the answer's end, given picture and question;
    nothing else of the chat is learnt. The epoch that is kept, and patience, are as in `train_condition`, and so is
    what `log` receives. train/accuracy is read off while learning: the share of answers every token of which is the
    likeliest of all tokens. val/accuracy compares the words, as evaluation does.

    A killed training goes on after the last epoch that `checkpoint` holds, with the same result (on a processor).
    """
    network = asker.network
    optimizer = torch.optim.AdamW(
        [tensor for tensor in network.parameters() if tensor.requires_grad], lr=lr, weight_decay=weight_decay
    )
    weights = loss_weights(train.labels, len(words), class_weights)
    loop = _Loop(asker, words, weights, optimizer, batch, seed)
    history: list[Row] = []
    best, kept, collapsed = -1.0, 0, None
    state = learnt(network)
    if saved := checkpoint.read():
        put_back(network, saved["adapters"])
        optimizer.load_state_dict(saved["optimizer"])
        history, best, kept, collapsed = (saved[name] for name in ("history", "best", "kept", "collapsed"))
        state = saved["state"]
        for row in history:
            log_row(log, row)
    for epoch in range(len(history) + 1, epochs + 1):
        if collapsed or (val is not None and patience and len(history) - kept >= patience):
            break
        loss, accuracy = loop.train(train, epoch, epochs)
        if math.isfinite(loss):
            history.append({"epoch": epoch, "lr": lr, "train/loss": loss, "train/accuracy": accuracy})
            if val is not None:
                history[-1] |= _evaluate(asker, val, words)
            log_row(log, history[-1])
            if val is None or history[-1]["val/accuracy"] > best:
                best, kept, state = history[-1].get("val/accuracy", -1.0), epoch, learnt(network)
        else:
            collapsed = f"the loss is not finite in epoch {epoch}"
        known = {"history": history, "best": best, "kept": kept, "collapsed": collapsed, "state": state}
        checkpoint.write(known | {"adapters": learnt(network), "optimizer": optimizer.state_dict()})
    put_back(network, state)
    network.eval()
    facts = {
        "device": next(network.parameters()).device.type,
        "threads": torch.get_num_threads(),
        "trained_on": len(train.labels),
        "held_out": 0 if val is None else len(val.labels),
        "epochs_run": len(history),
        "best_epoch": kept,
        "last_accuracy": history[-1]["train/accuracy"] if history else None,
        "collapsed": collapsed,
    }
    return facts, history


@dataclass(frozen=True)
class _Loop:
    """What every epoch works with."""

    asker: Asker
    words: Sequence[str]
    weights: Tensor
    optimizer: torch.optim.Optimizer
    batch: int
    seed: int

    def train(self, train: Questions, epoch: int, epochs: int) -> tuple[float, float]:
        """Mean loss and accuracy of one epoch; stops at the first batch whose loss is not finite."""
        epoch_seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        torch.manual_seed(epoch_seed)  # dropout; with the order it is all that is random in an epoch
        order = np.random.default_rng(epoch_seed).permutation(len(train.labels))
        self.asker.network.train()
        batches = [order[start : start + self.batch] for start in range(0, len(order), self.batch)]
        total, right = 0.0, 0
        for rows in track(batches, f"epoch {epoch}/{epochs}", len(batches)):
            labels = train.labels[rows]
            likely, exact = self.asker.log_likelihood(
                train.crops[rows], [train.asked[row] for row in rows], [self.words[label] for label in labels]
            )
            weight = self.weights[torch.from_numpy(labels)].to(likely.device)
            loss = -(likely * weight).sum() / weight.sum()  # as cross_entropy weighs classes
            if not math.isfinite(value := loss.item()):
                return value, 0.0
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += value * len(rows)
            right += int(exact.sum())
        return total / len(order), right / len(order)


def _evaluate(asker: Asker, val: Questions, words: Sequence[str]) -> Row:
    """Loss and accuracy among the words, of examples that are not learnt from."""
    found = probabilities_of(asker, val.crops, val.asked, words)
    told = found[np.arange(len(found)), val.labels]
    return {
        "val/loss": float(-np.log(np.maximum(told, np.finfo(np.float32).tiny)).mean()),
        "val/accuracy": float((found.argmax(axis=1) == val.labels).mean()),
    }
