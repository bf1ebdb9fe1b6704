"""From drawn pages to what is said of them: raw and grouped boxes, decoded codes, a summary; as JSON values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Protocol

import numpy as np

from assay.data.images import Pixels
from assay.data.marks import kind_of
from assay.data.pages import BadPage
from assay.documents.codes import Code, holds, read_codes, read_codes_in
from assay.documents.sheets import Sheet
from assay.documents.summary import summarise_page
from assay.errors import UserError
from assay.evaluation.grouping import GroupingRule, Groups, group_boxes

Codes = Literal["page", "boxes", "off"]


class Predictor(Protocol):
    """What finds boxes: `assay.export.detection.DetectorPredictor`, or whatever behaves like it."""

    classes: tuple[str, ...]
    metadata: Any

    def predict(
        self, images: Any, *, confidence: float, nms_iou: float, max_boxes: int, batch: int = 8
    ) -> Any:
        """Detections of each picture."""


@dataclass(frozen=True)
class Asked:
    """How pages are read; the defaults are document 003's production settings (lines 326-368).

    confidence: boxes below it are not shown, 0-1. nms_iou: of non-maximum suppression. rule: of grouping. codes: decode
    QR codes on the whole "page", in QR "boxes" only, or "off". max_boxes: the surest of a page.
    """

    confidence: float = 0.15
    nms_iou: float = 0.45
    rule: GroupingRule = field(default_factory=GroupingRule)
    codes: Codes = "page"
    max_boxes: int = 300


@dataclass(frozen=True)
class Model:
    """An opened export and its name: `about` holds experiment, architecture, image_size, classes, source and sha256."""

    predictor: Predictor
    about: dict[str, Any]

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> "Model":
        """Open the export in `folder`. Raises UserError as its loader, or if it is no detector's."""
        from assay.export.detection import DetectorPredictor
        from assay.files import sha256_file

        predictor = DetectorPredictor.load(folder, threads=threads, rectangles=True)
        known = predictor.metadata
        if known.get("task") != "detection":
            raise UserError(
                f"{folder}: not a detector's export; name one, e.g. --model build/documents/export"
            )
        about = {key: known.get(key) for key in ("experiment", "architecture", "image_size", "classes")}
        began = known.get("weights") or {}
        # a word; which file is the host's business
        about["weights"] = began.get("root") or began.get("origin")
        source = (known.get("source") or {}).get("source")
        return cls(predictor, about | {"source": source, "sha256": sha256_file(folder / "model.onnx")})


def read_page(model: Model, sheet: Sheet, asked: Asked) -> dict[str, Any]:
    """What is on one page.

    Returns page (number), width, height (px of the drawn page; boxes are in these), origin, corners (of a photo's page,
    else absent), raw (label, confidence, box), grouped (label, confidence, box, merged_count, members: indices of raw,
    and text for a decoded QR code), codes (text, box, found_by_detector), summary, and milliseconds by step. Raw boxes
    that grouping dropped are members of no group.
    """
    picture = sheet.picture
    height, width = picture.shape[:2]
    clock = [perf_counter()]
    found = next(
        iter(
            model.predictor.predict(
                [picture],
                confidence=asked.confidence,
                nms_iou=asked.nms_iou,
                max_boxes=asked.max_boxes,
                batch=1,
            )
        )
    )
    clock.append(perf_counter())
    groups = group_boxes(found.xyxy, found.class_id, found.confidence, asked.rule.on_page(width, height))
    clock.append(perf_counter())
    classes = model.predictor.classes
    codes = _codes(picture, groups, classes, asked.codes)
    clock.append(perf_counter())
    raw = [
        {"label": classes[label], "confidence": _short(score), "box": _pixels(box)}
        for label, score, box in zip(found.class_id, found.confidence, found.xyxy, strict=True)
    ]
    grouped = _grouped(groups, classes, codes)
    decoded = [
        {
            "text": code.text,
            "box": _pixels(code.xyxy),
            "found_by_detector": any(holds(mark["box"], code) for mark in grouped if _is_code(mark["label"])),
        }
        for code in codes
    ]
    took = 1000 * np.diff(clock)
    return {
        "page": sheet.number,
        "width": width,
        "height": height,
        "origin": sheet.origin,
        **({"corners": [list(corner) for corner in sheet.corners]} if sheet.corners else {}),
        "raw": raw,
        "grouped": grouped,
        "codes": decoded,
        "summary": summarise_page(grouped, decoded),
        "milliseconds": dict(zip(("detect", "group", "decode"), map(_short, took), strict=True)),
    }


def read_pages(
    model: Model, pages: Iterator[Sheet | BadPage], asked: Asked
) -> Iterator[tuple[dict[str, Any], Sheet | None]]:
    """Yield what `read_page` says and the page itself; {page, error} and None for one that can't be drawn."""
    for page in pages:
        if isinstance(page, BadPage):
            yield {"page": page.number, "error": page.reason}, None
        else:
            yield read_page(model, page, asked), page


def _codes(picture: Pixels, groups: Groups, classes: Sequence[str], how: Codes) -> list[Code]:
    if how == "off":
        return []
    is_code = np.array([_is_code(classes[label]) for label in groups.class_id], bool)
    return read_codes_in(picture, groups.xyxy[is_code], read_codes(picture) if how == "page" else ())


def _grouped(groups: Groups, classes: Sequence[str], codes: Sequence[Code]) -> list[dict[str, Any]]:
    marks: list[dict[str, Any]] = []
    for number, (box, label, score, merged) in enumerate(
        zip(groups.xyxy, groups.class_id, groups.confidence, groups.merged_count, strict=True)
    ):
        mark = {
            "label": classes[label],
            "confidence": _short(score),
            "box": _pixels(box),
            "merged_count": int(merged),
            "members": np.flatnonzero(groups.member_of == number).tolist(),
        }
        if _is_code(classes[label]):
            inside = [code.text for code in codes if holds(mark["box"], code)]
            mark["text"] = inside[0] if inside else None
        marks.append(mark)
    return marks


def _is_code(label: str) -> bool:
    return kind_of(label) == "qr"


def _short(value: float) -> float:
    return round(float(value), 4)


def _pixels(box: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(side), 1) for side in box]
