"""A detector for many frames of one size: OpenVINO with every core busy, or the GPU; the same boxes either way.

What the plain detector leaves on the table: it sees a wide frame as a square that is half padding, one batch after the
other, and waits while frames are decoded and drawn. Here the input is as tight as the network allows, its shape is
fixed, and several frames are on their way while the next is read.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from supervision import Detections

from assay.files import fresh_folder
from assay.mining.clip import Detector
from assay.models.detector import Detector as TorchDetector
from assay.models.letterbox import Fit, boxes_of, letterbox, to_input

Runtime = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "f32", "bf16", "int8"]
CALIBRATION = 48  # frames from which int8 learns its ranges
_BATCH = 16  # frames a GPU sees at once


def runtime_name(runtime: Runtime, precision: Precision) -> str:
    """What will run the network on this machine, as the candidates say it: torch, torch-cuda-f16, openvino-f32, ….

    Args:
        runtime: torch: as trained, on the GPU where there is one; openvino; auto: the GPU, otherwise OpenVINO.
        precision: of OpenVINO; auto: bf16 where the CPU multiplies it in hardware (AMX), otherwise f32.
    """
    import torch

    if torch.cuda.is_available() and runtime != "openvino":
        return "torch-cuda-f16"
    if runtime == "torch":
        return "torch"
    return f"openvino-{best_precision(cpu_flags()) if precision == 'auto' else precision}"


def fast_detector(
    detector: TorchDetector,
    name: str,
    *,
    model_id: str,
    cache: Path,
    frames: Callable[[], Iterable[np.ndarray]] = tuple,
    cores: int | None = None,
) -> Detector:
    """The detector as `name` of `runtime_name` runs it.

    Args:
        detector: as trained.
        name: what runs it.
        model_id: of the weights, for the cache.
        cache: folder of converted networks.
        frames: a few pictures as they will be mined, RGB; asked for only where int8 has to learn its ranges.
        cores: that OpenVINO keeps busy; None = all of this process.
    """
    if name == "torch":
        return detector
    if name == "torch-cuda-f16":
        return CudaDetector(detector)
    precision = name.removeprefix("openvino-")
    return OpenVinoDetector(
        detector, precision=precision, model_id=model_id, cache=cache, frames=frames, cores=cores
    )


def best_precision(flags: Iterable[str]) -> Literal["f32", "bf16"]:
    """bf16 where the CPU has matrix units for it; emulated it would be slower than f32."""
    return "bf16" if "amx_bf16" in set(flags) else "f32"


def cpu_flags() -> set[str]:
    """What the CPU can do, as Linux calls it; empty where nobody says."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split(":", 1)[1].split()}


class OpenVinoDetector:
    """The network as a static OpenVINO graph, one stream per core, answered in the frames' order."""

    def __init__(
        self,
        detector: TorchDetector,
        *,
        precision: str,  # f32, bf16 or int8
        model_id: str,
        cache: Path,
        frames: Callable[[], Iterable[np.ndarray]],
        cores: int | None = None,
    ) -> None:
        self._detector, self._precision, self._frames = detector, precision, frames
        self._model_id, self._cache = model_id, cache
        self._cores = cores or len(os.sched_getaffinity(0))
        self._compiled: dict[tuple[int, int], Any] = {}
        self.classes, self.image_size = detector.classes, detector.image_size

    def predict(
        self, images: Iterable[np.ndarray], *, confidence: float, nms_iou: float, max_boxes: int
    ) -> Iterator[Detections]:
        """Yield the detections of each picture, uint8 (H, W, 3) RGB, in px of it; cores + 1 pictures are held at once."""
        free: dict[tuple[int, int], list[Any]] = {}
        busy: deque[tuple[Any, Fit, tuple[int, int]]] = deque()

        def answer() -> Detections:
            request, fit, shape = busy.popleft()
            request.wait()
            found = boxes_of(
                request.get_output_tensor(0).data[0],
                fit,
                confidence=confidence,
                nms_iou=nms_iou,
                max_boxes=max_boxes,
            )
            free[shape].append(request)
            return found

        for image in images:
            canvas, fit = letterbox(image, self.image_size, tight=True)
            shape = canvas.shape[:2]
            if shape not in free:
                compiled = self._network(shape)
                free[shape] = [compiled.create_infer_request() for _ in range(self._cores + 1)]
            if len(busy) > self._cores:
                yield answer()
            request = free[shape].pop()
            request.start_async({0: canvas[None]})
            busy.append((request, fit, shape))
        while busy:
            yield answer()

    def on_one_core(self, shape: tuple[int, int]) -> Any:
        """The network for (height, width) on one core, one answer at a time: uint8 (1, height, width, 3) -> raw."""
        return self._compile(shape, cores=1)

    def _network(self, shape: tuple[int, int]) -> Any:
        """The compiled network for (height, width)."""
        if shape not in self._compiled:
            self._compiled[shape] = self._compile(shape, cores=self._cores)
        return self._compiled[shape]

    def _compile(self, shape: tuple[int, int], *, cores: int) -> Any:
        import openvino

        hints = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": cores,
            "INFERENCE_NUM_THREADS": cores,
            "INFERENCE_PRECISION_HINT": "bf16" if self._precision == "bf16" else "f32",
        }
        core = openvino.Core()
        return core.compile_model(core.read_model(self._converted(shape) / "model.xml"), "CPU", hints)

    def _converted(self, shape: tuple[int, int]) -> Path:
        """Folder of the network as OpenVINO stores it; converted once and kept in the cache."""
        import openvino

        kind = "int8" if self._precision == "int8" else "f32"
        folder = self._cache / f"{self._model_id}-{shape[0]}x{shape[1]}-{kind}"
        if not (folder / "model.xml").is_file():
            model = convert(self._detector, shape)
            if self._precision == "int8":
                fitted = (letterbox(image, self.image_size, tight=True)[0] for image in self._frames())
                model = quantise(
                    model, [one for one in islice(fitted, CALIBRATION) if one.shape[:2] == shape]
                )
            with fresh_folder(folder) as fresh:
                openvino.save_model(model, fresh / "model.xml", compress_to_fp16=False)
        return folder


class CudaDetector:
    """The network in half precision on the GPU, with tight inputs."""

    def __init__(self, detector: TorchDetector) -> None:
        self._module = detector.module.to("cuda").half()
        self.classes, self.image_size = detector.classes, detector.image_size

    def predict(
        self, images: Iterable[np.ndarray], *, confidence: float, nms_iou: float, max_boxes: int
    ) -> Iterator[Detections]:
        """Yield the detections of each picture, uint8 (H, W, 3) RGB, in px of it; pictures of one size share a batch."""
        import torch

        def answers(batch: Sequence[tuple[np.ndarray, Fit]]) -> Iterator[Detections]:
            inputs = torch.from_numpy(to_input(np.stack([canvas for canvas, _ in batch]))).to("cuda").half()
            with torch.inference_mode():
                raw = self._module(inputs)[0].float().cpu().numpy()
            for one, (_, fit) in zip(raw, batch, strict=True):
                yield boxes_of(one, fit, confidence=confidence, nms_iou=nms_iou, max_boxes=max_boxes)

        batch: list[tuple[np.ndarray, Fit]] = []
        for image in images:
            fitted = letterbox(image, self.image_size, tight=True)
            if batch and (len(batch) == _BATCH or fitted[0].shape != batch[0][0].shape):
                yield from answers(batch)
                batch = []
            batch.append(fitted)
        if batch:
            yield from answers(batch)


def convert(detector: TorchDetector, shape: tuple[int, int]) -> Any:
    """The network as an OpenVINO model of one shape: uint8 (1, height, width, 3) RGB -> (1, 4 + C, A), see `boxes_of`."""
    import openvino
    import torch
    from openvino.preprocess import PrePostProcessor

    from assay.export.onnx import OPSET, quiet
    from assay.models.yolo_adapter import for_export

    with for_export(detector.module) as module, quiet(), tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        # by ONNX: OpenVINO's own converter reports its use to its maker
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, *shape),),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["raw"],
        )
        model = openvino.Core().read_model(file)
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


def quantise(model: Any, frames: Sequence[np.ndarray]) -> Any:
    """The model in int8 but for its head (`head_of`).

    Scores still move by some hundredths: measure what it does to
    the candidates (`python -m benchmarks.mining --precision int8`) before it mines.

    Args:
        model: of `convert`.
        frames: uint8 (height, width, 3), fitted; the ranges of all layers are those seen on them.
    """
    import logging

    import nncf

    from assay.export.int8 import head_of

    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf.quantize(
        model,
        nncf.Dataset([frame[None] for frame in frames]),
        preset=nncf.QuantizationPreset.MIXED,  # activations need not be symmetric: SiLU is not
        subset_size=len(frames),
        ignored_scope=head_of(model),
    )
