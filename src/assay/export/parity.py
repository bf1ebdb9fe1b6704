"""Does an export answer as the model it came from? Checked through the whole path, odd sizes included."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from assay.data.images import fit
from assay.evaluation.intervals import bootstrap
from assay.evaluation.metrics import weighted_share
from assay.export.predictor import Image, Predictor, pixels_of
from assay.export.runtimes import EXACT, Runtime
from assay.files import write_json
from assay.models.classifier import predict, to_input
from assay.models.denormals import denormal_activation_share, denormal_weights

_LOOKED_AT = 8  # images whose activations are searched for denormal numbers


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
    groups: Sequence[str],
    max_probability_difference: float,
    max_accuracy_drop: float,
    max_rounded_accuracy_drop: float,
    draws: int = 1000,
    seed: int = 0,
    threads: int | None = None,
) -> dict[str, Any]:
    """Compare `module` with each export in `folder` and write parity.json there.

    info: model.json of `module`, not the export's own word for how to feed it.
    images, labels, groups: the validation images, their class indices and near-duplicate groups; odd sizes are added.
    max_probability_difference: of any class of any image, for runtimes that compute in fp32.
    max_accuracy_drop, max_rounded_accuracy_drop: share of the validation images, for those and for bf16 and int8.

    Returns {"images", "odd_images", "accuracy", "denormals": {"denormal_weights", "denormal_activation_share"},
    "runtimes": {name: see `judge`}}.
    Raises ParityError when an export is over budget, after writing.
    """
    odd = odd_images()
    everything: list[Image] = [*images, *odd.values()]
    names = [_name(image, index) for index, image in enumerate(images)] + list(odd)
    expected = _expected(module, info, everything)
    found = {
        runtime: judge(
            expected,
            Predictor.load(folder, runtime, threads=threads).predict(everything),
            names=names,
            labels=labels,
            groups=groups,
            max_probability_difference=max_probability_difference if runtime in EXACT else None,
            max_accuracy_drop=max_accuracy_drop if runtime in EXACT else max_rounded_accuracy_drop,
            draws=draws,
            seed=seed,
        )
        for runtime in runtimes
    }
    report = {
        "images": len(images),
        "odd_images": list(odd),
        "accuracy": _accuracy(expected, np.asarray(labels)),
        "denormals": _denormals(module, info, everything[:_LOOKED_AT]),
        "runtimes": found,
    }
    return settle(report, folder)


def judge(
    expected: NDArray[np.float32],
    answers: NDArray[np.float32],
    *,
    names: Sequence[str],
    labels: Sequence[int],
    groups: Sequence[str],
    max_probability_difference: float | None,
    max_accuracy_drop: float,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare an export's probabilities (N, C) with its model's, and both with the labels of the first rows.

    names: of the N images. labels, groups: class indices and near-duplicate groups of the first of them.
    max_probability_difference: None where only accuracy counts.

    Returns {"max_probability_difference", "worst_image", "accuracy", "accuracy_drop" (model's less export's) and
    its 95 % ends "accuracy_drop_low", "accuracy_drop_high" (paired bootstrap by group), "changed_decisions", "budget",
    "within_budget"}. The drop itself is held to the budget, not the end of its interval.
    """
    difference = np.abs(answers - expected).max(axis=1)
    difference[np.isnan(difference)] = np.inf  # an export that answers NaN is as wrong as can be
    truth = np.asarray(labels)
    ours, theirs = (found[: len(truth)].argmax(axis=1) == truth for found in (expected, answers))
    drop = bootstrap(
        lambda weights: {"drop": weighted_share(weights, ours) - weighted_share(weights, theirs)},
        np.asarray(groups),
        draws=draws,
        seed=seed,
    )["drop"]
    limit = np.finfo(np.float32).max if max_probability_difference is None else max_probability_difference
    return {
        "max_probability_difference": float(difference.max()),
        "worst_image": names[int(difference.argmax())],
        "accuracy": _accuracy(answers, truth),
        "accuracy_drop": drop.value,
        "accuracy_drop_low": drop.low,
        "accuracy_drop_high": drop.high,
        "changed_decisions": int((answers.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "budget": {
            "max_probability_difference": max_probability_difference,
            "max_accuracy_drop": max_accuracy_drop,
        },
        "within_budget": bool(difference.max() <= limit and drop.value <= max_accuracy_drop),
    }


def settle(report: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write parity.json into `folder` and return it. Raises ParityError, after writing, for what is over budget."""
    write_json(folder / "parity.json", report)
    over = [
        _complaint(name, found) for name, found in report["runtimes"].items() if not found["within_budget"]
    ]
    if over:
        raise ParityError("; ".join(over), report)
    return report


def _complaint(name: str, found: Mapping[str, Any]) -> str:
    drop, budget = f"accuracy drops by {found['accuracy_drop']:.4f}", found["budget"]
    if budget["max_probability_difference"] is None and np.isfinite(found["max_probability_difference"]):
        return (
            f"{name}: {drop} (95 % {found['accuracy_drop_low']:.4f} to {found['accuracy_drop_high']:.4f}); allowed is "
            f"{budget['max_accuracy_drop']:.4f}"
        )
    allowed = budget["max_probability_difference"]
    return (
        f"{name}: probabilities differ by up to {found['max_probability_difference']:.2g} ({found['worst_image']}), "
        f"{drop}; allowed are {'finite numbers' if allowed is None else format(allowed, '.2g')} and "
        f"{budget['max_accuracy_drop']:.4f}"
    )


def _name(image: Image, index: int) -> str:
    return Path(image).name if isinstance(image, Path | str) else f"image {index}"


def _expected(module: nn.Module, info: Mapping[str, Any], images: Sequence[Image]) -> NDArray[np.float32]:
    size, batch = info["image_size"], 64
    parts = []
    for start in range(0, len(images), batch):  # a data set of pages decoded at once would not fit in memory
        pixels = np.stack([fit(pixels_of(image), size) for image in images[start : start + batch]])
        parts.append(predict(module, pixels, input_mode=info["input_mode"]))
    return np.concatenate(parts)


def _denormals(module: nn.Module, info: Mapping[str, Any], images: Sequence[Image]) -> dict[str, float]:
    pixels = torch.from_numpy(np.stack([fit(pixels_of(image), info["image_size"]) for image in images]))
    return {
        "denormal_weights": denormal_weights(module),
        "denormal_activation_share": denormal_activation_share(module, to_input(pixels, info["input_mode"])),
    }


def _accuracy(answers: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    return float((answers[: len(truth)].argmax(axis=1) == truth).mean())


def _textured(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.uint8]:
    """Smooth colours with noise: noise alone would be grey after a resize."""
    rows, columns = np.ogrid[0 : np.pi : shape[0] * 1j, 0 : 2 * np.pi : shape[1] * 1j]
    wave = 127 + 90 * np.sin(rows) * np.cos(columns)
    wave = wave if len(shape) == 2 else np.stack([wave, 255 - wave, wave / 2], axis=2)
    return np.clip(wave + random.normal(0, 20, shape), 0, 255).astype(np.uint8)
