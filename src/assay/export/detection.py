"""Detectors as files that take fitted pictures, and a predictor over all their runtimes."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from supervision import Detections
from torch import Tensor, nn

from assay.errors import UserError
from assay.export.artifacts import export_others
from assay.export.metadata import KEY, to_text
from assay.export.onnx import OPSET, quiet
from assay.export.predictor import Image, pixels_of
from assay.export.runtimes import FILES, Opened, Runtime, open_model
from assay.files import atomic_write
from assay.models.detector import Detector
from assay.models.letterbox import boxes_of, letterbox
from assay.models.yolo_adapter import for_export


class DeployedDetector(nn.Module):
    """(N, 3, H, W) float32 RGB 0-255 -> (N, 4 + C, A): boxes (centre, size, px of the input), then scores 0-1."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        """Raw answers for a batch of pixels."""
        answer: Tensor = self.module(pixels / 255)
        return answer


def export_detector(
    detector: Detector,
    path: Path,
    *,
    metadata: Mapping[str, Any],
    runtimes: Sequence[Runtime] = ("onnx",),
    calibration: Sequence[Image] = (),
) -> None:
    """Write `detector` to `path`, an ONNX file for any batch size and sides, and what `runtimes` need beside it.

    Input `pixels`, output `raw`, see `DeployedDetector`. calibration: training pictures, for openvino_int8. Raises
    UserError as `assay.export.artifacts.export_others` does.
    """
    import onnx

    size = detector.image_size
    with for_export(detector.module) as module, quiet(), tempfile.TemporaryDirectory() as scratch:
        file, fixed = Path(scratch) / "model.onnx", Path(scratch) / "fixed.onnx"
        deployed, example = DeployedDetector(module).eval(), (torch.zeros(1, 3, size, size),)
        _trace(
            deployed,
            example,
            file,
            {"pixels": _BATCH | {2: "height", 3: "width"}, "raw": _BATCH | {2: "anchors"}},
        )
        model = onnx.load(file)
        onnx.helper.set_model_props(model, {KEY: to_text(metadata)})
        with atomic_write(path) as temporary:
            onnx.save_model(model, temporary)
        if {*runtimes} - {"onnx"}:  # they are faster, and tried, with sides that are known
            _trace(deployed, example, fixed, {"pixels": _BATCH, "raw": _BATCH})
        export_others(
            path.parent,
            runtimes,
            onnx=fixed,
            deployed=deployed,
            example=example,
            metadata=metadata,
            calibration=calibration,
            fitted=lambda image: letterbox(pixels_of(image), size)[0],
            exact_head=True,
        )


_BATCH = {0: "batch"}


def _trace(
    deployed: nn.Module, example: tuple[Tensor, ...], file: Path, free: Mapping[str, dict[int, str]]
) -> None:
    """Write an ONNX file whose sides in `free` may be of any length, those of pictures a multiple of 32."""
    # the tracing exporter: ten times faster on this network than torch.export, and as exact (parity is checked)
    torch.onnx.export(
        deployed,
        example,
        str(file),
        dynamo=False,
        opset_version=OPSET,
        input_names=["pixels"],
        output_names=["raw"],
        dynamic_axes=free,
    )


class DetectorPredictor:
    """An exported detector: pictures of any size in, detections out.

    rectangles: as Ultralytics' own `predict`, and so document 003's production, asks a network: a picture is padded to
    the next multiple of 32, not to a square, and an anchor answers with one class. Evaluation does neither, as
    Ultralytics' validation. On an A4 page a quarter less is computed.
    """

    def __init__(self, opened: Opened, metadata: Mapping[str, Any], *, rectangles: bool = False) -> None:
        self.opened, self.metadata, self.rectangles = opened, metadata, rectangles
        self.classes, self.image_size = tuple(metadata["classes"]), int(metadata["image_size"])

    @classmethod
    def load(
        cls,
        folder: Path,
        runtime: Runtime = "onnx",
        *,
        threads: int | None = None,
        rectangles: bool = False,
    ) -> "DetectorPredictor":
        """Load the export in `folder` for one runtime; what it needs to know is inside the file.

        rectangles: see above; an export whose sides are fixed is asked for squares all the same.

        Raises:
            UserError: the file is missing or damaged, says nothing of classes and size, or its runtime is missing.
        """
        path = folder / FILES[runtime]
        opened = open_model(path, runtime, threads)
        if not opened.text:
            raise UserError(f"{path}: not an export of assay, it says nothing of its classes")
        metadata = json.loads(opened.text)
        free = runtime == "onnx" and bool(metadata.get("free_sides"))
        return cls(opened, metadata, rectangles=rectangles and free)

    def raw(self, squares: np.ndarray) -> np.ndarray:
        """(N, S, S, 3) uint8 RGB, fitted, or rectangles where sides are free -> (N, 4 + C, A)."""
        pixels = np.ascontiguousarray(squares.transpose(0, 3, 1, 2), dtype=np.float32)
        return self.opened.run({"pixels": pixels})

    def predict(
        self,
        images: Iterable[np.ndarray],
        *,
        confidence: float,
        nms_iou: float,
        max_boxes: int,
        batch: int = 8,
    ) -> Iterator[Detections]:
        """Yield the detections of each picture, uint8 (H, W, 3) RGB, in px of it."""
        how: Any = {"confidence": confidence, "nms_iou": nms_iou, "max_boxes": max_boxes}
        stream = iter(images)
        while some := list(islice(stream, 1 if self.rectangles else batch)):
            fitted = [letterbox(image, self.image_size, tight=self.rectangles) for image in some]
            answers = self.raw(np.stack([square for square, _ in fitted]))
            for one, (_, fit) in zip(answers, fitted, strict=True):
                yield boxes_of(one, fit, one_class=self.rectangles, **how)
