"""Train a detector on a prepared data set."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
import yaml
from torch import Tensor, nn

from assay.errors import UserError
from assay.models import yolo_adapter
from assay.models.detector_weights import DetectorWeights
from assay.training.checkpoint import Checkpoint, fingerprint
from assay.training.precision import choose, device

BATCHES = "batches"  # below a training's work folder
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedDetector:
    """A network, one row per epoch, and what model.json says of it."""

    module: nn.Module
    history: list[dict[str, float]]
    info: dict[str, Any]


def train_detector(
    rows: pd.DataFrame,
    boxes: pd.DataFrame,
    *,
    root: Path,
    negatives: Sequence[Path],
    classes: Sequence[str],
    architecture: str,
    image_size: int,
    weights: DetectorWeights,
    settings: Mapping[str, Any],
    precision: Literal["auto", "fp32", "bf16"],
    select: Literal["map50", "map50_95", "last"],
    seed: int,
    work: Path,
    log: Callable[[str, float, int], None],
) -> TrainedDetector:
    """Train on the rows of split train, measure every epoch on those of split val, keep the chosen epoch.

    Args:
        rows: the manifest's rows of splits train and val: image (path below `root`), split, sha256.
        boxes: image, label, x1, y1, x2, y2 (px), width, height of the image; without regions to ignore.
        root: the prepared data set.
        negatives: pictures in which a reviewer saw no object of any class: trained on with empty labels.
        classes: names in the order of the network's outputs.
        architecture: e.g. yolo11n.
        image_size: side of the letterboxed input, px.
        weights: where the network starts.
        settings: Ultralytics' arguments by its names, without optimizer=auto; `epochs` 0 keeps the starting weights.
        precision: of the network while it learns, see `assay.training.precision.choose`.
        select: which epoch is kept: best on val by this metric (the protocol that is published), or the last.
        seed: of initialisation, order and augmentation.
        work: folder for the training data as Ultralytics wants it, for the checkpoint and for batches/, pictures of what
            was learnt from. A killed training finds its checkpoint there and goes on from its last epoch.
        log: called with a metric's name, its value and the epoch.

    Raises:
        UserError: a split has no images, training has no box of any class, or a loss is not finite.
    """
    for split in ("train", "val"):
        if not (rows["split"] == split).any():
            raise UserError(f"{root}: no {split} images to train with; see {root}/report.html")
    train = rows.loc[rows["split"] == "train", "image"]
    if not boxes["image"].isin(train).any():
        raise UserError(f"{root}: no training image has a box of any of the classes {', '.join(classes)}")
    module = yolo_adapter.build(architecture, classes, seed=seed)
    carried = yolo_adapter.carry_over(module, weights.state, classes=classes, known=weights.classes)
    arguments = _arguments(settings, image_size=image_size, seed=seed)
    chosen = choose(precision, device())
    content = _content(rows, boxes, negatives)
    settled = {
        "arguments": arguments,
        "classes": list(classes),
        "select": select,
        "data": content,
        "precision": chosen,
    }
    checkpoint = Checkpoint(work / "checkpoint.pt", fingerprint(settled, [], module.state_dict()))
    history: list[dict[str, float]] = []
    about: dict[str, Any] = {"best_epoch": 0, "resumed_after": 0, "resolved": arguments}
    if arguments["epochs"]:
        from assay.training import yolo_trainer

        folder = work / "data"
        lay_out(folder, rows, boxes, root=root, negatives=negatives, classes=classes)

        def tell(epoch: int, row: Mapping[str, float]) -> None:
            for name, value in row.items():
                log(name, value, epoch)

        state, history, about = yolo_trainer.run(
            module,
            folder,
            arguments,
            precision=chosen,
            checkpoint=checkpoint,
            pictures=work / BATCHES,
            select=select,
            on_epoch=tell,
        )
        module = _filled(architecture, classes, state)
        shutil.rmtree(folder)
    if about["resumed_after"]:
        logger.warning(
            "training went on after epoch %d, where it had been interrupted", about["resumed_after"]
        )
    best = history[about["best_epoch"] - 1] if history else {}
    info = {
        "architecture": architecture,
        "classes": list(classes),
        "image_size": image_size,
        "weights": {
            "origin": weights.origin,
            "root": weights.root or weights.origin,
            "detail": weights.detail,
            **carried,
        },
        "seed": seed,
        "epochs_run": len(history),
        "best_epoch": about["best_epoch"],
        "select": select,
        "precision": chosen,
        "resumed_after": about["resumed_after"],
        "best": best,
        "last": history[-1] if history else {},
        "images": {"train": len(train), "negatives": len(negatives)},
        "arguments": {key: value for key, value in about["resolved"].items() if key != "device"},
    }
    return TrainedDetector(module, history, info)


def lay_out(
    folder: Path,
    rows: pd.DataFrame,
    boxes: pd.DataFrame,
    *,
    root: Path,
    negatives: Sequence[Path],
    classes: Sequence[str],
) -> None:
    """Write the training data as Ultralytics reads them: links to the pictures, YOLO labels, data.yaml."""
    shutil.rmtree(folder, ignore_errors=True)
    number = {name: k for k, name in enumerate(classes)}
    of = dict(iter(boxes.groupby("image", sort=False)))
    for row in rows.to_dict("records"):
        name = Path(row["image"])
        picture = folder / "images" / row["split"] / name.name
        label = folder / "labels" / row["split"] / f"{name.stem}.txt"
        for path in (picture, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        picture.symlink_to((root / row["image"]).resolve())
        lines = []
        for box in of[row["image"]].to_dict("records") if row["image"] in of else ():
            width, height = row["width"], row["height"]
            numbers = (
                (box["x1"] + box["x2"]) / 2 / width,
                (box["y1"] + box["y2"]) / 2 / height,
                (box["x2"] - box["x1"]) / width,
                (box["y2"] - box["y1"]) / height,
            )
            lines.append(" ".join([str(number[box["label"]]), *(f"{value:.6f}" for value in numbers)]))
        label.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    for k, path in enumerate(sorted(negatives)):
        picture = folder / "images/train" / f"negative_{k:05d}{path.suffix}"
        picture.symlink_to(path.resolve())
        (folder / "labels/train" / f"{picture.stem}.txt").touch()
    names = dict(enumerate(classes))
    described = {"path": str(folder.resolve()), "train": "images/train", "val": "images/val", "names": names}
    (folder / "data.yaml").write_text(yaml.safe_dump(described, sort_keys=False), "utf-8")


def recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Ultralytics' arguments for how is learnt: epochs, batch, optimizer, losses, augmentation."""
    return {
        **{key: settings[key] for key in _SAME},
        "optimizer": {"sgd": "SGD", "adamw": "AdamW"}[settings["optimizer"]],
        "cos_lr": settings["cosine"],
        "patience": settings["patience"] or 10**6,
        "nbs": settings["nominal_batch"],
    }


def _arguments(settings: Mapping[str, Any], *, image_size: int, seed: int) -> dict[str, Any]:
    """Ultralytics' arguments, every one that changes a result written out."""
    return {
        **recipe(settings),
        "imgsz": image_size,
        "seed": seed,
        "device": "cpu" if device().type == "cpu" else "0",
        "cache": "ram",  # mosaics then draw from all images, not from a buffer that depends on history
        "amp": False,  # its bf16 is for CUDA only; ours is `precision`
        "plots": False,
        "save": False,
        "val": True,
        "workers": 0,
        "exist_ok": True,
        "verbose": False,
        "pretrained": False,  # the network comes with its weights
        "task": "detect",
        "rect": False,
        "single_cls": False,
        "fraction": 1.0,
    }


_SAME = (
    *(
        "epochs",
        "batch",
        "deterministic",
        "freeze",
        "lr0",
        "lrf",
        "momentum",
        "weight_decay",
        "warmup_epochs",
    ),
    *(
        "warmup_momentum",
        "warmup_bias_lr",
        "box",
        "cls",
        "dfl",
        "iou",
        "conf",
        "mosaic",
        "close_mosaic",
        "mixup",
    ),
    *(
        "copy_paste",
        "hsv_h",
        "hsv_s",
        "hsv_v",
        "degrees",
        "translate",
        "scale",
        "shear",
        "perspective",
        "flipud",
    ),
    *("fliplr", "auto_augment", "erasing", "multi_scale"),
)


def _content(rows: pd.DataFrame, boxes: pd.DataFrame, negatives: Sequence[Path]) -> str:
    """A digest of everything training reads."""
    digest = hashlib.sha256(rows[["image", "split", "sha256"]].to_csv(index=False).encode())
    digest.update(boxes[["image", "label", "x1", "y1", "x2", "y2"]].to_csv(index=False).encode())
    digest.update(
        json.dumps([hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(negatives)]).encode()
    )
    return digest.hexdigest()


def _filled(architecture: str, classes: Sequence[str], state: Mapping[str, Tensor]) -> nn.Module:
    module = yolo_adapter.build(architecture, classes)
    module.load_state_dict(
        {
            name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
            for name, tensor in state.items()
        }
    )
    return module.eval()
