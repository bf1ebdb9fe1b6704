"""What an export says about itself, beside the files and inside them."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

KEY = "assay"  # of the JSON text in ONNX metadata_props and in OpenVINO rt_info
_FROM_MODEL = ("architecture", "classes", "image_size", "input_mode", "weights", "experiment", "seed")
_PACKAGES = ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf")


def describe(
    info: Mapping[str, Any], *, source: Mapping[str, Any], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Metadata of an export.

    info: model.json of the trained classifier. source: SOURCE.yaml of its data. thresholds: probability
    thresholds of the routing rule, empty where the most probable class decides. Raises KeyError when `info`
    lacks what a predictor needs.
    """
    for key in ("architecture", "classes", "image_size", "input_mode"):
        info[key]
    return {
        **{key: info[key] for key in _FROM_MODEL if key in info},
        "input": "float32 NCHW, RGB, 0-255, padded to a square with black and resized",
        "output": "probabilities, one column per class",
        "source": {key: source.get(key) for key in ("project", "source", "content")},
        "thresholds": dict(thresholds),
        "versions": versions(_PACKAGES),
    }


def describe_detector(
    info: Mapping[str, Any],
    *,
    source: Mapping[str, Any],
    thresholds: Mapping[str, float],
    nms_iou: float,
    grouping: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Metadata of a detector's export.

    info: model.json of the trained detector. source: SOURCE.yaml of its data. thresholds: the confidence from which a
    box is shown, by class. nms_iou: of non-maximum suppression. grouping: the fields of a `GroupingRule`; None: boxes
    stay as they are. Raises KeyError when `info` lacks what a predictor needs.
    """
    needed = ("architecture", "classes", "image_size")
    return {
        "task": "detection",
        **{key: info[key] for key in (*needed, "weights", "experiment", "seed")},
        "input": "float32 NCHW, RGB, 0-255, scaled to fit and padded with grey 114 on both sides",
        "output": "per anchor: centre x, centre y, width, height in px of the input, then one score 0-1 per class",
        "nms_iou": nms_iou,
        "free_sides": True,  # of the ONNX file: any multiples of 32
        "grouping": None if grouping is None else dict(grouping),
        "source": {key: source.get(key) for key in ("project", "source", "content")},
        "thresholds": dict(thresholds),
        "versions": versions((*_PACKAGES, "ultralytics")),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed: a runtime nobody asked for may be missing."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def to_text(metadata: Mapping[str, Any]) -> str:
    """The JSON text that goes inside a model file."""
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False)
