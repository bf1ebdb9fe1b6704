"""OpenVINO export, converted from the ONNX file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.export.runtimes import package
from assay.files import fresh_folder


def export_openvino(onnx_path: Path, folder: Path, *, metadata: Mapping[str, Any]) -> None:
    """Write model.xml and model.bin into `folder` (replaced), weights in fp32, metadata in rt_info.

    Raises UserError when they cannot be written, or OpenVINO is not installed.
    """
    openvino = package("openvino", "openvino_fp32")
    # read_model, not convert_model: the same graph, but the converter reports its use to its maker
    model = openvino.Core().read_model(onnx_path)
    model.set_rt_info(to_text(metadata), [KEY])
    save(model, folder)


def save(model: Any, folder: Path) -> None:
    """Write an OpenVINO model as model.xml and model.bin into `folder` (replaced), nothing rounded on the way.

    Raises UserError when they cannot be written.
    """
    import openvino

    with fresh_folder(folder) as temporary:
        try:
            openvino.save_model(model, temporary / "model.xml", compress_to_fp16=False)
        except RuntimeError as error:  # the writer knows no more than that it failed
            raise UserError(f"{folder}: OpenVINO cannot write there ({error}); is the disk full?") from error
