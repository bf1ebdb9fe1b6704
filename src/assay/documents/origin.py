"""Whether a PDF page was scanned or written by a program: by what it is made of."""

from typing import Any, Literal

import numpy as np

Origin = Literal["scanned", "digital"]

_COVERED = 0.8  # of the page: so much of a scan is picture; scanners cut a page into strips too
_WRITTEN = 0.02  # of the page: less text is what programs add to a scan, such as a line with its number
_DEPTH = 4  # form objects inside form objects
_CELLS = 256  # a side: what lies where is kept on a grid


def origin_of(page: Any) -> Origin:
    """The origin of an open PDFium page; hold `assay.data.pages.LOCK`.

    Scanned: pictures cover the page, and hardly any text shows on them. The text that recognition lays under a scan, or
    over it invisibly, does not show. A page without anything is digital: no scanner gives that.
    """
    import pypdfium2.raw as pdfium

    picture, text = pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_TEXT
    items = list(page.get_objects([picture, text], max_depth=_DEPTH))  # in the order they are painted
    pictured, written = np.zeros((2, _CELLS, _CELLS), bool)
    for item in items:
        if item.type == picture:
            pictured[_cells(page, item)] = True
    if pictured.mean() < _COVERED:
        return "digital"
    for item in items:
        if item.type == picture:
            written[_cells(page, item)] = False
        elif pdfium.FPDFTextObj_GetTextRenderMode(item.raw) != pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
            written[_cells(page, item)] = True
    return "scanned" if written.mean() < _WRITTEN else "digital"


def _cells(page: Any, item: Any) -> tuple[slice, slice]:
    """Where an object lies on the page's grid; PDFium tells bounds in the form that holds it."""
    left, bottom, right, top = item.get_bounds()
    corners = np.array([(x, y) for x in (left, right) for y in (bottom, top)])
    while (item := item.container) is not None:
        a, b, c, d, e, f = item.get_matrix().get()
        corners = corners @ ((a, b), (c, d)) + (e, f)
    x1, y1, x2, y2 = page.get_bbox()
    grid = (corners - (x1, y1)) / (max(x2 - x1, 1e-6), max(y2 - y1, 1e-6)) * _CELLS
    low, high = (
        np.clip(np.round(edge), 0, _CELLS).astype(int) for edge in (grid.min(axis=0), grid.max(axis=0))
    )
    return slice(low[1], high[1]), slice(low[0], high[0])
