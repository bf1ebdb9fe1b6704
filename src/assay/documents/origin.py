"""Whether a PDF page was scanned or written by a program: by what it is made of."""

from typing import Any, Literal

Origin = Literal["scanned", "digital"]

_COVERED = 0.8  # of the page: so much of a scan is picture; scanners cut a page into strips too
_DEPTH = 4  # form objects inside form objects


def origin_of(page: Any) -> Origin:
    """The origin of an open PDFium page; hold `assay.data.pages.LOCK`.

    Scanned: pictures cover the page and no text shows. The text that recognition lays under a scan is invisible. A page
    without anything is digital: no scanner gives that.
    """
    import pypdfium2.raw as pdfium

    across, down = page.get_size()
    covered = 0.0
    for item in page.get_objects(max_depth=_DEPTH):
        if item.type == pdfium.FPDF_PAGEOBJ_TEXT:
            if pdfium.FPDFTextObj_GetTextRenderMode(item.raw) != pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
                return "digital"
        elif item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = item.get_bounds()
            covered += max(right - left, 0) * max(top - bottom, 0)
    return "scanned" if covered >= _COVERED * across * down else "digital"
