"""Ultralytics' training loop, made repeatable and resumable.

Ours, around its loop: the network comes ready-made; every epoch starts from its own seed, so that a killed training
goes on from its last epoch and later epochs are the same; a checkpoint holds the raw network, the average, the
optimizer and the best epoch in fp32 (Ultralytics' own holds a half-precision average only). Nothing is written
beside it: no plots, no .pt files, no results.csv, no label cache outside the training folder.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.models import yolo_adapter
from assay.training.checkpoint import Checkpoint

Row = dict[str, float]


def run(
    module: nn.Module,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    checkpoint: Checkpoint,
    select: str,
    on_epoch: Callable[[int, Row], None],
) -> tuple[dict[str, Tensor], list[Row], dict[str, Any]]:
    """Train `module` on the data that `folder`/data.yaml describes.

    Args:
        module: the network, with its starting weights.
        folder: where the training data lie; Ultralytics' label cache goes there.
        arguments: Ultralytics' arguments by its names, all that matter written out; never `optimizer: auto`.
        checkpoint: where the state goes after every epoch, and where an interrupted one is taken from.
        select: map50, map50_95 (the best epoch's average is kept) or last.
        on_epoch: called with the epoch, from 1, and its row: losses, map50, map50_95, precision, recall, lr.

    Returns:
        The chosen epoch's averaged tensors, all rows, and {"best_epoch", "resumed_after", "resolved"}: the arguments
        as the loop held them in the end.
    """
    yolo_adapter.quiet()
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils import callbacks

    class Trainer(DetectionTrainer):
        """Steps the optimizer when so many batches have gone by, across epochs and interruptions.

        Ultralytics' loop counts them in a local variable that starts anew with a resumed training; here it asks
        after every batch and the count is ours, kept in the checkpoint with the gradients gathered so far.
        """

        gather = 1
        last_step = -1
        batches = 0

        def optimizer_step(self) -> None:
            number, self.batches = self.batches, self.batches + 1
            warmup = self._get_warmup_iterations(len(self.train_loader))
            gather = self.gather
            if number <= warmup and warmup:
                gather = max(1, int(np.interp(number, [0, warmup], [1, self.gather]).round()))
            if number - self.last_step >= gather:
                super().optimizer_step()
                self.last_step = number

        def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
            batch = super().preprocess_batch(batch)
            batch["img"] = batch["img"].to(memory_format=torch.channels_last)  # a fifth faster on a CPU
            return batch

        def save_model(self) -> bool:
            return False

        def save_metrics(self, metrics: Any) -> None:
            pass

        def final_eval(self) -> None:
            pass

    state: dict[str, Any] = {"epoch": 0, "rows": [], "best": None, "best_epoch": 0, "best_value": -1.0}
    found = checkpoint.read()
    seed = int(arguments["seed"])

    def setup(trainer: Any) -> None:
        trainer.gather, trainer.accumulate = trainer.accumulate, 1
        if found is None:
            return
        trainer.model.load_state_dict(found["model"])
        trainer.ema.ema.load_state_dict(found["average"])
        trainer.ema.updates = found["updates"]
        trainer.optimizer.load_state_dict(found["optimizer"])
        trainer.start_epoch = found["epoch"]
        trainer.scheduler.last_epoch = found["epoch"] - 1
        trainer.stopper.best_epoch, trainer.stopper.best_fitness = found["stopper"]
        trainer.best_fitness = found["stopper"][1]
        trainer.last_step, trainer.batches = found["last_step"], found["epoch"] * len(trainer.train_loader)
        state.update({key: found[key] for key in state})

    def take_up(trainer: Any) -> None:
        """Gradients come back after the loop has zeroed them, before the first batch."""
        if found is not None and trainer.epoch == found["epoch"]:
            for name, parameter in trainer.model.named_parameters():
                parameter.grad = found["gradients"].get(name)

    def begin(trainer: Any) -> None:
        here = (seed * 1_000_003 + trainer.epoch) % 2**31
        random.seed(here)
        np.random.seed(here)
        torch.manual_seed(here)
        trainer.train_loader.generator.manual_seed(here)
        trainer.train_loader.reset()
        trainer.train_loader.dataset.buffer = []

    def end(trainer: Any) -> None:
        metrics, row = trainer.metrics, {key: float(value) for key, value in trainer.tloss.items()}
        row |= {ours: float(metrics[theirs]) for ours, theirs in _METRICS.items()}
        row["lr"] = max(trainer.lr.values())
        epoch = trainer.epoch + 1
        state["rows"].append(row)
        if select == "last" or row[select] > state["best_value"]:
            average = trainer.ema.ema.state_dict()
            state["best"] = {name: tensor.detach().cpu().clone() for name, tensor in average.items()}
            state["best_epoch"], state["best_value"] = epoch, row.get(select, 0.0)
        state["epoch"] = epoch
        on_epoch(epoch, row)
        stopper = (trainer.stopper.best_epoch, float(trainer.stopper.best_fitness or 0.0))
        checkpoint.write(
            {
                **state,
                "model": trainer.model.state_dict(),
                "average": trainer.ema.ema.state_dict(),
                "updates": trainer.ema.updates,
                "optimizer": trainer.optimizer.state_dict(),
                "stopper": stopper,
                "last_step": trainer.last_step,
                "gradients": {
                    name: parameter.grad
                    for name, parameter in trainer.model.named_parameters()
                    if parameter.grad is not None
                },
            }
        )

    if found is not None and (found["epoch"] >= arguments["epochs"] or found.get("over")):
        return found["best"], found["rows"], _about(found, found["epoch"], dict(arguments))
    threads = torch.get_num_threads()
    defaults = {event: list(functions) for event, functions in callbacks.get_default_callbacks().items()}
    trainer: Any = Trainer(
        overrides={
            **arguments,
            "model": "given",
            "data": str(folder / "data.yaml"),
            "project": str(folder),
            "name": "run",
        },
        _callbacks=defaults,
    )
    torch.set_num_threads(threads)  # Ultralytics takes one core fewer than there are
    trainer.model = module.to(memory_format=torch.channels_last)
    trainer.add_callback("on_pretrain_routine_end", setup)
    trainer.add_callback("on_train_epoch_start", begin)
    trainer.add_callback("on_train_epoch_start", take_up)
    trainer.add_callback("on_fit_epoch_end", end)
    trainer.train()
    resolved = {key: getattr(trainer.args, key) for key in arguments}
    return state["best"], state["rows"], _about(state, found["epoch"] if found else 0, resolved)


_METRICS = {
    "map50": "metrics/mAP50(B)",
    "map50_95": "metrics/mAP50-95(B)",
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
}


def _about(state: Mapping[str, Any], resumed_after: int, resolved: Mapping[str, Any]) -> dict[str, Any]:
    return {"best_epoch": state["best_epoch"], "resumed_after": resumed_after, "resolved": dict(resolved)}
