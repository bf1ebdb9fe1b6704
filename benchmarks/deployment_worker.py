"""One cell of benchmarks.deployment in a process of its own: a request on standard input, an answer in the last line.

    python -m benchmarks.deployment_worker prepare|measure|gpu

Requests and answers are JSON. What fails says so in the last line of standard error.
"""

import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency_worker import measure, pictures

CLASSES = ("first", "second")
FEW = 2  # calls at least, where a batch of large pictures takes many seconds; five for single frames


def network(request: Mapping[str, Any]) -> Any:
    """The torch module, random weights of seed 0: pixels 0-255 to what the exports answer."""
    if request["task"] == "detection":
        from assay.export.detection import DeployedDetector
        from assay.models import yolo_adapter

        module = yolo_adapter.build(request["architecture"], CLASSES, seed=0)
        head: Any = module.model[-1]
        head.export = True
        return DeployedDetector(module).eval()
    from assay.export.deployed import Deployed
    from assay.models import timm_adapter
    from assay.models.weights import Weights

    module = timm_adapter.build(
        request["architecture"],
        classes=len(CLASSES),
        image_size=request["image_size"],
        weights=Weights("random", "seed 0"),
    )
    return Deployed(module, request["input_mode"]).eval()


def prepare(request: Mapping[str, Any]) -> dict[str, Any]:
    """Count parameters and, of an architecture, write what its runtimes run; int8 is calibrated on noise."""
    if request["task"] == "condition":
        return {}
    from assay.export.runtimes import FILES

    deployed = network(request)
    counted = {"parameters": sum(one.numel() for one in deployed.parameters())}
    wanted = [name for name in request["runtimes"] if name in FILES and name != "tensorrt"]
    if request["made"] or not wanted:
        return counted
    _write(request, deployed, wanted)
    return counted


def _write(request: Mapping[str, Any], deployed: Any, runtimes: Any) -> None:
    import torch

    from assay.export.artifacts import export_others
    from assay.export.detection import export_detector
    from assay.export.onnx import export_onnx
    from assay.models.detector import Detector

    folder, size = Path(request["export"]), request["image_size"]
    folder.mkdir(parents=True)
    metadata = {key: request[key] for key in ("architecture", "image_size", "input_mode")} | {
        "classes": CLASSES
    }
    onnx, shown = folder / "model.onnx", pictures(size, 8) if "openvino_int8" in runtimes else []
    if request["task"] == "detection":
        detector = Detector(deployed.module, classes=CLASSES, image_size=size)
        export_detector(detector, onnx, metadata=metadata, runtimes=runtimes, calibration=shown)
        return
    export_onnx(deployed.module, onnx, metadata=metadata)
    export_others(
        folder,
        runtimes,
        deployed=deployed,
        example=(torch.zeros(2, 3, size, size),),
        metadata=metadata,
        calibration=shown,
    )


def cell(request: Mapping[str, Any]) -> dict[str, Any]:
    """Time one runtime at one batch, and say what memory it took."""
    runtime, batch, size = request["runtime"], request["batch"], request["image_size"]
    pixels = np.random.default_rng(0).uniform(0, 255, (batch, 3, size, size)).astype(np.float32)
    gpu_memory = {"torch_fp16": reserved_mb, "tensorrt": held_mb}.get(runtime)
    before = gpu_memory() if gpu_memory else 0.0
    run, found = _torch(request, pixels) if runtime in ("torch", "torch_fp16") else _export(request, pixels)
    run()
    taken = measure(run, seconds=request["seconds"], least=5 if batch == 1 else FEW)
    found |= {"milliseconds": taken, "memory_mb": most_memory_mb()}
    if gpu_memory:
        found["gpu_memory_mb"] = gpu_memory() - before
    return found


def reserved_mb() -> float:
    """The most that torch ever reserved on the GPU in this process."""
    import torch

    return torch.cuda.max_memory_reserved() / 1e6


def held_mb() -> float:
    """What is held on the GPU by anything: TensorRT asks the driver for memory, not torch, and keeps it between calls."""
    import torch

    free, total = torch.cuda.mem_get_info()
    return (total - free) / 1e6


def _torch(request: Mapping[str, Any], pixels: np.ndarray) -> tuple[Callable[[], object], dict[str, Any]]:
    import torch

    from assay.training.precision import start_torch

    start_torch(0, request["threads"])
    module, held = network(request), torch.from_numpy(pixels)
    if request["runtime"] == "torch_fp16":
        module = module.cuda().half().to(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            if request["runtime"] == "torch":
                return module(held)
            return module(held.cuda().half()).float().cpu()  # the copies there and back are part of an answer

    return run, {"size_mb": sum(part.nbytes for part in module.state_dict().values()) / 1e6}


def _export(request: Mapping[str, Any], pixels: np.ndarray) -> tuple[Callable[[], object], dict[str, Any]]:
    from assay.export.runtimes import FILES, open_model, size_mb

    runtime = request["runtime"]
    path = Path(request["export"]) / FILES[runtime]
    if runtime == "tensorrt" and not path.is_file():
        from assay.export.tensorrt import export_tensorrt

        export_tensorrt(path.with_name("model.onnx"), path, metadata={})
    opened = open_model(path, runtime, request["threads"])
    fed: dict[str, Any] = {"pixels": pixels}
    if request["task"] == "condition":
        spatial = len(json.loads(opened.text)["spatial_features"])
        fed |= {
            "types": np.zeros(len(pixels), np.int64),
            "spatial": np.zeros((len(pixels), spatial), np.float32),
        }
    asked = {name: fed[name] for name in opened.inputs}
    return lambda: opened.run(asked), {"size_mb": size_mb(path)}


def most_memory_mb() -> float:
    """The most memory this process ever held, in MB of a million bytes.

    From /proc where there is one: what getrusage says of a child includes what its parent held when it was started.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e6 if sys.platform == "darwin" else held * 1024 / 1e6


def gpu(_: Mapping[str, Any]) -> dict[str, Any]:
    """The first GPU's name; None where there is none."""
    import torch

    return {"gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None}


def main(task: str) -> None:
    """Answer one request."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is not an answer
    warnings.simplefilter("ignore")
    found = {"prepare": prepare, "measure": cell, "gpu": gpu}[task](json.load(sys.stdin))
    print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
