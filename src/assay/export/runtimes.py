"""The programs that run an exported model: each opens a file and answers arrays.

Only TorchScript and TensorRT need torch, and import it when they open a file.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.files import read_json

Runtime = Literal["onnx", "openvino_fp32", "openvino_bf16", "openvino_int8", "torchscript", "tensorrt"]

# bf16 is how the fp32 file is run, not another file: OpenVINO rounds while it computes
FILES: Mapping[Runtime, str] = {
    "onnx": "model.onnx",
    "openvino_fp32": "openvino/model.xml",
    "openvino_bf16": "openvino/model.xml",
    "openvino_int8": "openvino_int8/model.xml",
    "torchscript": "model.torchscript",
    "tensorrt": "model.engine",
}
# the others round: the task's metric is their measure
EXACT: frozenset[Runtime] = frozenset({"onnx", "openvino_fp32", "torchscript"})


@dataclass(frozen=True)
class Opened:
    """A model file in its runtime.

    run: arrays by input name -> the one output. inputs: the names it asks for. text: the metadata inside, "" = none.
    """

    run: Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
    inputs: tuple[str, ...]
    text: str


def open_export(
    folder: Path, runtime: Runtime, threads: int | None = None
) -> tuple[Mapping[str, Any], Opened]:
    """metadata.json of the export in `folder`, and its model ready to run.

    Raises UserError when a file is missing or damaged, when the two are of different exports, when the runtime is not
    installed, and for anything that is not an export folder: foreign checkpoints are often pickles, which run code.
    """
    if folder.is_file():
        raise UserError(
            f"{folder}: expected an export folder holding {FILES[runtime]}; other files are not loaded"
        )
    described = folder / "metadata.json"
    if not described.is_file():
        raise UserError(f"{described}: not found; run the export stage to write it")
    opened = open_model(folder / FILES[runtime], runtime, threads)
    try:
        metadata: dict[str, Any] = read_json(described)
    except ValueError as error:
        raise UserError(
            f"{described}: cannot be loaded ({str(error)[:200]}); run the export stage again"
        ) from error
    if opened.text != to_text(metadata):
        raise UserError(
            f"{folder / FILES[runtime]}: not the export that metadata.json describes; run the export stage again"
        )
    return metadata, opened


def open_model(path: Path, runtime: Runtime, threads: int | None = None) -> Opened:
    """Open one model file; threads: CPU threads of one answer, None = all cores.

    Every CPU runtime is told to flush denormal numbers, up to 70 times slower on x86. They do it for the whole process,
    and only the first model that a process opens has a say: later ones inherit what it asked for. TorchScript's threads
    are those of all torch in the process.

    Raises UserError when the file is missing or damaged, or the runtime is not installed.
    """
    name, start = _STARTS[runtime.partition("_")[0]]
    library = package(name, runtime)
    if not path.is_file():
        raise UserError(f"{path}: not found; run the export stage to write it")
    try:
        return start(library, path, runtime, threads or os.cpu_count() or 1)
    except UserError:  # says itself what is wrong
        raise
    except Exception as error:  # each runtime has its own exceptions, all of them mean an unreadable file
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise UserError(f"{path}: cannot be loaded ({reason[:200]}); run the export stage again") from error


def size_mb(path: Path) -> float:
    """Megabytes (of a million bytes) of a model file, with the weights that OpenVINO keeps beside it."""
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return sum(file.stat().st_size for file in files) / 1e6


def package(name: str, runtime: str) -> ModuleType:
    """Import a library that only `runtime` needs. Raises UserError where it is not installed."""
    # OpenVINO reports home when it is imported, NNCF when it is used; without this module both keep quiet
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"export runtime {runtime}: {name} cannot be imported ({error}); install it (`make env`), or leave the "
            "runtime out of export.runtimes"
        ) from error


def _onnx(onnxruntime: Any, path: Path, runtime: Runtime, threads: int) -> Opened:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Opened(
        lambda fed: session.run(None, dict(fed))[0],
        tuple(part.name for part in session.get_inputs()),
        session.get_modelmeta().custom_metadata_map.get(KEY, ""),
    )


def _openvino(openvino: Any, path: Path, runtime: Runtime, threads: int) -> Opened:
    hints = {
        # said aloud: where the CPU has bf16, OpenVINO would use it even for an fp32 file
        "INFERENCE_PRECISION_HINT": "bf16" if runtime == "openvino_bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_DENORMALS_OPTIMIZATION": True,
    }
    core = openvino.Core()
    model = core.read_model(path)
    compiled = core.compile_model(model, "CPU", hints)

    def run(fed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = compiled(dict(fed))[0]
        return answer

    def one_by_one(fed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        rows = range(len(next(iter(fed.values()))))
        return np.concatenate([run({name: part[k : k + 1] for name, part in fed.items()}) for k in rows])

    return Opened(
        # the int8 file has a batch of one for good, see `assay.export.int8`
        run if model.is_dynamic() else one_by_one,
        tuple(part.any_name for part in model.inputs),
        model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else "",
    )


def _torchscript(torch: Any, path: Path, runtime: Runtime, threads: int) -> Opened:
    from assay.export.torchscript import open_torchscript

    return open_torchscript(torch, path, threads)


def _tensorrt(tensorrt: Any, path: Path, runtime: Runtime, threads: int) -> Opened:
    from assay.export.tensorrt import open_engine

    return open_engine(tensorrt, path)


_STARTS: Mapping[str, tuple[str, Callable[[Any, Path, Runtime, int], Opened]]] = {
    "onnx": ("onnxruntime", _onnx),
    "openvino": ("openvino", _openvino),
    "torchscript": ("torch", _torchscript),
    "tensorrt": ("tensorrt", _tensorrt),
}
