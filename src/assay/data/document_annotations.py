"""Boxes on document pages as document 003's annotators saved them.

    {"contract.pdf": {"page_3": {
        "page_size": {"width": 1684, "height": 2384},
        "annotations": [{"annotation_17": {"category": "stamp",
                                           "bbox": {"x": 96, "y": 12, "width": 40, "height": 41}}}]}}}

`x`, `y` are the upper left corner; all four are px of `page_size`, which need not be the size a page is drawn at.
Document 003 calls them "normalized xyxy" in one place; they are neither.
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.data.items import Box
from assay.data.yolo_labels import ASPECT, OVERSHOOT, XYXY, boxes_of
from assay.errors import UserError

_SHAPE = "{pdf: {page_1: {page_size: {width, height}, annotations: [{key: {category, bbox}}]}}}"


class BadAnnotation(Exception):  # noqa: N818 - it names a state of the page, like BadLabel
    """A page whose annotations can't be used; `reason` says which annotation and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class PageAnnotations:
    """What was annotated on one page, not checked yet."""

    pdf: str  # file name
    page: int  # from 1; 0 where the key is not page_<number>
    key: str  # page_3
    content: Any


def read_annotations(path: Path) -> list[PageAnnotations]:
    """List the annotated pages in the file's order.

    Raises:
        UserError: the file is missing, no JSON, or not of document 003's shape at its top.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; it holds the boxes of pdfs/*.pdf as {_SHAPE}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no JSON ({error}); expected {_SHAPE}") from error
    if not isinstance(content, dict) or not all(isinstance(pages, dict) for pages in content.values()):
        raise UserError(f"{path}: another layout; expected {_SHAPE}")
    return [
        PageAnnotations(pdf, _number(key), key, page)
        for pdf, pages in content.items()
        for key, page in pages.items()
    ]


def page_boxes(
    annotated: PageAnnotations,
    width: int,
    height: int,
    *,
    class_map: Mapping[str, str],
    ignore: Collection[str],
    notes: list[str] | None = None,
) -> tuple[Box, ...]:
    """The boxes of one page in px of the drawn page.

    A box that overshoots the page by at most 1 % of a side is clipped and one without area dropped; both are said
    in `notes`.

    Args:
        annotated: one page of `read_annotations`.
        width: of the drawn page, px.
        height: of the drawn page, px.
        class_map: category -> class.
        ignore: categories that are neither object nor background.
        notes: list to append to.

    Raises:
        BadAnnotation: anything else is wrong with any annotation of the page: a page with a box missing would teach
            that there is nothing.
    """
    mended = notes if notes is not None else []
    page = annotated.content
    if not isinstance(page, dict):
        raise BadAnnotation(f"{annotated.key}: no object with page_size and annotations")
    across, down = _page_size(page, annotated.key)
    if abs(across / down * height / width - 1) > ASPECT:
        raise BadAnnotation(
            f"{annotated.key}: page_size {across:g}x{down:g} has another shape than the page, {width}x{height} px"
        )
    found: list[tuple[str, XYXY]] = []
    for key, annotation in _annotations(page, annotated.key):
        if not isinstance(annotation, dict):
            raise BadAnnotation(f"{key}: no object with category and bbox")
        raw = annotation.get("category")
        if not isinstance(raw, str) or (raw not in class_map and raw not in ignore):
            known = ", ".join(sorted({*class_map, *ignore}))
            raise BadAnnotation(f"{key}: unknown category {raw!r}; known are {known}")
        x1, y1, x2, y2 = _edges(annotation.get("bbox"), key, across, down, mended)
        if x2 <= x1 or y2 <= y1:
            mended.append(f"{key}: dropped, a box without area ({raw})")
            continue
        box = (raw, (x1 * width / across, y1 * height / down, x2 * width / across, y2 * height / down))
        if box in found:
            mended.append(f"{key}: dropped, the same box again ({raw})")
        else:
            found.append(box)
    return boxes_of(found, class_map, mended)


def _number(key: str) -> int:
    found = re.fullmatch(r"page_(\d+)", key)
    return int(found[1]) if found else 0


def _page_size(page: Mapping[str, Any], key: str) -> tuple[float, float]:
    size = page.get("page_size")
    across, down = (
        (_real(size.get(side)) for side in ("width", "height")) if isinstance(size, dict) else (None, None)
    )
    if not across or not down or across < 0 or down < 0:
        raise BadAnnotation(f"{key}: page_size {size!r} is no width and height above 0")
    return across, down


def _annotations(page: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    listed = page.get("annotations")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadAnnotation(f"{key}: annotations is no list of objects")
    for one in listed:
        yield from one.items()


def _edges(
    bbox: Any, key: str, across: float, down: float, mended: list[str]
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom in px of the page's own size, clipped to it."""
    if not isinstance(bbox, dict):
        raise BadAnnotation(f"{key}: bbox {bbox!r} is no x, y, width, height")
    numbers: list[float] = []
    for name in ("x", "y", "width", "height"):
        value = _real(bbox.get(name))
        if value is None:
            raise BadAnnotation(f"{key}: {name} is {bbox.get(name)!r}, no finite number")
        numbers.append(value)
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise BadAnnotation(f"{key}: a negative size, {width:g} x {height:g}")
    edges = (x, y, x + width, y + height)
    for edge, limit in zip(edges, (across, down) * 2, strict=True):
        if not -OVERSHOOT * limit <= edge <= (1 + OVERSHOOT) * limit:
            raise BadAnnotation(
                f"{key}: the box ({edges[0]:g}, {edges[1]:g}, {edges[2]:g}, {edges[3]:g}) leaves the page of "
                f"{across:g}x{down:g} px"
            )
    left, top, right, bottom = (
        min(max(edge, 0.0), limit) for edge, limit in zip(edges, (across, down) * 2, strict=True)
    )
    if (left, top, right, bottom) != edges:
        mended.append(f"{key}: clipped to the page")
    return left, top, right, bottom


def _real(value: Any) -> float | None:
    """The value as a float; None where it is no finite number (JSON's NaN and Infinity are read as floats)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
