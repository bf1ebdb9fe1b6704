"""OpenVINO in 8-bit integers: post-training quantisation, calibrated on training images.

Method: Jacob et al. 2018 (arXiv 1712.05877) as NNCF implements it: ranges of activations are read off a few hundred
images, weights are rounded by channel, biases are corrected. No training, no label is looked at.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.data.images import fit
from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.export.onnx import quiet
from assay.export.openvino import save
from assay.export.predictor import Image, pixels_of
from assay.export.runtimes import package

if TYPE_CHECKING:
    import pandas as pd


def calibration_set(manifest: "pd.DataFrame", *, images: int, seed: int) -> "pd.DataFrame":
    """The images whose activations set the ranges: a seeded choice among the *training* images.

    manifest: of a prepared data folder. Training images that are also validation or test images, pixel for pixel, are
    left out: an export may not see what it is judged on. Returns `images` of the manifest's rows, or all where there
    are fewer, in its order. Raises UserError when none is left.
    """
    judged = set(manifest.loc[manifest["split"].isin(("val", "test")), "pixels"])
    usable = manifest[(manifest["split"] == "train") & ~manifest["pixels"].isin(judged)]
    if usable.empty:
        raise UserError(
            "export runtime openvino_int8: no training image is left to calibrate on (validation and test images are "
            "never used); add images to train/, or leave the runtime out of export.runtimes"
        )
    chosen = np.random.default_rng(seed).permutation(len(usable))[:images]
    return usable.iloc[np.sort(chosen)]


def describe_calibration(chosen: "pd.DataFrame", *, seed: int) -> dict[str, Any]:
    """What metadata.json says of a calibration set: how many, the seed, and a SHA-256 of all names and pixels."""
    lines = "".join(f"{row.image} {row.pixels}\n" for row in chosen.itertuples())
    return {
        "images": len(chosen),
        "split": "train",
        "seed": seed,
        "content": hashlib.sha256(lines.encode()).hexdigest(),
    }


def export_int8(
    onnx_path: Path,
    folder: Path,
    *,
    images: Sequence[Image],
    metadata: Mapping[str, Any],
    fitted: Callable[[Image], NDArray[Any]] | None = None,
    exact_head: bool = False,
) -> None:
    """Quantise the ONNX file; write model.xml and model.bin into `folder` (replaced), metadata in rt_info.

    images: the calibration set. fitted: an image -> uint8 (S, S, 3) as the network sees it; None: as classifiers do.
    exact_head: leave a detector's head in fp32, see `head_of`. The batch is one for good: int8 with dynamic shapes
    crashes on processors with AMX (openvino issue 37577).

    Raises UserError without images, or when the files cannot be written.
    """
    if not images:
        raise UserError("export runtime openvino_int8: the calibration set is empty; give training images")
    openvino = package("openvino", "openvino_int8")
    with quiet():  # it warns that there is no CUDA to compile for
        nncf = package("nncf", "openvino_int8")
    size = metadata["image_size"]
    model = openvino.Core().read_model(onnx_path)
    model.reshape([1, 3, size, size])
    seen = fitted or (lambda image: fit(pixels_of(image), size))
    dataset = nncf.Dataset(
        images, lambda image: {"pixels": seen(image).transpose(2, 0, 1)[None].astype(np.float32)}
    )
    kinds = [operation.get_type_name() for operation in model.get_ops()]
    attention = (
        "ScaledDotProductAttention" in kinds or kinds.count("Softmax") > 1
    )  # the first is the output's
    with quiet(), redirect_stdout(StringIO()):  # progress bars
        quantised = nncf.quantize(
            model,
            dataset,
            subset_size=len(images),
            # symmetric weights, asymmetric activations: what swish-like activations want
            preset=nncf.QuantizationPreset.MIXED,
            model_type=nncf.ModelType.TRANSFORMER if attention and not exact_head else None,
            ignored_scope=head_of(model) if exact_head else None,
        )
    quantised.set_rt_info(to_text(metadata), [KEY])
    save(quantised, folder)


def head_of(model: Any) -> Any:
    """The last layer of a detector as nncf's ignored scope: quantised too, it lost most of a small detector's objects."""
    import nncf

    names = {_layer_of(str(node.get_friendly_name())) for node in model.get_ordered_ops()} - {""}
    head = max(names, key=lambda name: int(name.removeprefix("model.")))
    return nncf.IgnoredScope(patterns=[f".*/{head}/.*"], validate=False)


def _layer_of(node: str) -> str:
    """`model.23` of `/model.23/cv2.0/conv/Conv`, "" of a node that is not of the network's layers."""
    return next((part for part in node.split("/") if part.startswith("model.") and part[6:].isdigit()), "")
