"""Run an export on images of any size, without torch."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.data.images import BadImage, fit, read_image
from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.files import read_json

Runtime = Literal["onnx", "openvino"]
Image = NDArray[np.uint8] | Path | str
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

FILES: Mapping[Runtime, str] = {"onnx": "model.onnx", "openvino": "openvino/model.xml"}


@dataclass(frozen=True)
class Predictor:
    """A loaded export. metadata: see `assay.export.metadata.describe`."""

    metadata: Mapping[str, Any]
    run: Run

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "onnx", *, threads: int | None = None) -> "Predictor":
        """Load the export in `folder` for one runtime.

        threads: CPU threads of one prediction; None = all cores.
        Raises UserError when a file is missing or damaged, when the model and metadata.json are of
        different exports,
        and for anything that is not an export folder: foreign checkpoints are often pickles, which run code.
        """
        if folder.is_file():
            raise UserError(
                f"{folder}: expected an export folder holding {FILES[runtime]}; other files are not loaded"
            )
        path = folder / FILES[runtime]
        for needed in (path, folder / "metadata.json"):
            if not needed.is_file():
                raise UserError(f"{needed}: not found; run the export stage to write it")
        start = _start_onnx if runtime == "onnx" else _start_openvino
        try:
            metadata = read_json(folder / "metadata.json")
            run, inside = start(path, threads or os.cpu_count() or 1)
        except Exception as error:  # each runtime has its own exceptions, all of them mean an unreadable file
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise UserError(
                f"{folder}: {path.name} or metadata.json cannot be loaded ({reason[:200]}); "
                "run the export stage again"
            ) from error
        if inside != to_text(metadata):
            raise UserError(
                f"{path}: not the export that metadata.json describes; run the export stage again"
            )
        return cls(metadata, run)

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probability columns."""
        return list(self.metadata["classes"])

    def predict(self, images: Sequence[Image], *, batch: int = 32) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images of any size, given as paths or arrays.

        Arrays are uint8, (H, W, 3) RGB or (H, W) grey. Raises UserError naming a file that can't be read,
        ValueError for an array of another kind.
        """
        size = self.metadata["image_size"]
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(images), batch):
            pixels = np.stack([fit(pixels_of(image), size) for image in images[start : start + batch]])
            parts.append(self.run(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)))
        return np.concatenate(parts)


def pixels_of(image: Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a path or an array. Raises as `Predictor.predict` does."""
    if isinstance(image, Path | str):
        try:
            return read_image(Path(image))
        except BadImage as error:
            raise UserError(f"{image}: {error}; give a readable image") from error
    if image.dtype != np.uint8 or not image.size or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ValueError(f"expected uint8 (H, W, 3) or (H, W), got {image.dtype} {image.shape}")
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def _start_onnx(path: Path, threads: int) -> tuple[Run, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # tiny weights of a regularised model make denormals, and those are up to 70 times slower on x86
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inside = session.get_modelmeta().custom_metadata_map.get(KEY, "")
    return lambda pixels: session.run(["probabilities"], {"pixels": pixels})[0], inside


def _start_openvino(path: Path, threads: int) -> tuple[Run, str]:
    import openvino

    # f32: where the CPU has bf16 OpenVINO would use it even for an fp32 file, and parity would not hold
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = openvino.Core()
    model = core.read_model(path)
    inside = model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else ""
    compiled = core.compile_model(model, "CPU", hints)
    return lambda pixels: compiled(pixels)["probabilities"], inside
