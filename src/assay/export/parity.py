"""Does an export answer as the model it came from? Checked through the whole path, odd sizes included."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from assay.data.images import fit
from assay.export.predictor import Image, Predictor, Runtime, pixels_of
from assay.files import write_json
from assay.models.classifier import predict


class ParityError(Exception):
    """An export strays from its model by more than the budget; `report` is what `check_parity` returns."""

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


def odd_images() -> dict[str, NDArray[np.uint8]]:
    """Images no data set of squares holds: sizes where a resize, a pad or a channel goes wrong unnoticed."""
    random = np.random.default_rng(0)
    shapes = {
        "312x517": (312, 517, 3),
        "1x1": (1, 1, 3),
        "grey": (200, 140),
        "A4 portrait at 300 dpi": (3508, 2480, 3),
    }
    return {name: _textured(shape, random) for name, shape in shapes.items()}


def check_parity(
    module: nn.Module,
    info: Mapping[str, Any],
    folder: Path,
    *,
    runtimes: Sequence[Runtime],
    images: Sequence[Image],
    labels: Sequence[int],
    max_probability_difference: float,
    max_accuracy_drop: float,
    threads: int | None = None,
) -> dict[str, Any]:
    """Compare `module` with each export in `folder` and write parity.json there.

    info: model.json of `module`, not the export's own word for how to feed it.
    images, labels: the validation images and their class indices; odd sizes are added.
    max_probability_difference: of any class of any image.
    max_accuracy_drop: share of the validation images.

    Returns {"images", "odd_images", "accuracy", "budget", "runtimes": {name: {"max_probability_difference",
    "worst_image", "accuracy", "accuracy_drop", "changed_decisions", "within_budget"}}}.
    Raises ParityError when an export is over budget, after writing.
    """
    odd = odd_images()
    everything: list[Image] = [*images, *odd.values()]
    names = [_name(image, index) for index, image in enumerate(images)] + list(odd)
    truth = np.asarray(labels)
    expected = _expected(module, info, everything)
    accuracy = _accuracy(expected, truth)
    report: dict[str, Any] = {
        "images": len(images),
        "odd_images": list(odd),
        "accuracy": accuracy,
        "budget": {
            "max_probability_difference": max_probability_difference,
            "max_accuracy_drop": max_accuracy_drop,
        },
        "runtimes": {},
    }
    for runtime in runtimes:
        answers = Predictor.load(folder, runtime, threads=threads).predict(everything)
        difference = np.abs(answers - expected).max(axis=1)
        difference[np.isnan(difference)] = np.inf  # an export that answers NaN is as wrong as can be
        drop = accuracy - _accuracy(answers, truth)
        report["runtimes"][runtime] = {
            "max_probability_difference": float(difference.max()),
            "worst_image": names[int(difference.argmax())],
            "accuracy": _accuracy(answers, truth),
            "accuracy_drop": drop,
            "changed_decisions": int((answers.argmax(axis=1) != expected.argmax(axis=1)).sum()),
            "within_budget": bool(
                difference.max() <= max_probability_difference and drop <= max_accuracy_drop
            ),
        }
    write_json(folder / "parity.json", report)
    _raise_over_budget(report)
    return report


def _name(image: Image, index: int) -> str:
    return Path(image).name if isinstance(image, Path | str) else f"image {index}"


def _expected(module: nn.Module, info: Mapping[str, Any], images: Sequence[Image]) -> NDArray[np.float32]:
    size, batch = info["image_size"], 64
    parts = []
    for start in range(0, len(images), batch):  # a data set of pages decoded at once would not fit in memory
        pixels = np.stack([fit(pixels_of(image), size) for image in images[start : start + batch]])
        parts.append(predict(module, pixels, input_mode=info["input_mode"]))
    return np.concatenate(parts)


def _accuracy(answers: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float((answers[: len(truth)].argmax(axis=1) == truth).mean())


def _raise_over_budget(report: Mapping[str, Any]) -> None:
    over = [
        f"{name}: probabilities differ by up to {found['max_probability_difference']:.2g} "
        f"({found['worst_image']}), accuracy drops by {found['accuracy_drop']:.4f}"
        for name, found in report["runtimes"].items()
        if not found["within_budget"]
    ]
    if over:
        budget = report["budget"]
        raise ParityError(
            f"{'; '.join(over)}; allowed are {budget['max_probability_difference']:.2g} "
            f"and {budget['max_accuracy_drop']:.4f}",
            report,
        )


def _textured(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.uint8]:
    """Smooth colours with noise: noise alone would be grey after a resize."""
    rows, columns = np.ogrid[0 : np.pi : shape[0] * 1j, 0 : 2 * np.pi : shape[1] * 1j]
    wave = 127 + 90 * np.sin(rows) * np.cos(columns)
    wave = wave if len(shape) == 2 else np.stack([wave, 255 - wave, wave / 2], axis=2)
    return np.clip(wave + random.normal(0, 20, shape), 0, 255).astype(np.uint8)
