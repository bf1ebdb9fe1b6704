"""Marks drawn: on a page's picture, and as lines into the PDF itself, whose text stays text."""

import ctypes
import hashlib
import io
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from assay.data.drawing import OTHER, draw_captioned, mark_colour
from assay.data.images import Pixels
from assay.data.pages import LOCK, open_pdf

Drawn = Literal["grouped", "raw"]
_IDENTIFIER = re.compile(rb"/ID\[<[0-9A-Fa-f]{32}><[0-9A-Fa-f]{32}>\]")
_FINE = 16  # device units per px: PDFium takes whole numbers


def colour_of(label: str) -> tuple[int, int, int]:
    """RGB of a class; a subclass such as stamp_notary has its kind's."""
    return mark_colour(label) or OTHER


def caption(mark: Mapping[str, Any]) -> str:
    """What stands beside a box: "signature 0.83", and "x3" where three were merged."""
    merged = f" x{mark['merged_count']}" if mark.get("merged_count", 1) > 1 else ""
    return f"{mark['label']} {mark['confidence']:.2f}{merged}"


def draw_page(picture: Pixels, marks: Sequence[Mapping[str, Any]]) -> Pixels:
    """A copy of uint8 (H, W, 3) RGB with the marks' boxes and captions, by supervision."""
    width = max(round(max(picture.shape[:2]) / 600), 1)
    return draw_captioned(
        picture,
        [mark["box"] for mark in marks],
        [caption(mark) for mark in marks],
        [colour_of(mark["label"]) for mark in marks],
        width=width,
        text_scale=width / 5,
        padding=2 * width,
    )


def annotated_pdf(content: bytes, pages: Sequence[Mapping[str, Any]], drawn: Drawn = "grouped") -> bytes:
    """The PDF with the grouped or raw boxes of `pages` (of `reading.read_page`) and captions on its pages.

    Page rotation and crop boxes are PDFium's own business: it says where a drawn px lies on the page. The same input
    gives the same bytes.
    """
    with LOCK:
        document = open_pdf(content)
        try:
            for read in pages:
                if "error" not in read and read[drawn]:
                    page = document[read["page"] - 1]
                    for mark in read[drawn]:
                        _mark(document, page, mark, (read["width"], read["height"]))
                    page.gen_content()
                    page.close()
            stream = io.BytesIO()
            document.save(stream)
            return _without_chance(stream.getvalue())
        finally:
            document.close()


def pictures_as_pdf(pictures: Iterable[Pixels], dpi: int) -> bytes:
    """A PDF that shows each picture at this resolution on a page of its own; one picture is held at a time."""
    first, *others = (_picture_as_pdf(picture, dpi) for picture in pictures)
    if not others:
        return first
    with LOCK:
        document = open_pdf(first)
        try:
            for one in others:
                page = open_pdf(one)
                document.import_pages(page)
                page.close()
            stream = io.BytesIO()
            document.save(stream)
            return _without_chance(stream.getvalue())
        finally:
            document.close()


def _picture_as_pdf(picture: Pixels, dpi: int) -> bytes:
    from PIL import Image

    stream, never = io.BytesIO(), time.gmtime(0)
    Image.fromarray(picture).save(
        stream, "PDF", resolution=float(dpi), quality=85, creationDate=never, modDate=never
    )
    return stream.getvalue()


def _without_chance(content: bytes) -> bytes:
    """PDFium's random file identifier, in the trailer, replaced by one made of the content."""
    found = list(_IDENTIFIER.finditer(content))
    if not found:
        return content
    first, second = found[-1].span()
    rest = content[:first] + content[second:]
    name = hashlib.sha256(rest).hexdigest()[:32].upper().encode()
    return content[:first] + b"/ID[<%s><%s>]" % (name, name) + content[second:]


def _mark(document: Any, page: Any, mark: Mapping[str, Any], size: tuple[int, int]) -> None:
    import pypdfium2.raw as pdfium

    x1, y1, x2, y2 = mark["box"]
    red, green, blue = colour_of(mark["label"])
    origin, right, down = (_on_page(page, size, *point) for point in ((x1, y1), (x2, y1), (x1, y2)))
    path = pdfium.FPDFPageObj_CreateNewPath(*origin)
    for point in (right, right + down - origin, down):
        pdfium.FPDFPath_LineTo(path, *point)
    pdfium.FPDFPath_Close(path)
    pdfium.FPDFPageObj_SetStrokeColor(path, red, green, blue, 255)
    pdfium.FPDFPageObj_SetStrokeWidth(path, 1.5)
    pdfium.FPDFPath_SetDrawMode(path, pdfium.FPDF_FILLMODE_NONE, True)
    pdfium.FPDFPage_InsertObject(page.raw, path)
    # letters 8 points high, just above the box, along its upper side whichever way the page is turned
    across = (right - origin) / max(np.linalg.norm(right - origin), 1e-6)
    up = (origin - down) / max(np.linalg.norm(down - origin), 1e-6)
    start = origin + 2 * up
    words = pdfium.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", 8.0)
    encoded = (caption(mark) + "\0").encode("utf-16-le")
    buffer = (ctypes.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
    pdfium.FPDFText_SetText(words, buffer)
    pdfium.FPDFPageObj_SetFillColor(words, red, green, blue, 255)
    pdfium.FPDFPageObj_Transform(words, *across, *up, *start)
    pdfium.FPDFPage_InsertObject(page.raw, words)


def _on_page(page: Any, size: tuple[int, int], x: float, y: float) -> np.ndarray:
    """A px of the drawn page in the page's own points."""
    import pypdfium2.raw as pdfium

    across, down = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDF_DeviceToPage(
        page.raw,
        *(0, 0, size[0] * _FINE, size[1] * _FINE, 0),
        round(x * _FINE),
        round(y * _FINE),
        ctypes.byref(across),
        ctypes.byref(down),
    )
    return np.array([across.value, down.value])
