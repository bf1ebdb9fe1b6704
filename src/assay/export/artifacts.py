"""The files of every runtime that an export stage was asked for, beside the ONNX file they all come with."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from assay.export.int8 import export_int8
from assay.export.openvino import export_openvino
from assay.export.predictor import Image
from assay.export.runtimes import FILES, Runtime
from assay.export.tensorrt import export_tensorrt
from assay.export.torchscript import export_torchscript


def export_others(
    folder: Path,
    runtimes: Sequence[Runtime],
    *,
    onnx: Path | None = None,
    deployed: nn.Module,
    example: tuple[Tensor, ...],
    metadata: Mapping[str, Any],
    calibration: Sequence[Image] = (),
    fitted: Callable[[Image], NDArray[Any]] | None = None,
    exact_head: bool = False,
) -> None:
    """Write what `runtimes` need besides `folder`/model.onnx, which must be there, with the metadata inside each.

    Args:
        folder: of the export.
        runtimes: those asked for.
        onnx: the file that others are converted from; None: `folder`/model.onnx.
        deployed: the network with its preprocessing, as it went into the ONNX file.
        example: its inputs, the first dimension is free.
        metadata: see `assay.export.metadata`.
        calibration: training images, for openvino_int8.
        fitted, exact_head: see `assay.export.int8.export_int8`.

    Raises:
        UserError: the library of a runtime is not installed, or for tensorrt there is no GPU.
    """
    onnx, asked = onnx or folder / FILES["onnx"], {*runtimes}
    if asked & {"openvino_fp32", "openvino_bf16"}:
        export_openvino(onnx, folder / "openvino", metadata=metadata)
    if "openvino_int8" in asked:
        export_int8(
            onnx,
            folder / "openvino_int8",
            images=calibration,
            metadata=metadata,
            fitted=fitted,
            exact_head=exact_head,
        )
    if "torchscript" in asked:
        export_torchscript(deployed, folder / FILES["torchscript"], example=example, metadata=metadata)
    if "tensorrt" in asked:
        export_tensorrt(onnx, folder / FILES["tensorrt"], metadata=metadata)
