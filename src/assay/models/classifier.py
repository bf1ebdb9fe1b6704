"""Image classifiers on disk and in use: save, load, normalise, predict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import UserError
from assay.files import atomic_write, read_json, sha256_file, write_json
from assay.models import timm_adapter
from assay.models.weights import Weights, read_state

InputMode = Literal["raw", "norm"]
Selection = Literal["clean", "as_published"]
WEIGHTS: Mapping[Selection, str] = {"clean": "model.safetensors", "as_published": "as_published.safetensors"}

# input = (pixel / 255 - mean) / std per RGB channel. "raw" feeds 0-255 as it is; "norm" is ImageNet's.
NORMALISATION: dict[InputMode, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "raw": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
    "norm": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def to_input(images: Tensor, input_mode: InputMode) -> Tensor:
    """Turn (N, H, W, 3) RGB uint8 images into the (N, 3, H, W) float32 tensor the network was trained on."""
    inputs = images.permute(0, 3, 1, 2).to(torch.float32)  # a view: NHWC memory is already channels_last
    if input_mode == "raw":
        return inputs
    mean, std = (inputs.new_tensor(values).view(1, 3, 1, 1) for values in NORMALISATION[input_mode])
    return (inputs / 255 - mean) / std


def save_classifier(
    folder: Path, module: nn.Module, info: Mapping[str, Any], *, as_published: Mapping[str, Tensor]
) -> None:
    """Write the weights of both selections and model.json into `folder`.

    model.safetensors holds the module's weights (the clean selection), as_published.safetensors the others.
    `info` must hold what `load_classifier` needs: architecture, classes, image_size, input_mode. Added are
    `size_mb`, `parameters`, `id`, and `ids` by selection.
    """
    from safetensors.torch import save

    ids = {}
    states: dict[Selection, Mapping[str, Tensor]] = {
        "clean": module.state_dict(),
        "as_published": as_published,
    }
    for selection, state in states.items():
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        with atomic_write(folder / WEIGHTS[selection]) as temporary:
            # written by Python: the error of safetensors' own writer does not say that the disk is full
            temporary.write_bytes(save(tensors, metadata={"architecture": str(info["architecture"])}))
        # the same weights are the same model, whenever they were trained
        ids[selection] = sha256_file(folder / WEIGHTS[selection])[:32]
    counted = {
        "id": ids["clean"],
        "ids": ids,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "size_mb": round((folder / WEIGHTS["clean"]).stat().st_size / 1e6, 3),
    }
    write_json(folder / "model.json", {**info, **counted})


def load_classifier(folder: Path, selection: Selection = "clean") -> tuple[nn.Module, dict[str, Any]]:
    """Read what `save_classifier` wrote: the network in eval mode on the CPU, and its info.

    Raises UserError when a file is missing or damaged, or when the weights are of another architecture than
    model.json says.
    """
    if not (folder / "model.json").is_file():
        raise UserError(f"{folder}/model.json: no such file; train a model into this folder first")
    try:
        info: dict[str, Any] = read_json(folder / "model.json")
        architecture, classes, size = info["architecture"], info["classes"], info["image_size"]
    except (ValueError, KeyError) as error:
        raise UserError(f"{folder}/model.json: damaged ({error}); train the model again") from error
    path = folder / WEIGHTS[selection]
    module = timm_adapter.build(
        architecture, classes=len(classes), image_size=size, weights=Weights("random", "filled below")
    )
    try:
        module.load_state_dict(read_state(path))
    except RuntimeError as error:
        raise UserError(
            f"{path}: its tensors are not of {architecture} with {len(classes)} classes and {size} px, which "
            "model.json names; train the model again, or put the two files of one model together"
        ) from error
    return module.eval().to(memory_format=torch.channels_last), info


def predict(
    module: nn.Module, images: NDArray[np.uint8], *, input_mode: InputMode, batch: int = 64
) -> NDArray[np.float32]:
    """Class probabilities (N, C) in float32 for (N, S, S, 3) RGB uint8 images; every row sums to 1.

    Runs in eval mode on the device the module is on and leaves the module's mode as it was.
    """
    device = next(module.parameters()).device
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            parts = [
                module(to_input(torch.from_numpy(images[start : start + batch]).to(device), input_mode))
                .float()
                .softmax(dim=1)
                .cpu()
                for start in range(0, len(images), batch)
            ]
    finally:
        module.train(was_training)
    return (
        torch.cat(parts).numpy() if parts else np.empty((0, timm_adapter.head_of(module).out_features), "f4")
    )
