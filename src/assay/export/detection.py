"""Detectors as ONNX: one file that takes fitted pictures; a predictor over it; and the proof that it is the model."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from supervision import Detections
from torch import Tensor, nn

from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.export.onnx import OPSET, quiet
from assay.export.parity import ParityError, odd_images
from assay.export.runtimes import FILES, Opened, open_model
from assay.files import atomic_write, write_json
from assay.models.detector import Detector
from assay.models.letterbox import boxes_of, letterbox
from assay.models.yolo_adapter import for_export


class _Deployed(nn.Module):
    """(N, 3, S, S) float32 RGB 0-255 -> (N, 4 + C, A): boxes (centre, size, px of the input), then scores 0-1."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor) -> Tensor:
        answer: Tensor = self.module(pixels / 255)
        return answer


def export_detector(detector: Detector, path: Path, *, metadata: Mapping[str, Any]) -> None:
    """Write `detector` to `path` for any batch size; input `pixels`, output `raw`, see `_Deployed`."""
    import onnx

    size = detector.image_size
    with for_export(detector.module) as module, quiet(), tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        # the tracing exporter: ten times faster on this network than torch.export, and as exact (parity is checked)
        torch.onnx.export(
            _Deployed(module).eval(),
            (torch.zeros(1, 3, size, size),),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["raw"],
            dynamic_axes={"pixels": {0: "batch"}, "raw": {0: "batch"}},
        )
        model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: to_text(metadata)})
    with atomic_write(path) as temporary:
        onnx.save_model(model, temporary)


class DetectorPredictor:
    """An exported detector: pictures of any size in, detections out."""

    def __init__(self, opened: Opened, metadata: Mapping[str, Any]) -> None:
        self.opened, self.metadata = opened, metadata
        self.classes, self.image_size = tuple(metadata["classes"]), int(metadata["image_size"])

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> "DetectorPredictor":
        """Load `folder`/model.onnx; what it needs to know is inside the file.

        Raises:
            UserError: the file is missing or damaged, or says nothing of classes and size.
        """
        path = folder / FILES["onnx"]
        opened = open_model(path, "onnx", threads)
        if not opened.text:
            raise UserError(f"{path}: not an export of assay, it says nothing of its classes")
        return cls(opened, json.loads(opened.text))

    def raw(self, squares: np.ndarray) -> np.ndarray:
        """(N, S, S, 3) uint8 RGB, fitted -> (N, 4 + C, A)."""
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
        stream = iter(images)
        while some := list(islice(stream, batch)):
            fitted = [letterbox(image, self.image_size) for image in some]
            answers = self.raw(np.stack([square for square, _ in fitted]))
            for one, (_, fit) in zip(answers, fitted, strict=True):
                yield boxes_of(one, fit, confidence=confidence, nms_iou=nms_iou, max_boxes=max_boxes)


def check_detector_parity(
    detector: Detector,
    folder: Path,
    *,
    images: Iterable[np.ndarray],
    max_score_difference: float,
    max_box_difference: float,
) -> dict[str, Any]:
    """Compare the export in `folder` with the model on `images` and on odd sizes; write parity.json there.

    Every anchor's box (px of the input) and scores are compared, before any threshold; boxes only of anchors whose
    best score reaches .01 in the model, for others' boxes mean nothing.

    Raises:
        ParityError: the export strays by more than the budget; the report is written all the same.
    """
    exported = DetectorPredictor.load(folder)
    odd = {name: _rgb(image) for name, image in odd_images().items()}
    worst = {"score": (0.0, ""), "box": (0.0, "")}
    count = 0
    for name, image in [*odd.items(), *((f"image {k}", image) for k, image in enumerate(images))]:
        square, _ = letterbox(image, detector.image_size)
        inputs = torch.from_numpy(square.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        with torch.inference_mode():
            model = detector.module(inputs)[0][0].numpy()
        export = exported.raw(square[None])[0]
        found = {"score": _strays(model[4:], export[4:]), "box": 0.0}
        sure = model[4:].max(axis=0) >= _MEANS_SOMETHING
        if sure.any():
            found["box"] = _strays(model[:4, sure], export[:4, sure])
        worst = {key: max(worst[key], (found[key], name)) for key in worst}
        count += 1
    budget = {"max_score_difference": max_score_difference, "max_box_difference": max_box_difference}
    report = {
        "images": count - len(odd),
        "odd_images": list(odd),
        "budget": budget,
        "runtimes": {
            "onnx": {
                "max_score_difference": worst["score"][0],
                "worst_score": worst["score"][1],
                "max_box_difference": worst["box"][0],
                "worst_box": worst["box"][1],
                "within_budget": worst["score"][0] <= max_score_difference
                and worst["box"][0] <= max_box_difference,
            }
        },
    }
    write_json(folder / "parity.json", report)
    if not report["runtimes"]["onnx"]["within_budget"]:  # type: ignore[index]
        raise ParityError(
            f"onnx strays from the model: scores by {worst['score'][0]:.2g} ({worst['score'][1]}; allowed "
            f"{max_score_difference:g}), boxes by {worst['box'][0]:.2g} px ({worst['box'][1]}; allowed "
            f"{max_box_difference:g})",
            report,
        )
    return report


_MEANS_SOMETHING = 0.01


def _strays(model: np.ndarray, export: np.ndarray) -> float:
    """The largest difference; an export that answers NaN is as wrong as can be."""
    return float(np.nan_to_num(np.abs(model - export), nan=np.inf, posinf=np.inf).max())


def _rgb(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
