"""Teach a small network the zone state of each frame, and ask it about clips that it has not seen."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from assay.errors import UserError
from assay.models.zone_head import ZoneHead

_UNSAID = -100  # cross_entropy's index for a frame without a state


def split_folds(
    clips: Sequence[str], recordings: Sequence[str], zone: Sequence[bool], *, folds: int, seed: int
) -> list[list[str]]:
    """The clips of each fold, recordings whole, clips with a work zone spread over the folds.

    Args:
        clips: N names. recordings: the recording of each. zone: whether a work zone is in it.
        folds: so many, or as many as there are recordings.
        seed: of the order.
    """
    draw = np.random.default_rng(seed)
    with_zone = {name for name, said in zip(recordings, zone, strict=True) if said}
    known = sorted(set(recordings))
    shuffled = [known[k] for k in draw.permutation(len(known))]
    dealt = sorted(shuffled, key=lambda name: name not in with_zone)
    count = min(folds, len(dealt))
    fold = {name: k % count for k, name in enumerate(dealt)}
    parts: list[list[str]] = [[] for _ in range(count)]
    for clip, name in zip(clips, recordings, strict=True):
        parts[fold[name]].append(clip)
    return parts


def train_head(
    signals: Sequence[NDArray[np.float32]],
    states: Sequence[NDArray[np.int64]],
    *,
    classes: int,
    shape: Mapping[str, Any],
    epochs: int,
    batch: int,
    lr: float,
    weight_decay: float,
    class_weights: str,
    seed: int,
    log: Callable[[str, float, int], None],
) -> ZoneHead:
    """Train on whole clips; the same arguments give the same weights.

    Args:
        signals: (T, D) of each clip. states: (T,) class indices of each, -1 where nobody said.
        classes: how many there are.
        shape: kind, hidden, layers, window and dropout of `ZoneHead`.
        epochs, batch (clips in a step), lr, weight_decay: of AdamW, the rate falling by a cosine.
        class_weights: none, or balanced: inverse to a state's frequency among the frames.
        seed: of initialisation, order and dropout.
        log: called with a metric's name, its value and the epoch, from 1.

    Raises:
        UserError: no frame has a state, or the loss is not finite.
    """
    said = np.concatenate(states)
    counts = np.bincount(said[said >= 0], minlength=classes).astype(np.float64)
    if not counts.sum():
        raise UserError("no frame of the training clips has a zone state")
    weights = np.divide(counts.sum(), classes * counts, out=np.zeros(classes), where=counts > 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ZoneHead(signals[0].shape[1], classes, **shape)
        seen = np.concatenate(signals)
        head.mean.copy_(torch.from_numpy(seen.mean(axis=0)))
        head.scale.copy_(torch.from_numpy(np.maximum(seen.std(axis=0), 1e-3)))
        criterion = nn.CrossEntropyLoss(
            weight=torch.tensor(weights, dtype=torch.float32) if class_weights == "balanced" else None,
            ignore_index=_UNSAID,
        )
        optimizer = torch.optim.AdamW(head.parameters(), lr, weight_decay=weight_decay)
        head.train()
        for epoch in range(epochs):
            optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
            losses = []
            for chosen in torch.randperm(len(signals)).split(batch):
                x = nn.utils.rnn.pad_sequence(
                    [torch.from_numpy(signals[k]) for k in chosen.tolist()], batch_first=True
                )
                y = nn.utils.rnn.pad_sequence(
                    [torch.from_numpy(np.where(states[k] < 0, _UNSAID, states[k])) for k in chosen.tolist()],
                    batch_first=True,
                    padding_value=_UNSAID,
                )
                if bool((y == _UNSAID).all()):
                    continue
                loss = criterion(head(x).transpose(1, 2), y)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(head.parameters(), 1.0)
                optimizer.step()
                losses.append(float(loss.detach()))
            mean = float(np.mean(losses))
            if not math.isfinite(mean):
                raise UserError(f"the loss is not finite in epoch {epoch + 1}; lower train.lr")
            log("train/loss", mean, epoch + 1)
    return head.eval()


def state_probabilities(head: ZoneHead, signals: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T, classes) of one clip's (T, D)."""
    with torch.inference_mode():
        logits = head(torch.from_numpy(signals)[None])[0].double()
        return np.asarray(torch.softmax(logits, dim=1).numpy(), np.float64)
