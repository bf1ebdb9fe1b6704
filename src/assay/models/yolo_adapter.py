"""YOLO networks by Ultralytics: build, read its weights files without running what they pickle, carry weights over.

Ultralytics is imported here and in its trainer (`training/yolo_trainer.py`), nowhere else, and never on import: its
package reads and writes a settings file, starts integrations and sets OMP_NUM_THREADS; `quiet()` comes before.
"""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from assay.errors import UserError

# What a YOLO checkpoint may name: networks and plain containers. Anything else could run code when it is read.
_ALLOWED = ("torch.nn.modules.", "ultralytics.nn.modules.", "ultralytics.nn.tasks.")
_ALLOWED_EXACT = {
    "ultralytics.utils.IterableSimpleNamespace",
    "pathlib.PosixPath",
    "builtins.set",
    "__builtin__.set",
}
_NETWORKS = Path(__file__).parent / "networks"
_INTEGRATIONS = (
    "sync",
    "clearml",
    "comet",
    "dvc",
    "hub",
    "mlflow",
    "neptune",
    "raytune",
    "tensorboard",
    "wandb",
    "openvino_msg",
    "vscode_msg",
)


def quiet() -> None:
    """Import Ultralytics with its settings in a folder of its own, integrations off and its log on warnings only."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault(
        "YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / f"assay-ultralytics-{os.getuid()}")
    )
    Path(os.environ["YOLO_CONFIG_DIR"]).mkdir(parents=True, exist_ok=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    from ultralytics import utils
    from ultralytics.utils import patches

    if threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)  # Ultralytics sets 1, which every child process would inherit
    # in memory: the user's file stays as it is
    dict.update(utils.SETTINGS, dict.fromkeys(_INTEGRATIONS, False))
    utils.LOGGER.setLevel(logging.WARNING)
    # its Image.open, in place of Pillow's, would install a package whenever a file is no image
    patches._pil_plugins_registered = True


def build(architecture: str, classes: Sequence[str], *, seed: int = 0) -> nn.Module:
    """A network of `architecture` (yolo11n, yolo12s, yolo11s_cbam, ...) for `classes`, randomly initialised from `seed`.

    Takes (N, 3, S, S) float32 RGB in 0-1, S a multiple of 32. In eval mode it answers a tuple whose first part is
    (N, 4 + C, A): centre x, centre y, width, height in px of the input, then the classes' scores.

    Raises:
        UserError: Ultralytics has no such architecture.
    """
    quiet()
    from ultralytics.nn import modules, tasks
    from ultralytics.nn.tasks import DetectionModel

    # a block of theirs that the reader of their files does not know
    vars(tasks).setdefault("CBAM", modules.CBAM)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = DetectionModel(_described(architecture), nc=len(classes), verbose=False)
    except FileNotFoundError:
        raise UserError(f"model.architecture={architecture}: Ultralytics has no such network") from None
    module.names = dict(enumerate(classes))
    return module


def _described(architecture: str) -> str | dict[str, Any]:
    """Ultralytics' own file by its name, or what ours in networks/ says, for the letter that `architecture` has."""
    name, _, addition = architecture.partition("_")
    ours = _NETWORKS / f"{name[:-1]}_{addition}.yaml"
    if not addition or not ours.is_file():
        return f"{architecture}.yaml"
    described: dict[str, Any] = yaml.safe_load(ours.read_text("utf-8"))
    return described | {"scale": name[-1]}


def carry_over(
    module: nn.Module, state: Mapping[str, Tensor], *, classes: Sequence[str], known: Sequence[str]
) -> dict[str, int]:
    """Copy into `module` the tensors of `state` that fit; returns how many tensors were copied, mapped and left.

    A tensor with one row per class (the last layer of the class head) is carried over class by class, by name: a
    class that `known`, the classes of `state`, does not have keeps its random row. Where `module` has a block of
    attention that the network of `state` has not, the layers behind it are found one number further.
    """
    own = module.state_dict()
    state = {_numbered(name, module, state): tensor for name, tensor in state.items()}
    pairs = [(classes.index(name), known.index(name)) for name in classes if name in known]
    copied = mapped = 0
    for name, tensor in state.items():
        if name not in own:
            continue
        last = (
            ".cv3." in name and own[name].shape[:1] == (len(classes),) and tensor.shape[:1] == (len(known),)
        )
        if last and list(classes) != list(known) and own[name].shape[1:] == tensor.shape[1:]:
            for mine, theirs in pairs:
                own[name][mine] = tensor[theirs].to(own[name].dtype)
            mapped += bool(pairs)
        elif own[name].shape == tensor.shape:
            own[name].copy_(tensor.to(own[name].dtype))
            copied += 1
    module.load_state_dict(own)
    return {"copied": copied, "mapped": mapped, "left_random": len(own) - copied - mapped}


def _numbered(name: str, module: nn.Module, state: Mapping[str, Tensor]) -> str:
    """The name that `module` gives a tensor called `name` in `state`."""
    added = [number for number, layer in enumerate(module.model) if type(layer).__name__ == "CBAM"]  # type: ignore[arg-type]
    _, number, rest = name.split(".", 2)
    if not added or int(number) < added[0] or f"model.{added[0]}.spatial_attention.cv1.weight" in state:
        return name
    return f"model.{int(number) + 1}.{rest}"


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Named tensors (float32) and class names of an Ultralytics .pt file, read without running foreign code.

    Raises:
        UserError: the file is missing or damaged, or its pickle names anything but networks and containers.
    """
    quiet()
    if not path.is_file():
        raise UserError(f"weights file {path}: no such file")
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception as error:
        raise UserError(f"weights file {path}: damaged or not a weights file ({_brief(error)})") from error
    foreign = [name for name in named if not name.startswith(_ALLOWED) and name not in _ALLOWED_EXACT]
    if foreign:
        raise UserError(
            f"weights file {path}: refused, it wants {', '.join(sorted(foreign)[:3])} run when it is read; "
            "save the network's tensors as .safetensors"
        )
    allowed: list[Any] = [
        (_found(name) if name in _ALLOWED_EXACT else _stand_in(name), name.replace("__builtin__", "builtins"))
        for name in named
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"weights file {path}: damaged or not a weights file ({_brief(error)})") from error
    network = loaded
    if isinstance(loaded, dict):
        network = loaded["model"] if loaded.get("ema") is None and "model" in loaded else loaded.get("ema")
    if not isinstance(network, nn.Module):
        raise UserError(f"weights file {path}: holds no network; expected Ultralytics' `model` or `ema`")
    known: Any = getattr(network, "names", None)
    names = [str(name) for name in known.values()] if isinstance(known, dict) else []
    return {name: tensor.float() for name, tensor in network.state_dict().items()}, names


def download(architecture: str) -> tuple[dict[str, Tensor], list[str]] | None:
    """COCO weights from Ultralytics' releases; None where they can't be had."""
    quiet()
    from ultralytics.utils.downloads import GITHUB_ASSETS_REPO

    url = f"https://github.com/{GITHUB_ASSETS_REPO}/releases/download/v8.4.0/{architecture}.pt"
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
        import urllib.request

        path = Path(folder) / f"{architecture}.pt"
        with urllib.request.urlopen(url, timeout=10) as answer:
            path.write_bytes(answer.read())
        return read_checkpoint(path)
    return None


def backbone(module: nn.Module) -> nn.Sequential:
    """The layers before the neck, sharing their tensors with `module`: (N, 3, S, S) in 0-1 -> (N, C, S / 32, S / 32)."""
    whole: Any = module
    return nn.Sequential(*whole.model[: len(whole.yaml["backbone"])])


@contextlib.contextmanager
def for_export(module: nn.Module) -> Iterator[nn.Module]:
    """The network with one output, (N, 4 + C, A), as exporters want it; its mode comes back afterwards."""
    layers: Any = module.model
    head: Any = layers[-1]
    before = head.export, head.format, head.dynamic
    head.export, head.format, head.dynamic = True, "onnx", True  # dynamic: the batch size is not baked in
    try:
        yield module.eval()
    finally:
        head.export, head.format, head.dynamic = before


def _stand_in(name: str) -> type[nn.Module]:
    """A class that takes the tensors of the class `name` in a file, and never runs it: Ultralytics' own evaluate
    text of the descriptions they are built from."""

    def refuse(*_: Any) -> None:
        raise TypeError(f"it calls {name}")

    return type(name.rpartition(".")[2], (nn.Module,), {"__init__": refuse})


def _found(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module.replace("__builtin__", "builtins")), attribute)


def _brief(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:120] or type(error).__name__
