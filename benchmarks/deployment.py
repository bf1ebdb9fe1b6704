"""Measure what a model costs where it runs: speed of a single frame, latency, memory, size, in every runtime here.

    python -m benchmarks.deployment [--model yolo12s:1280,yolo11n:640,resnet18.a1_in1k:128] [--runtime onnx,torch]
                                    [--batch 1,16] [--threads 2] [--seconds 3]

--model   an architecture and the side of its input in px: YOLO (yolo11n:640) or timm (resnet18.a1_in1k:128), with random
          weights of seed 0: they are as fast as trained ones. Or a registered model, as `assay models list` names it:
          cherry-classifier@production, workzone-detector/3; `registered` stands for the newest version of every one.
--runtime torch, torchscript, onnx, openvino_fp32, openvino_bf16, openvino_int8; on a GPU torch_fp16, and tensorrt where
          its library is. Default: all but int8 on the CPU, and in the same command the GPU's where there is one. Of a
          registered model those whose files it was exported with; torch, of its architecture with random weights.
--batch   pictures at once. Memory and latency are of that batch; FPS of a single frame are 1000 / median at batch 1.

Every cell, a model in a runtime at a batch, is a process of its own: memory is the most that process ever held, its
libraries included, and on a GPU the most that torch reserved there, or what TensorRT holds. Size is that of the file; of
torch, which runs none, of its weights. The 95th percentile needs 20 calls and is empty where there were fewer. A call is
pixels to probabilities or to the boxes of every anchor, normalisation included; reading, resizing and non-maximum
suppression are not. A cell that fails is a row that says why, and the others go on; the status is then 1. Nothing else
may use the machine.

Writes results/benchmark-<processor>-<n>core[-<gpu>].csv; rows of other models, runtimes and batches stay as they are.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.environment import describe
from assay.errors import UserError
from benchmarks.deployment_models import CPU, GPU, Model, chosen_models
from benchmarks.hardware import MADE_ON, made_on, merge_table, slug
from benchmarks.latency import environment

DEFAULT = "yolo12s:1280,yolo12s:960,yolo11n:640"  # those of document 000's tables
KEY = ("model", "image_size", "runtime", "batch", "threads")
COLUMNS = (
    *("model", "image_size", "weights", "runtime", "device", "precision", "threads", "batch", "calls"),
    *("fps_single_frame", "median_ms", "p95_ms", "images_per_second", "memory_mb", "gpu_memory_mb"),
    *("size_mb", "parameters", "failed", "gpu", *MADE_ON),
)
RESULTS = Path("results")
PACKAGES = ("torch", "timm", "ultralytics", "onnxruntime", "openvino", "nncf", "tensorrt")
CALLS_FOR_P95 = 20  # of fewer calls it would be the slowest one, or a mean of the slowest two
PRECISION = {"openvino_bf16": "bf16", "openvino_int8": "int8", "torch_fp16": "fp16", "tensorrt": "fp16"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; 2 for a mistake, 1 where a cell failed."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.deployment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=DEFAULT, help=f"default: {DEFAULT}")
    parser.add_argument("--runtime", default="", help=f"some of {', '.join((*CPU, *GPU))}")
    parser.add_argument("--batch", default="1,16", help="default: 1,16")
    parser.add_argument("--threads", type=int, default=None, help="of the CPU; default: all")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one cell at batch 1")
    chosen = parser.parse_args(arguments)
    machine = describe()
    threads = chosen.threads or machine["cpu"]["cores"]
    try:
        batches = [_positive(word) for word in _words(chosen.batch)]
        models = chosen_models(_words(chosen.model), _words(chosen.runtime))
        gpu = _gpu() if any(set(model.runtimes) & {*GPU} for model in models) else None
        if not gpu and (asked := [word for word in _words(chosen.runtime) if word in GPU]):
            raise UserError(f"--runtime {','.join(asked)}: no NVIDIA GPU is visible here; leave them out")
        cpu, made, rows = machine["cpu"], made_on(machine, PACKAGES), []
        name = f"benchmark-{slug(cpu['model'])}-{cpu['cores']}core" + (f"-{slug(gpu)}" if gpu else "")
        target = RESULTS / f"{name}.csv"
        for row in measure(models, batches, threads=threads, seconds=chosen.seconds, gpu=gpu):
            rows.append(row)
            merge_table(target, [{**row, "gpu": gpu, **made}], COLUMNS, KEY)  # what is killed keeps its rows
    except UserError as error:
        print(f"benchmarks.deployment: {error}", file=sys.stderr)
        return 2
    print(shown(rows))
    print(target)
    return int(any(row.get("failed") for row in rows))


def measure(
    models: Sequence[Model], batches: Sequence[int], *, threads: int, seconds: float, gpu: str | None
) -> Iterator[dict[str, Any]]:
    """Yield a row for every model, runtime and batch; runtimes of a GPU only where there is one."""
    from tqdm import tqdm

    cells = [
        (model, runtime, batch)
        for model in models
        for runtime in model.runtimes
        if gpu or runtime not in GPU
        for batch in batches
    ]
    with (
        tempfile.TemporaryDirectory(prefix="assay-deployment-") as scratch,
        tqdm(cells, unit="cell", disable=None) as bar,
    ):
        prepared: dict[str, dict[str, Any]] = {}
        for model, runtime, batch in bar:
            bar.set_description(f"{model.said} {runtime} batch {batch}")
            if model.said not in prepared:
                asked = model.request(Path(scratch) / str(len(prepared)))
                prepared[model.said] = {**asked, **worker("prepare", asked)}
            request = prepared[model.said] | {
                **{"runtime": runtime, "batch": batch, "threads": threads, "seconds": seconds}
            }
            yield row_of(model, request, request if "failed" in request else worker("measure", request))


def row_of(model: Model, request: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the table. found: what the worker answered: {"milliseconds", "memory_mb", …} or {"failed"}."""
    runtime, batch = request["runtime"], request["batch"]
    row = {
        "model": model.name,
        "image_size": model.image_size,
        "weights": "random" if runtime.startswith("torch") and runtime != "torchscript" else model.weights,
        "runtime": runtime,
        "device": "gpu" if runtime in GPU else "cpu",
        "precision": PRECISION.get(runtime, "fp32"),
        "threads": request["threads"],
        "batch": batch,
    }
    if "failed" in found:
        return row | {"failed": found["failed"]}
    import numpy as np

    taken = np.array(found["milliseconds"])
    median = float(np.median(taken))
    return row | {
        "calls": len(taken),
        "fps_single_frame": f"{1000 / median:.1f}" if batch == 1 else "",
        "median_ms": f"{median:.2f}",
        "p95_ms": f"{np.quantile(taken, 0.95):.2f}" if len(taken) >= CALLS_FOR_P95 else "",
        "images_per_second": f"{1000 * batch / median:.1f}",
        "memory_mb": f"{found['memory_mb']:.0f}",
        "gpu_memory_mb": f"{found['gpu_memory_mb']:.0f}" if "gpu_memory_mb" in found else "",
        "size_mb": f"{found['size_mb']:.1f}",
        "parameters": request.get("parameters", ""),
    }


def worker(task: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a process of its own; {"failed": why} where it has none."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.deployment_worker", task],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return {"failed": f"ended by {name}{', out of memory?' if name == 'SIGKILL' else ''}"}
    return {"failed": (done.stderr.strip().splitlines() or ["no reason said"])[-1][:200]}


def shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Document 000's two tables, speed and memory, for a person."""
    lines = [
        f"{'model':28} {'px':>5} {'runtime':14} {'batch':>5} {'calls':>5} {'FPS':>8} {'p50 ms':>9} "
        f"{'p95 ms':>9} {'images/s':>9} {'memory MB':>10} {'size MB':>8}"
    ]
    for row in rows:
        start = f"{row['model']:28} {row['image_size']:>5} {row['runtime']:14} {row['batch']:>5} "
        if row.get("failed"):
            lines.append(start + f"failed: {row['failed']}")
            continue
        memory = f"GPU {row['gpu_memory_mb']}" if row["device"] == "gpu" else row["memory_mb"]
        lines.append(
            start
            + f"{row['calls']:>5} {row['fps_single_frame']:>8} {row['median_ms']:>9} {row['p95_ms']:>9} "
            f"{row['images_per_second']:>9} {memory:>10} {row['size_mb']:>8}"
        )
    return "\n".join(lines)


def _gpu() -> str | None:
    """The GPU's name, asked in a process of its own: loading torch costs seconds and memory."""
    found = worker("gpu", {})
    return found.get("gpu")


def _words(listed: str) -> list[str]:
    return [word for word in listed.replace(" ", ",").split(",") if word]


def _positive(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise UserError(f"--batch {word}: expected whole numbers of 1 or more, e.g. 1,16")
    return int(word)


if __name__ == "__main__":
    sys.exit(main())
