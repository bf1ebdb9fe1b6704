"""Which models and runtimes benchmarks.deployment was asked for: architectures by name, or registered models."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.export.runtimes import FILES
from assay.files import read_json

CPU = ("torch", "torchscript", "onnx", "openvino_fp32", "openvino_bf16", "openvino_int8")
GPU = ("torch_fp16", "tensorrt")
UNASKED = {"openvino_int8"}  # calibrating a large detector takes minutes: only when it is asked for
_YOLO = re.compile(r"yolo(v8|11|12)[nsmlx]")


@dataclass(frozen=True)
class Model:
    """What is measured. export: folder of a registered model's export; None: made of random weights."""

    name: str
    architecture: str
    image_size: int
    runtimes: tuple[str, ...]
    weights: str = "random"
    task: str = "classification"
    input_mode: str = "norm"
    export: Path | None = None

    @property
    def said(self) -> str:
        """Its name with its size, as a person asks for it."""
        return f"{self.name}:{self.image_size}"

    def request(self, scratch: Path) -> dict[str, Any]:
        """What a worker must know; `scratch` becomes the export's folder where there is none."""
        return {
            "architecture": self.architecture,
            "image_size": self.image_size,
            "task": self.task,
            "input_mode": self.input_mode,
            "runtimes": list(self.runtimes),
            "made": self.export is not None,
            "export": str(self.export or scratch),
        }


def chosen_models(names: Sequence[str], runtimes: Sequence[str]) -> list[Model]:
    """The models of --model, each with its runtimes. Raises UserError for a name, size or runtime that is none."""
    if unknown := [name for name in runtimes if name not in (*CPU, *GPU)]:
        raise UserError(f"--runtime {unknown[0]}: expected some of {', '.join((*CPU, *GPU))}")
    if not names:
        raise UserError(
            "--model: no model; e.g. yolo11n:640, resnet18.a1_in1k:128, cherry-classifier@production"
        )
    return [model for name in names for model in _models(name, runtimes)]


def _models(name: str, runtimes: Sequence[str]) -> list[Model]:
    if name == "registered":
        return [_registered(one, runtimes) for one in _newest()]
    if ":" not in name:
        return [_registered(name, runtimes)]
    architecture, _, size = name.partition(":")
    detector = bool(_YOLO.fullmatch(architecture))
    if not detector:
        from assay.models.timm_adapter import check_architecture

        check_architecture(architecture)
    if not size.isdigit() or (detector and int(size) % 32) or not 28 <= int(size) <= 4096:
        steps = ", a multiple of 32" if detector else ""
        raise UserError(
            f"--model {name}: expected the side of the input in px{steps}, e.g. {architecture}:640"
        )
    left_out = UNASKED | (set() if find_spec("tensorrt") else {"tensorrt"})
    wanted = runtimes or [one for one in (*CPU, *GPU) if one not in left_out]
    task = "detection" if detector else "classification"
    return [Model(architecture, architecture, int(size), tuple(wanted), task=task)]


def _registered(name: str, runtimes: Sequence[str]) -> Model:
    from assay.registry.catalog import Catalog

    catalog = Catalog()
    version = catalog.find(name)
    export = catalog.exported(version)
    metadata = read_json(export / "metadata.json")
    there: list[str] = [one for one in FILES if (export / FILES[one]).is_file()]
    if metadata.get("task") != "condition":  # a network of three inputs: only its own files are run
        there += ["torch", "torch_fp16"]
    wanted = [one for one in (*CPU, *GPU) if one in there and one in (runtimes or (*CPU, *GPU))]
    if not wanted:
        raise UserError(
            f"--runtime {','.join(runtimes)}: {version.said} was exported for {', '.join(there)}; export it again with "
            "export.runtimes"
        )
    return Model(
        name=f"{version.name}/{version.version}",
        architecture=metadata["architecture"],
        image_size=int(metadata["image_size"]),
        runtimes=tuple(wanted),
        weights="registered",
        task=metadata.get("task", "classification"),
        input_mode=metadata.get("input_mode", "norm"),
        export=export,
    )


def _newest() -> list[str]:
    """The newest version of every registered model. Raises UserError when there is none."""
    from assay.registry.catalog import Catalog

    versions = Catalog().versions
    if not versions:
        raise UserError("--model registered: no model is registered; `dvc repro`, then `assay registry sync`")
    return sorted(
        {f"{one.name}/{max(v.version for v in versions if v.name == one.name)}" for one in versions}
    )
