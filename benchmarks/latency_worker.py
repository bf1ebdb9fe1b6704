"""One runtime in a process of its own, for benchmarks.latency.

    python -m benchmarks.latency_worker prepare <folder>      a request on standard input; writes an export
    python -m benchmarks.latency_worker <runtime> <threads>   a request a line on standard input, an answer a line

Requests and answers are JSON. A request names a model ({"architecture", "image_size", "input_mode", "trained" (folder
of the trained model, or null), "export" (its folder)}) or asks for a round: {"seconds"}.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("cherry_clean", "cherry_pit")
SHOWN = 8  # pictures whose answers are compared between runtimes
MIN_RUNS, WARM_UP_SECONDS = 5, 0.2


def pictures(size: int, count: int) -> list[np.ndarray]:
    """`count` pictures of smooth colour and noise, uint8 (S, S, 3); the same every time."""
    random = np.random.default_rng(0)
    colours = random.uniform(30, 220, (count, 1, 1, 3)) + random.normal(0, 25, (count, size, size, 3))
    return list(np.clip(colours, 0, 255).astype(np.uint8))


def network(model: Mapping[str, Any]) -> Any:
    """The torch module of a request: trained, or random weights of seed 0 (as fast as trained ones)."""
    from assay.models import timm_adapter
    from assay.models.classifier import load_classifier
    from assay.models.weights import Weights

    if model["trained"]:
        return load_classifier(Path(model["trained"]))[0]
    return timm_adapter.build(
        model["architecture"],
        classes=len(CLASSES),
        image_size=model["image_size"],
        weights=Weights("random", "seed 0"),
    ).eval()


def prepare(model: Mapping[str, Any], folder: Path) -> None:
    """Write the exports of a random network, calibrated on pictures of noise: enough for time, not for accuracy."""
    from assay.export.int8 import export_int8
    from assay.export.metadata import describe
    from assay.export.onnx import export_onnx
    from assay.export.openvino import export_openvino
    from assay.files import write_json
    from assay.training.precision import start_torch

    start_torch(0)
    metadata = describe({**model, "classes": CLASSES}, source={}, thresholds={})
    write_json(folder / "metadata.json", metadata)
    onnx = folder / "model.onnx"
    export_onnx(network(model), onnx, metadata=metadata)
    export_openvino(onnx, folder / "openvino", metadata=metadata)
    export_int8(
        onnx, folder / "openvino_int8", images=pictures(model["image_size"], SHOWN), metadata=metadata
    )


def opened(runtime: str, threads: int, model: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """(N, 3, S, S) float32 0-255 -> probabilities, in `runtime`: "torch", "torch_channels_last" or an export's."""
    if not runtime.startswith("torch"):
        from assay.export.runtimes import open_export

        run = open_export(Path(model["export"]), runtime, threads)[1].run
        return lambda pixels: run({"pixels": pixels})
    import torch

    from assay.export.deployed import Deployed
    from assay.training.precision import start_torch

    start_torch(0, threads)
    layout = torch.channels_last if runtime == "torch_channels_last" else torch.contiguous_format
    module = Deployed(network(model), model["input_mode"]).eval().to(memory_format=layout)

    def answer(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(pixels)).numpy()

    return answer


def measure(answer: Callable[[], object], *, seconds: float, least: int = MIN_RUNS) -> list[float]:
    """Milliseconds of single calls: as many as fit into `seconds`, `least` at least, after a warm-up."""
    start = time.perf_counter()
    while True:
        answer()
        if time.perf_counter() - start > WARM_UP_SECONDS:
            break
    taken: list[float] = []
    start = before = time.perf_counter()
    while len(taken) < least or before - start < seconds:
        answer()
        after = time.perf_counter()
        taken.append(1000 * (after - before))
        before = after
    return taken


def main(arguments: Sequence[str]) -> None:
    """Prepare an export, or answer requests until there are no more."""
    runtime, second = arguments
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is not an answer
    if runtime == "prepare":
        prepare(json.loads(sys.stdin.readline()), Path(second))
        return
    run: Callable[[np.ndarray], np.ndarray] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "seconds" in request:
            assert run is not None  # noqa: S101 - the parent names a model first
            found: Any = measure(lambda: run(pixels[:1]), seconds=request["seconds"])  # noqa: B023
        else:
            run = None  # the last model's memory, before the next one's
            shown = np.stack(pictures(request["image_size"], SHOWN)).transpose(0, 3, 1, 2)
            pixels = np.ascontiguousarray(shown, np.float32)
            run = opened(runtime, int(second), request)
            found = run(pixels).tolist()
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
