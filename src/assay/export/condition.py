"""Export of a condition classifier: one ONNX file, its use without torch, and the proof that it answers alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.data.images import fit
from assay.errors import UserError
from assay.export.metadata import KEY, to_text
from assay.export.onnx import OPSET, _quiet
from assay.export.parity import ParityError, odd_images
from assay.export.predictor import Image, pixels_of
from assay.files import atomic_write, read_json, write_json
from assay.models.backbones import SIDE
from assay.models.condition import ConditionClassifier, to_pixels

FILE = "model.onnx"
_FROM_MODEL = (
    *("backbone", "architecture", "classes", "object_types", "spatial_features", "image_size"),
    *("head", "weights", "experiment", "seed"),
)
_PACKAGES = ("torch", "timm", "transformers", "onnx", "onnxruntime")


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
        "versions": {name: version(name) for name in _PACKAGES},
    }


def export_condition(module: ConditionClassifier, path: Path, *, metadata: Mapping[str, Any]) -> None:
    """Write `module` to `path` for any batch size.

    Inputs are pixels, types and spatial; an input that the head does not read is not in the file.
    """
    import onnx

    spatial = len(metadata["spatial_features"])
    example = (torch.zeros(2, 3, SIDE, SIDE), torch.zeros(2, dtype=torch.long), torch.zeros(2, spatial))
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.onnx.export(
            _Deployed(module).cpu().eval(),
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


@dataclass(frozen=True)
class ConditionPredictor:
    """A loaded export; runs without torch. metadata: see `describe`."""

    metadata: Mapping[str, Any]
    session: Any

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> "ConditionPredictor":
        """Load the export in `folder`; threads: CPU threads of one prediction, None = all cores.

        Raises UserError when a file is missing or damaged, or when the two are of different exports.
        """
        import onnxruntime

        path = folder / FILE
        for needed in (path, folder / "metadata.json"):
            if not needed.is_file():
                raise UserError(f"{needed}: not found; run the export stage to write it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        try:
            metadata = read_json(folder / "metadata.json")
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's exceptions share no base class
            raise UserError(
                f"{folder}: cannot be loaded ({str(error)[:200]}); run the export stage again"
            ) from error
        if session.get_modelmeta().custom_metadata_map.get(KEY, "") != to_text(metadata):
            raise UserError(
                f"{path}: not the export that metadata.json describes; run the export stage again"
            )
        return cls(metadata, session)

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probability columns."""
        return list(self.metadata["classes"])

    def predict(
        self, crops: Sequence[Image], object_types: Sequence[str], spatial: NDArray[Any], *, batch: int = 32
    ) -> NDArray[np.float32]:
        """Class probabilities (N, C).

        crops: boxes cut out of photos, of any size, as paths or uint8 arrays. object_types: a name each.
        spatial: (N, numbers) in the order of metadata["spatial_features"].
        Raises UserError for an unreadable file, an unknown type, or numbers that are missing.
        """
        types = self._types(object_types)
        wanted = len(self.metadata["spatial_features"])
        numbers = (
            np.asarray(spatial, np.float32).reshape(len(crops), -1) if wanted else np.zeros((len(crops), 0))
        )
        if numbers.shape[1] != wanted or not np.isfinite(numbers).all() or len(types) != len(crops):
            raise UserError(
                f"spatial {numbers.shape} and {len(types)} types for {len(crops)} crops: expected finite "
                f"{', '.join(self.metadata['spatial_features']) or 'nothing'} for each"
            )
        asked = {part.name for part in self.session.get_inputs()}
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(crops), batch):
            end = start + batch
            pixels = np.stack([fit(pixels_of(crop), SIDE) for crop in crops[start:end]])
            fed = {
                "pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32),
                "types": types[start:end],
                "spatial": numbers[start:end].astype(np.float32),
            }
            parts += self.session.run(["probabilities"], {key: fed[key] for key in asked})
        return np.concatenate(parts)

    def _types(self, names: Sequence[str]) -> NDArray[np.int64]:
        known = {name: index for index, name in enumerate(self.metadata["object_types"])}
        if unknown := sorted(set(names) - set(known)):
            raise UserError(f"object type {unknown[0]!r}: expected one of {', '.join(known)}")
        return np.array([known[name] for name in names], np.int64)


def check_condition_parity(
    module: ConditionClassifier,
    info: Mapping[str, Any],
    folder: Path,
    *,
    crops: Sequence[Path],
    types: NDArray[np.int64],
    spatial: NDArray[np.float32],
    labels: NDArray[np.int64],
    max_probability_difference: float,
    max_accuracy_drop: float,
) -> dict[str, Any]:
    """Compare `module` with the export in `folder`, crops of odd sizes included, and write parity.json there.

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
    answers = ConditionPredictor.load(folder).predict(
        everything, [info["object_types"][kind] for kind in kinds], numbers
    )
    difference = np.abs(answers - expected).max(axis=1)
    difference[np.isnan(difference)] = np.inf
    accuracy, exported = (
        float((p[: len(labels)].argmax(axis=1) == labels).mean()) for p in (expected, answers)
    )
    found = {
        "max_probability_difference": float(difference.max()),
        "worst_image": names[int(difference.argmax())],
        "accuracy": exported,
        "accuracy_drop": accuracy - exported,
        "changed_decisions": int((answers.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "within_budget": bool(
            difference.max() <= max_probability_difference and accuracy - exported <= max_accuracy_drop
        ),
    }
    budget = {
        "max_probability_difference": max_probability_difference,
        "max_accuracy_drop": max_accuracy_drop,
    }
    report = {
        "images": len(crops),
        "odd_images": list(odd),
        "accuracy": accuracy,
        "budget": budget,
        "runtimes": {"onnx": found},
    }
    write_json(folder / "parity.json", report)
    if not found["within_budget"]:
        raise ParityError(
            f"onnx: probabilities differ by up to {difference.max():.2g} ({found['worst_image']}), accuracy drops by "
            f"{found['accuracy_drop']:.4f}; allowed are {max_probability_difference:.2g} and {max_accuracy_drop:.4f}",
            report,
        )
    return report


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
