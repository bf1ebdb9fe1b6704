"""Detectors on disk and in use: save, load, predict."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from supervision import Detections
from torch import nn

from assay.errors import UserError
from assay.files import atomic_write, read_json, sha256_file, write_json
from assay.models import yolo_adapter
from assay.models.letterbox import boxes_of, flipped, letterbox, to_input
from assay.models.weights import read_state


class Detector:
    """A trained network with what its pictures are made into."""

    def __init__(self, module: nn.Module, *, classes: tuple[str, ...], image_size: int) -> None:
        self.module = module.eval().to(memory_format=torch.channels_last)
        self.classes, self.image_size = classes, image_size

    def predict(
        self,
        images: Iterable[np.ndarray],
        *,
        confidence: float,
        nms_iou: float,
        max_boxes: int,
        flip: bool = False,
        batch: int = 8,
    ) -> Iterator[Detections]:
        """Yield the detections of each picture, uint8 (H, W, 3) RGB, in px of it; `batch` pictures are held at once.

        `class_id` indexes `classes`. With `flip` the network sees mirrored pictures; the boxes are mirrored back.
        """
        device = next(self.module.parameters()).device
        stream = iter(images)
        while some := list(islice(stream, batch)):
            seen = [image[:, ::-1] if flip else image for image in some]
            fitted = [letterbox(np.ascontiguousarray(image), self.image_size) for image in seen]
            inputs = torch.from_numpy(to_input(np.stack([square for square, _ in fitted]))).to(device)
            with torch.inference_mode():
                raw = self.module(inputs.to(memory_format=torch.channels_last))[0].float().cpu().numpy()
            for image, one, (_, fit) in zip(some, raw, fitted, strict=True):
                found = boxes_of(one, fit, confidence=confidence, nms_iou=nms_iou, max_boxes=max_boxes)
                yield flipped(found, image.shape[1]) if flip else found


def save_detector(folder: Path, module: nn.Module, info: Mapping[str, Any]) -> None:
    """Write model.safetensors and model.json (`info` with id, parameters and size_mb added) into `folder`.

    `info` must hold what `load_detector` needs: architecture, classes, image_size.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    weights = folder / "model.safetensors"
    with atomic_write(weights) as temporary:
        temporary.write_bytes(save(state, metadata={"architecture": str(info["architecture"])}))
    counted = {
        "id": sha256_file(weights)[:32],
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "size_mb": round(weights.stat().st_size / 1e6, 3),
    }
    write_json(folder / "model.json", {**info, **counted})


def load_detector(folder: Path) -> tuple[Detector, dict[str, Any]]:
    """Read what `save_detector` wrote: the detector, on the CPU, and its info.

    Raises:
        UserError: a file is missing or damaged, or the weights are not of the architecture that model.json names.
    """
    if not (folder / "model.json").is_file():
        raise UserError(f"{folder}/model.json: no such file; train a model into this folder first")
    try:
        info: dict[str, Any] = read_json(folder / "model.json")
        architecture, classes, size = info["architecture"], tuple(info["classes"]), info["image_size"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}/model.json: damaged ({error}); train the model again") from error
    module = yolo_adapter.build(architecture, classes)
    try:
        module.load_state_dict(read_state(folder / "model.safetensors"))
    except RuntimeError as error:
        raise UserError(
            f"{folder}/model.safetensors: its tensors are not of {architecture} with {len(classes)} classes, which "
            "model.json names; train the model again, or put the two files of one model together"
        ) from error
    return Detector(module, classes=classes, image_size=size), info
