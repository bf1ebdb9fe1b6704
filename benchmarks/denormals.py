"""Measure what denormal numbers cost, and what flushing them saves: torch, ONNX Runtime and OpenVINO.

    python -m benchmarks.denormals [--seconds 1] [--size 128]

The model is resnet18 with random weights of seed 0; scaled means that its first layer is multiplied by 1e-39, which makes
that layer's weights denormal and, with no bias to lift them, most activations after it: a worst case. Every row is a
process of its own that does nothing else, because whoever flushes does it for the whole process. `flushed` says when:

    never      nobody asks for it
    before     before the first worker thread starts, as assay.training.precision.start_torch does
    after      after torch's worker threads started: they go on as they were
    option     by the runtime's own option, as assay.export.runtimes sets it

Writes results/benchmarks/denormals-<cpu>-<n>core.csv.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table
from benchmarks.latency import THREADS, environment
from benchmarks.latency_worker import measure, network

COLUMNS = (
    *("runtime", "threads", "weights", "flushed", "calls", "median_ms", "p95_ms", "times_slower"),
    *("denormal_weights", "denormal_activation_share"),
    *MADE_ON,
)
# what a runtime is measured with; the first is what the others are compared with
CASES = {
    "torch": (
        ("as built", "never"),
        ("scaled", "never"),
        ("scaled", "before"),
        ("scaled", "after"),
    ),
    "onnx": (("as built", "never"), ("scaled", "never"), ("scaled", "option")),
    "openvino_fp32": (("as built", "never"), ("scaled", "never"), ("scaled", "option")),
}
SCALE = 1e-39


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; or, as one of its own processes, do one thing."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.denormals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of one process; five calls at least")
    parser.add_argument("--size", type=int, default=128, help="px")
    parser.add_argument("--one", default=None, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        print(json.dumps(one(json.loads(chosen.one))))
        return 0
    machine = describe()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="assay-denormals-") as folder:
        shared = {"folder": folder, "size": chosen.size, "seconds": chosen.seconds}
        counted = process({**shared, "runtime": "prepare"})
        for runtime, cases in CASES.items():
            for threads in THREADS:
                plain = None
                for weights, flushed in cases:
                    asked = {"runtime": runtime, "threads": threads, "weights": weights, "flushed": flushed}
                    taken = process({**shared, **asked})
                    plain = plain or float(np.median(taken))
                    rows.append({**asked, **row_of(taken, plain, counted[weights])})
                    print(*asked.values(), f"{rows[-1]['median_ms']} ms", file=sys.stderr, flush=True)
    target = table_path("denormals", machine)
    made = made_on(machine, ("torch", "timm", "onnxruntime", "openvino"))
    rows = [{**row, **made} for row in rows]
    write_table(target, rows, COLUMNS)
    for row in rows:
        print(
            f"{row['runtime']:14} {row['threads']} {row['weights']:9} {row['flushed']:7} {row['median_ms']:>9} ms "
            f"x{row['times_slower']}"
        )
    print(target)
    return 0


def row_of(taken: Sequence[float], plain: float, counted: Mapping[str, float]) -> dict[str, str]:
    """Numbers of one case, as they are written; plain: milliseconds of this runtime without denormal numbers."""
    return {
        "calls": str(len(taken)),
        "median_ms": f"{np.median(taken):.2f}",
        "p95_ms": f"{np.quantile(taken, 0.95):.2f}",
        "times_slower": f"{np.median(taken) / plain:.2f}",
        **{name: f"{value:.4g}" for name, value in counted.items()},
    }


def process(request: Mapping[str, Any]) -> Any:
    """What a fresh process answers to a request."""
    command = [sys.executable, "-m", "benchmarks.denormals", "--one", json.dumps(request)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment())
    return json.loads(done.stdout.splitlines()[-1])


def one(request: Mapping[str, Any]) -> Any:
    """Milliseconds of every call; of the request "prepare", which writes the ONNX files, counts by weights."""
    if request["runtime"] == "prepare":
        return prepare(Path(request["folder"]), request["size"])
    answer = _torch(request) if request["runtime"] == "torch" else _exported(request)
    return measure(answer, seconds=request["seconds"])


def prepare(folder: Path, size: int) -> dict[str, dict[str, float]]:
    """Write both networks; {weights: {"denormal_weights", "denormal_activation_share"}}."""
    import torch
    from safetensors.torch import save_file

    from assay.export.onnx import export_onnx
    from assay.models.denormals import denormal_activation_share, denormal_weights

    counted = {}
    for weights in ("as built", "scaled"):
        module = _network(size)
        if weights == "scaled":
            with torch.no_grad():
                module.conv1.weight.mul_(SCALE)
        save_file(module.state_dict(), folder / f"{weights}.safetensors")
        export_onnx(module, folder / f"{weights}.onnx", metadata={"image_size": size, "input_mode": "raw"})
        counted[weights] = {
            "denormal_weights": denormal_weights(module),
            "denormal_activation_share": denormal_activation_share(module, torch.from_numpy(_picture(size))),
        }
    return counted


def _torch(request: Mapping[str, Any]) -> Callable[[], object]:
    import torch
    from safetensors.torch import load_file

    from assay.training.precision import start_torch

    if request["flushed"] == "before":
        start_torch(0, request["threads"])
    torch.set_num_threads(request["threads"])
    module = _network(request["size"])
    module.load_state_dict(load_file(Path(request["folder"]) / f"{request['weights']}.safetensors"))
    if request["flushed"] == "after":
        torch.ones(4_000_000).mul(2)  # starts the pool
        torch.set_flush_denormal(True)
    inputs = torch.from_numpy(_picture(request["size"]))

    def answer() -> object:
        with torch.inference_mode():
            return module(inputs)

    return answer


def _exported(request: Mapping[str, Any]) -> Callable[[], object]:
    """Opened with the options of assay.export.runtimes, but for the one that is measured."""
    path, flush = Path(request["folder"]) / f"{request['weights']}.onnx", request["flushed"] == "option"
    pixels = {"pixels": _picture(request["size"])}
    if request["runtime"] == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.add_session_config_entry("session.set_denormal_as_zero", str(int(flush)))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, pixels)
    import openvino

    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": request["threads"],
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_DENORMALS_OPTIMIZATION": flush,
    }
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    return lambda: compiled(pixels)


def _network(size: int) -> Any:
    return network({"architecture": "resnet18.a1_in1k", "image_size": size, "trained": None})


def _picture(size: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (1, 3, size, size)).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
