"""Measure how long one picture takes in torch and in every export, on one thread and on two.

    python -m benchmarks.latency [--model resnet18,resnet50] [--trained build/cherry] [--rounds 5] [--seconds 0.3]

Every runtime and number of threads is a process of its own: thread pools, flushing of denormals and OMP settings of one
runtime would reach the next. All of them hold the same model and are asked in turn, round after round, so that a busy
machine slows all alike; ratios are torch's median of a round by the runtime's, and the median of the rounds counts. A
call is one picture of float32 pixels 0-255 to probabilities, normalisation and softmax included, reading and
resizing not. torch is eager fp32 as timm builds it; torch_channels_last is the same in the other memory layout.

Without --trained the networks are random, of seed 0: as fast as trained ones, but nothing about the accuracy of bf16 and
int8. --trained names build folders of the graph whose model was exported to all four runtimes (export.runtimes=
[onnx,openvino_fp32,openvino_bf16,openvino_int8]); accuracy, its drop and 95 % interval are those of its parity.json.

Writes results/benchmarks/latency-<cpu>-<n>core.csv; rows of models that were not asked for stay as they are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from assay.environment import describe
from assay.errors import UserError
from assay.export.runtimes import FILES, Runtime
from assay.files import read_json
from benchmarks.hardware import MADE_ON, made_on, merge_table, table_path

# document 004's networks at the size of their experiments, and the one whose weights install offline
MODELS = {
    "resnet18": ("resnet18.a1_in1k", 128),
    "resnet50": ("resnet50.a1_in1k", 128),
    "mobilenetv3_large_100": ("mobilenetv3_large_100.ra_in1k", 128),
    "efficientnet_b0": ("efficientnet_b0.ra_in1k", 128),
    "efficientnet_b2": ("efficientnet_b2.ra_in1k", 128),
    "convnextv2_tiny": ("convnextv2_tiny.fcmae", 128),
    "vit_small_patch14_dinov2": ("vit_small_patch14_dinov2.lvd142m", 126),
    "tf_efficientnet_lite0": ("tf_efficientnet_lite0.in1k", 128),
}
EXPORTS: tuple[Runtime, ...] = get_args(Runtime)
RUNTIMES = ("torch", "torch_channels_last", *EXPORTS)
THREADS = (1, 2)
COLUMNS = (
    *("model", "image_size", "weights", "runtime", "threads", "calls", "median_ms", "p95_ms"),
    *("ratio_to_torch", "ratio_low", "ratio_high", "max_probability_difference"),
    *("accuracy", "accuracy_drop", "accuracy_drop_low", "accuracy_drop_high", "images"),
    *MADE_ON,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print and store it; returns 2 for a mistake."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=None, help=f"some of {','.join(MODELS)} (default: all)")
    parser.add_argument("--trained", default="", help="build folders with an export of every runtime")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one process in one round")
    chosen = parser.parse_args(arguments)
    machine = describe()
    target = table_path("latency", machine)
    default = "" if chosen.trained else ",".join(MODELS)
    try:
        models = [random_model(name) for name in _names(default if chosen.model is None else chosen.model)]
        models += [trained_model(Path(name)) for name in _names(chosen.trained)]
        rows = [
            {**row, **made_on(machine, ("torch", "timm", "onnxruntime", "openvino", "nncf"))}
            for row in measure_all(models, rounds=chosen.rounds, seconds=chosen.seconds)
        ]
    except UserError as error:
        print(f"benchmarks.latency: {error}", file=sys.stderr)
        return 2
    store(target, rows)
    print(shown(rows))
    print(target)
    return 0


def random_model(name: str) -> dict[str, Any]:
    """A model of `MODELS` with random weights. Raises UserError for another name."""
    if name not in MODELS:
        raise UserError(f"--model {name}: expected some of {', '.join(MODELS)}")
    architecture, size = MODELS[name]
    return {
        "architecture": architecture,
        "image_size": size,
        "input_mode": "norm",
        "trained": None,
        "export": None,
        "weights": "random",
    }


def trained_model(build: Path) -> dict[str, Any]:
    """The trained and exported model of a build folder. Raises UserError where an export is missing."""
    for needed in ("model/model.json", "export/parity.json", *(f"export/{FILES[name]}" for name in EXPORTS)):
        if not (build / needed).is_file():
            raise UserError(
                f"{build / needed}: not found; run the export stage with export.runtimes=[{','.join(EXPORTS)}]"
            )
    info = read_json(build / "model/model.json")
    return {
        **{key: info[key] for key in ("architecture", "image_size", "input_mode")},
        "trained": str(build / "model"),
        "export": str(build / "export"),
        "weights": f"trained {info['experiment']} {info['profile']} {info['id'][:8]}",
    }


def measure_all(models: Sequence[dict[str, Any]], *, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a row for every model, runtime and number of threads."""
    with tempfile.TemporaryDirectory(prefix="assay-latency-") as scratch, ExitStack() as stack:
        for index, model in enumerate(models):
            if model["export"] is None:
                model["export"] = f"{scratch}/{index}"
                Path(model["export"]).mkdir()
                print(f"exporting {model['architecture']}", file=sys.stderr, flush=True)
                subprocess.run(
                    [*_WORKER, "prepare", model["export"]],
                    input=json.dumps(model),
                    text=True,
                    check=True,
                    env=environment(),
                )
        workers = {
            (runtime, threads): stack.enter_context(worker(runtime, threads))
            for threads in THREADS
            for runtime in RUNTIMES
        }
        for model in models:
            print(f"measuring {model['architecture']}", file=sys.stderr, flush=True)
            answers = {key: np.array(ask(process, model)) for key, process in workers.items()}
            taken: dict[tuple[str, int], list[list[float]]] = {key: [] for key in workers}
            for turn in range(rounds):
                keys = [*workers][
                    :: -1 if turn % 2 else 1
                ]  # nobody is always measured after the same neighbour
                for key in keys:
                    taken[key].append(ask(workers[key], {"seconds": seconds}))
            yield from rows_of(model, taken, answers)


def rows_of(
    model: Mapping[str, Any],
    taken: Mapping[tuple[str, int], Sequence[Sequence[float]]],
    answers: Mapping[tuple[str, int], np.ndarray],
) -> Iterator[dict[str, Any]]:
    """One line of the table for every runtime and number of threads.

    taken: milliseconds of every call of every round. answers: (pictures, classes) probabilities.
    """
    parity = read_json(Path(model["export"]) / "parity.json") if model["trained"] else {"runtimes": {}}
    for (runtime, threads), by_round in taken.items():
        torch = taken["torch", threads]
        ratios = [np.median(theirs) / np.median(ours) for theirs, ours in zip(torch, by_round, strict=True)]
        calls = np.concatenate([*by_round])
        found = parity["runtimes"].get(runtime, {})
        row = {
            "model": model["architecture"].partition(".")[0],
            "image_size": model["image_size"],
            "weights": model["weights"],
            "runtime": runtime,
            "threads": threads,
            "calls": len(calls),
            "median_ms": f"{np.median(calls):.2f}",
            "p95_ms": f"{np.quantile(calls, 0.95):.2f}",
            "ratio_to_torch": f"{np.median(ratios):.2f}",
            "ratio_low": f"{min(ratios):.2f}",
            "ratio_high": f"{max(ratios):.2f}",
            "max_probability_difference": f"{np.abs(answers[runtime, threads] - answers['torch', threads]).max():.1e}",
        }
        if found:
            drops = ("accuracy", "accuracy_drop", "accuracy_drop_low", "accuracy_drop_high")
            row |= {name: f"{found[name]:.4f}" for name in drops} | {"images": parity["images"]}
        yield row


@contextmanager
def worker(runtime: str, threads: int) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds one runtime; it ends with the block."""
    process = subprocess.Popen(
        [*_WORKER, runtime, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ask(process: "subprocess.Popen[str]", request: Mapping[str, Any]) -> Any:
    """A worker's answer. Raises UserError when it died; it has said why on standard error."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - opened as pipes
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        raise UserError(f"the process of {' '.join(map(str, process.args[-2:]))} ended; see above")
    return json.loads(line)


def environment() -> dict[str, str]:
    """The caller's variables, less those that set thread pools: every runtime is told its threads by its own option."""
    pools = ("OMP_", "KMP_", "MKL_", "GOMP_", "OPENBLAS_")
    return {key: value for key, value in os.environ.items() if not key.startswith(pools)}


def store(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to the CSV; older rows of other models, sizes or weights stay."""
    merge_table(target, rows, COLUMNS, ("model", "image_size", "weights", "runtime", "threads"))


def shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows for a person."""
    lines = [f"{'model':26} {'runtime':20} thr {'median':>8} {'p95':>8} {'ratio':>6}  accuracy drop"]
    for row in rows:
        drop = (
            f"{row['accuracy_drop']} ({row['accuracy_drop_low']} to {row['accuracy_drop_high']})"
            if "accuracy_drop" in row
            else ""
        )
        lines.append(
            f"{row['model']:26} {row['runtime']:20} {row['threads']:3} {row['median_ms']:>8} {row['p95_ms']:>8} "
            f"{row['ratio_to_torch']:>6}  {drop}"
        )
    return "\n".join(lines)


def _names(listed: str) -> list[str]:
    return [name for name in listed.replace(" ", ",").split(",") if name]


_WORKER = (sys.executable, "-m", "benchmarks.latency_worker")

if __name__ == "__main__":
    sys.exit(main())
