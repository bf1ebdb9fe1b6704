"""Does an exported detector answer as the model it came from? Anchor by anchor, odd sizes included, and by its mAP50."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay.export.detection import DetectorPredictor
from assay.export.parity import ParityError, odd_images
from assay.export.predictor import pixels_of
from assay.export.runtimes import EXACT, Runtime
from assay.files import write_json
from assay.models.detector import Detector
from assay.models.letterbox import letterbox

_MEANS_SOMETHING = 0.01
_INFINITE = float(np.finfo(np.float32).max)  # what `_strays` makes of NaN


def check_detector_parity(
    detector: Detector,
    folder: Path,
    *,
    runtimes: Sequence[Runtime] = ("onnx",),
    images: Iterable[np.ndarray],
    scored: Callable[[DetectorPredictor], Mapping[str, Any]],
    max_score_difference: float,
    max_box_difference: float,
    max_map50_drop: float,
    max_rounded_map50_drop: float,
) -> dict[str, Any]:
    """Compare each export in `folder` with the model on `images` and on odd sizes; write parity.json there.

    Every anchor's box (px of the input) and scores are compared, before any threshold; boxes only of anchors whose
    best score reaches .01 in the model, for others' boxes mean nothing. bf16, int8 and TensorRT round: they are held to
    their mAP50 alone, and to being finite.

    Args:
        detector: the model.
        folder: of the export.
        runtimes: those compared.
        images: uint8 (H, W, 3) RGB.
        scored: an export -> at least {"map50_drop"}, what it loses of the model's mAP50 on the held-out images.
        max_score_difference, max_box_difference: 0-1, and px of the input.
        max_map50_drop, max_rounded_map50_drop: 0-1.

    Returns:
        {"images", "odd_images", "runtimes": {name: {"max_score_difference", "worst_score", "max_box_difference",
        "worst_box", what `scored` says, "budget", "within_budget"}}}.

    Raises:
        ParityError: an export strays by more than the budget; the report is written all the same.
    """
    odd = odd_images()
    shown = [*odd.items(), *((f"image {k}", image) for k, image in enumerate(images))]
    asked = [(name, *_answered(detector, pixels_of(image))) for name, image in shown]
    found = {}
    for runtime in runtimes:
        exported = DetectorPredictor.load(folder, runtime)
        worst = {"score": (0.0, ""), "box": (0.0, "")}
        for name, square, model in asked:
            export, sure = exported.raw(square[None])[0], model[4:].max(axis=0) >= _MEANS_SOMETHING
            strays = {
                "score": _strays(model[4:], export[4:]),
                "box": _strays(model[:4, sure], export[:4, sure]),
            }
            worst = {key: max(worst[key], (strays[key], name)) for key in worst}
        exact = runtime in EXACT
        budget = {
            "max_score_difference": max_score_difference if exact else None,
            "max_box_difference": max_box_difference if exact else None,
            "max_map50_drop": max_map50_drop if exact else max_rounded_map50_drop,
        }
        one = {
            "max_score_difference": worst["score"][0],
            "worst_score": worst["score"][1],
            "max_box_difference": worst["box"][0],
            "worst_box": worst["box"][1],
            **scored(exported),
        }
        found[runtime] = one | {"budget": budget, "within_budget": _within(one, budget)}
    report = {"images": len(shown) - len(odd), "odd_images": list(odd), "runtimes": found}
    write_json(folder / "parity.json", report)
    if over := [_complaint(name, one) for name, one in found.items() if not one["within_budget"]]:
        raise ParityError("; ".join(over), report)
    return report


def _answered(detector: Detector, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture fitted, uint8 (S, S, 3), and the model's answer to it, (4 + C, A)."""
    square, _ = letterbox(image, detector.image_size)
    inputs = torch.from_numpy(square.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        return square, detector.module(inputs)[0][0].numpy()


def _strays(model: np.ndarray, export: np.ndarray) -> float:
    """The largest difference; an export that answers NaN is as wrong as can be."""
    return float(np.nan_to_num(np.abs(model - export), nan=_INFINITE, posinf=_INFINITE).max(initial=0.0))


def _within(found: Mapping[str, Any], budget: Mapping[str, float | None]) -> bool:
    """No limit still asks for a finite number; what is no number is within none."""
    measured = {**found, "max_map50_drop": found["map50_drop"]}
    return all(
        measured[key] < _INFINITE if limit is None else measured[key] <= limit
        for key, limit in budget.items()
    )


def _complaint(name: str, found: Mapping[str, Any]) -> str:
    def allowed(key: str, form: str = "g") -> str:
        limit = found["budget"][key]
        return "any finite number" if limit is None else format(limit, form)

    return (
        f"{name} strays from the model: scores by {found['max_score_difference']:.2g} ({found['worst_score']}; allowed "
        f"{allowed('max_score_difference')}), boxes by {found['max_box_difference']:.2g} px ({found['worst_box']}; "
        f"allowed {allowed('max_box_difference')}), mAP50 by {found['map50_drop']:.4f} (allowed "
        f"{allowed('max_map50_drop')})"
    )
