"""Export of a condition classifier, and the proof that every file answers as the model does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.data.images import fit
from assay.export.artifacts import export_others
from assay.export.condition_predictor import ConditionPredictor
from assay.export.metadata import KEY, to_text, versions
from assay.export.onnx import OPSET, quiet
from assay.export.parity import judge, odd_images, settle
from assay.export.predictor import Image, pixels_of
from assay.export.runtimes import EXACT, Runtime
from assay.files import atomic_write
from assay.models.backbones import SIDE
from assay.models.condition import ConditionClassifier, to_pixels

_FROM_MODEL = (
    *("backbone", "architecture", "classes", "object_types", "spatial_features", "image_size"),
    *("head", "weights", "experiment", "seed"),
)
_PACKAGES = ("torch", "timm", "transformers", "onnx", "onnxruntime", "openvino")


class _Deployed(nn.Module):
    """Pixels 0-255, types and spatial numbers -> probabilities: normalisation and softmax inside."""

    def __init__(self, module: ConditionClassifier) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor, types: Tensor, spatial: Tensor) -> Tensor:
        """Probabilities for a batch."""
        return self.module(pixels, types, spatial).softmax(dim=1)


def describe(info: Mapping[str, Any], *, source: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of an export, from model.json and the SOURCE.yaml of its data."""
    return {
        "task": "condition",
        **{key: info[key] for key in _FROM_MODEL if key in info},
        "input": "pixels float32 NCHW, RGB, 0-255: the box cut out, padded to a square with black and resized; "
        "types int64, an index into object_types; spatial float32, spatial_features in their order",
        "output": "probabilities, one column per class",
        "source": {key: source.get(key) for key in ("project", "source", "content")},
        "versions": versions(_PACKAGES),
    }


def export_condition(
    module: ConditionClassifier,
    path: Path,
    *,
    metadata: Mapping[str, Any],
    runtimes: Sequence[Runtime] = ("onnx",),
) -> None:
    """Write `module` to `path`, an ONNX file for any batch size, and what `runtimes` need beside it.

    Inputs are pixels, types and spatial; one that nothing in the graph reads is not in the file. Raises UserError as
    `assay.export.artifacts.export_others` does.
    """
    import onnx

    spatial = len(metadata["spatial_features"])
    example = (torch.zeros(2, 3, SIDE, SIDE), torch.zeros(2, dtype=torch.long), torch.zeros(2, spatial))
    batch = torch.export.Dim("batch")
    deployed = _Deployed(module).cpu().eval()
    with quiet():
        program = torch.onnx.export(
            deployed,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels", "types", "spatial"],
            output_names=["probabilities"],
            dynamic_shapes={"pixels": {0: batch}, "types": {0: batch}, "spatial": {0: batch}},
            verbose=False,
        )
    assert program is not None  # noqa: S101 - dynamo=True always returns a program
    model = program.model_proto
    read = {name for node in model.graph.node for name in node.input}
    for unread in [part for part in model.graph.input if part.name not in read]:
        model.graph.input.remove(unread)
    onnx.helper.set_model_props(model, {KEY: to_text(metadata)})
    with atomic_write(path) as temporary:
        onnx.save_model(model, temporary)
    export_others(path.parent, runtimes, deployed=deployed, example=example, metadata=metadata)


def check_condition_parity(
    module: ConditionClassifier,
    info: Mapping[str, Any],
    folder: Path,
    *,
    crops: Sequence[Path],
    types: NDArray[np.int64],
    spatial: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    max_probability_difference: float,
    max_accuracy_drop: float,
    max_rounded_accuracy_drop: float,
    runtimes: Sequence[Runtime] = ("onnx",),
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare `module` with each export in `folder`, crops of odd sizes included, and write parity.json there.

    Returns what `assay.export.parity.check_parity` does. Raises ParityError when the export is over budget, after
    writing.
    """
    odd = odd_images()
    everything: list[Image] = [*crops, *odd.values()]
    names = [path.name for path in crops] + list(odd)
    kinds = np.concatenate([types, np.arange(len(odd)) % len(info["object_types"])])
    numbers = np.concatenate([spatial, np.linspace(0, 1, len(odd) * spatial.shape[1]).reshape(len(odd), -1)])
    numbers = numbers.astype(np.float32)
    expected = _expected(module, everything, kinds, numbers)
    asked = everything, [info["object_types"][kind] for kind in kinds], numbers
    report = {
        "images": len(crops),
        "odd_images": list(odd),
        "accuracy": float((expected[: len(labels)].argmax(axis=1) == labels).mean()),
        "runtimes": {
            runtime: judge(
                expected,
                ConditionPredictor.load(folder, runtime).predict(*asked),
                names=names,
                labels=labels.tolist(),
                groups=groups,
                max_probability_difference=max_probability_difference if runtime in EXACT else None,
                max_accuracy_drop=max_accuracy_drop if runtime in EXACT else max_rounded_accuracy_drop,
                draws=draws,
                seed=seed,
            )
            for runtime in runtimes
        },
    }
    return settle(report, folder)


def _expected(
    module: ConditionClassifier,
    crops: Sequence[Image],
    types: NDArray[np.int64],
    spatial: NDArray[np.float32],
) -> NDArray[np.float32]:
    module.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(crops), 32):
            end = start + 32
            pixels = to_pixels(np.stack([fit(pixels_of(crop), SIDE) for crop in crops[start:end]]))
            logits = module(pixels, torch.from_numpy(types[start:end]), torch.from_numpy(spatial[start:end]))
            parts.append(logits.softmax(dim=1).numpy())
    return np.concatenate(parts)
