"""Ultralytics' training loop, made repeatable and resumable. Import it late: it imports Ultralytics.

Ours, around its loop: the network comes ready-made; every epoch starts from its own seed; a checkpoint holds the raw
network, the average, the optimizer, gathered gradients and the best epoch in fp32 (Ultralytics' own holds a
half-precision average only), so that a killed training goes on after its last epoch and ends with the same weights:
bit for bit on one thread. Beside it are written pictures of a few batches; no .pt files, no results.csv.
"""

import math
import random
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import UserError
from assay.models import yolo_adapter
from assay.training import batch_pictures
from assay.training.checkpoint import Checkpoint
from assay.training.precision import Precision, autocast, keep_freed_memory

yolo_adapter.quiet()  # before the import below: it reads settings and starts integrations
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.utils import callbacks  # noqa: E402

Row = dict[str, float]
_METRICS = {
    "map50": "metrics/mAP50(B)",
    "map50_95": "metrics/mAP50-95(B)",
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
}


def run(
    module: nn.Module,
    folder: Path,
    arguments: Mapping[str, Any],
    *,
    precision: Precision,
    checkpoint: Checkpoint,
    pictures: Path,
    select: str,
    on_epoch: Callable[[int, Row], None],
) -> tuple[dict[str, Tensor], list[Row], dict[str, Any]]:
    """Train `module` on the data that `folder`/data.yaml describes.

    Args:
        module: the network, with its starting weights.
        folder: where the training data lie; Ultralytics' label cache goes there.
        arguments: Ultralytics' arguments by its names, all that matter written out; never `optimizer: auto`.
        precision: of the network while it learns; weights, loss, average and validation are fp32.
        checkpoint: where the state goes after every epoch, and where an interrupted one is taken from.
        pictures: folder for pictures of the batches that `batch_pictures.numbers` names.
        select: map50, map50_95 (the best epoch's average is kept) or last.
        on_epoch: called with the epoch, from 1, and its row: losses (val_…, too), map50, map50_95, precision, recall, lr.

    Returns:
        The chosen epoch's averaged tensors, all rows, and {"best_epoch", "resumed_after", "resolved"}: the arguments
        as the loop held them in the end.

    Raises:
        UserError: training collapsed: a loss is not finite.
    """
    found = checkpoint.read()
    if found is not None and found["over"]:
        return found["best"], found["rows"], _about(found, found["epoch"], arguments)
    if found is None:
        shutil.rmtree(pictures, ignore_errors=True)  # of another training in the same folder
    keep_freed_memory()
    threads = torch.get_num_threads()
    place = {"model": "given", "data": str(folder / "data.yaml"), "project": str(folder), "name": "run"}
    plain = {event: list(functions) for event, functions in callbacks.get_default_callbacks().items()}
    trainer = _Trainer(overrides={**arguments, **place}, _callbacks=plain)
    torch.set_num_threads(threads)  # Ultralytics takes one core fewer than there are
    trainer.model = module.to(memory_format=torch.channels_last)
    trainer.keep(checkpoint, found, precision, select, on_epoch)
    trainer.pictures = pictures
    trainer.train()
    resolved = {key: getattr(trainer.args, key) for key in arguments}
    return trainer.kept["best"], trainer.kept["rows"], _about(trainer.kept, trainer.found_epoch, resolved)


def _about(state: Mapping[str, Any], resumed_after: int, resolved: Mapping[str, Any]) -> dict[str, Any]:
    return {"best_epoch": state["best_epoch"], "resumed_after": resumed_after, "resolved": dict(resolved)}


def _in_bf16(predict: Callable[..., Any], on: torch.device) -> Callable[..., Any]:
    """The network's forward pass in bf16, its answer in fp32: boxes and losses need more than eight bits.

    Ultralytics' own `amp=bf16` wants CUDA, and computes the loss in bf16, too.
    """

    def inside(*given: Any, **how: Any) -> Any:
        with autocast("bf16", on):
            answer = predict(*given, **how)
        return _fp32(answer)

    return inside


def _fp32(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _fp32(part) for name, part in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer)(_fp32(part) for part in answer)
    return answer.float() if isinstance(answer, Tensor) and answer.is_floating_point() else answer


class _Trainer(DetectionTrainer):
    """Ultralytics' trainer with a seed per epoch and a checkpoint of everything."""

    accumulate: int
    pictures: Path
    batch_of_epoch: int

    def keep(
        self,
        checkpoint: Checkpoint,
        found: Mapping[str, Any] | None,
        precision: Precision,
        select: str,
        on_epoch: Callable[[int, Row], None],
    ) -> None:
        """Say where the state goes and, where a training was interrupted, which state to start from."""
        self.checkpoint, self.found, self.select, self.on_epoch = checkpoint, found, select, on_epoch
        self.precision: Precision = precision
        self.found_epoch = found["epoch"] if found else 0
        self.kept: dict[str, Any] = {"rows": [], "best": None, "best_epoch": 0, "best_value": -1.0}
        self.gather, self.last_step, self.batches = 1, -1, 0
        self.add_callback("on_pretrain_routine_end", _Trainer.take_up)
        self.add_callback("on_train_epoch_start", _Trainer.begin_epoch)
        self.add_callback("on_fit_epoch_end", _Trainer.end_epoch)

    def take_up(self) -> None:
        """Once everything is built: the state of the interrupted training, if there is one."""
        self.gather, self.accumulate = self.accumulate, 1  # see optimizer_step
        if self.precision == "bf16":  # now that the average, which is validated, is a copy
            self.model.predict = _in_bf16(self.model.predict, self.device)
        if self.found is None:
            return
        found = self.found
        self.model.load_state_dict(found["model"])
        self.ema.ema.load_state_dict(found["average"])
        self.ema.updates = found["updates"]
        self.optimizer.load_state_dict(found["optimizer"])
        self.start_epoch = found["epoch"]
        self.scheduler.last_epoch = found["epoch"] - 1
        self.stopper.best_epoch, self.stopper.best_fitness = found["stopper"]
        self.best_fitness = found["stopper"][1]
        self.last_step, self.batches = found["last_step"], found["epoch"] * len(self.train_loader)
        self.kept = {key: found[key] for key in self.kept}

    def begin_epoch(self) -> None:
        """Seed everything that is random in an epoch; give back gradients, which the loop has zeroed."""
        seed = (self.args.seed * 1_000_003 + self.epoch) % 2**31
        random.seed(seed)
        np.random.seed(seed)  # what Ultralytics' augmentation draws from
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        self.train_loader.reset()
        self.train_loader.dataset.buffer = []
        self.batch_of_epoch = 0
        if self.found is not None and self.epoch == self.found_epoch:
            for name, parameter in self.model.named_parameters():
                if (gradient := self.found["gradients"].get(name)) is not None:
                    parameter.grad = gradient.to(parameter.device)  # a checkpoint is read on the CPU

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Ultralytics', with the channels last: a fifth faster on a CPU; a few batches are drawn."""
        batch = super().preprocess_batch(batch)
        number = self.epoch * len(self.train_loader) + self.batch_of_epoch
        self.batch_of_epoch += 1
        if number in batch_pictures.numbers(self.epochs, self.args.close_mosaic, len(self.train_loader)):
            self.draw(number, batch)
        batch["img"] = batch["img"].to(memory_format=torch.channels_last)
        return batch

    def draw(self, number: int, batch: Mapping[str, Any]) -> None:
        """Keep a picture of a batch; a full disk costs the picture, not the training."""
        images, image_of, class_of, boxes = (
            batch[key].cpu().numpy() for key in ("img", "batch_idx", "cls", "bboxes")
        )
        with suppress(OSError):
            batch_pictures.draw_batch(
                self.pictures / f"train_batch{number}.jpg",
                images,
                image_of=image_of.reshape(-1).astype(int),
                class_of=class_of.reshape(-1).astype(int),
                boxes=boxes,
                classes=[*self.data["names"].values()],
            )

    def optimizer_step(self) -> None:
        """Step when enough batches were gathered, across epochs and interruptions.

        Ultralytics' loop counts batches since the last step in a local variable that starts anew with a resumed
        training. So it is told to ask after every batch (`accumulate` = 1), and the count is ours.
        """
        number, self.batches = self.batches, self.batches + 1
        warmup, gather = self._get_warmup_iterations(len(self.train_loader)), self.gather
        if warmup and number <= warmup:
            gather = max(1, int(np.interp(number, [0, warmup], [1, self.gather]).round()))
        if number - self.last_step >= gather:
            super().optimizer_step()
            self.last_step = number

    def end_epoch(self) -> None:
        """Note the epoch's numbers, keep it if it is the best so far, write the checkpoint."""
        row = {key: float(value) for key, value in self.tloss.items()}
        row |= {f"val_{key}": float(self.metrics[f"val/{key}"]) for key in self.tloss}
        row |= {ours: float(self.metrics[theirs]) for ours, theirs in _METRICS.items()}
        row["lr"] = max(self.lr.values())
        kept, epoch = self.kept, self.epoch + 1
        kept["rows"].append(row)
        if self.select == "last" or row[self.select] > kept["best_value"]:
            average = self.ema.ema.state_dict()
            kept["best"] = {name: tensor.detach().cpu().clone() for name, tensor in average.items()}
            kept["best_epoch"], kept["best_value"] = epoch, row.get(self.select, 0.0)
        self.on_epoch(epoch, row)
        gradients = {name: p.grad for name, p in self.model.named_parameters() if p.grad is not None}
        self.checkpoint.write(
            {
                **kept,
                "epoch": epoch,
                "over": bool(self.stop),
                "model": self.model.state_dict(),
                "average": self.ema.ema.state_dict(),
                "updates": self.ema.updates,
                "optimizer": self.optimizer.state_dict(),
                "stopper": (self.stopper.best_epoch, float(self.stopper.best_fitness or 0.0)),
                "last_step": self.last_step,
                "gradients": gradients,
            }
        )

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """End with one line: Ultralytics would go on with the first epoch and look for a last.pt, which is not written.

        Raises:
            UserError: the epoch's loss or metrics are not finite.
        """
        numbers = {**self.tloss, "fitness": self.fitness or 0.0}
        lost = [name for name, value in numbers.items() if not math.isfinite(float(value))]
        if lost:
            raise UserError(
                f"training collapsed in epoch {epoch + 1}: {', '.join(lost)} not finite, with a learning rate of "
                f"{max(self.lr.values()):.3g}; lower train.lr0 or train.warmup_bias_lr, or start from other weights"
            )
        return False

    def save_model(self) -> bool:
        """Nothing: the checkpoint is ours."""
        return False

    def save_metrics(self, metrics: Any) -> None:
        """Nothing: the rows are in the checkpoint."""

    def final_eval(self) -> None:
        """Nothing: the model is scored from stored predictions, by another stage."""
