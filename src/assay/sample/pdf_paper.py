"""A page of a PDF that is drawn on like a Pillow picture: px from the upper left corner in, vectors out.

The fonts are those every PDF reader brings along; letters are stretched to the widths that Pillow measured, so that a
page looks alike in both. Nothing is compressed but pictures, and those by run lengths: the same bytes on every machine.
"""

import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.sample.handwriting import Picture

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

DPI = 200  # of the px; document 003 draws its pages at this resolution
_POINT = 72 / DPI
_FONTS = {
    "STIXGeneral": "Times-Roman",
    "STIXGeneralBol": "Times-Bold",
    "STIXGeneralItalic": "Times-Italic",
    "DejaVuSerif": "Times-Roman",
    "DejaVuSerif-Bold": "Times-Bold",
    "DejaVuSerif-Italic": "Times-Italic",
    "DejaVuSans": "Helvetica",
    "DejaVuSans-Bold": "Helvetica-Bold",
    "DejaVuSans-Oblique": "Helvetica-Oblique",
    "DejaVuSansMono": "Courier",
    "DejaVuSansMono-Bold": "Courier-Bold",
    "DejaVuSansMono-Oblique": "Courier-Oblique",
}
_LATIN = {"ДОГОВОР": "CONTRACT"}
_MIDDLE = 0.36  # of the letter size: how far a capital's middle is above the baseline

Ink = tuple[int, int, int]
XY = tuple[float, float]
Box = tuple[float, float, float, float]


class PdfPaper:
    """The open page of a ReportLab canvas. Methods take what the same ones of `PIL.ImageDraw` take."""

    def __init__(self, canvas: Any, size: tuple[int, int]) -> None:
        self.canvas = canvas
        self.size = size
        # A hair less than whole pixels: PDFium rounds up.
        canvas.setPageSize((size[0] * _POINT - 0.001, size[1] * _POINT - 0.001))

    def text(self, xy: XY, text: str, fill: Ink, font: "FreeTypeFont", anchor: str = "ls") -> None:
        """One line of text; the anchor's first letter is l, m or r, its second s (baseline) or m (middle)."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        wanted = _length(font, text)
        text = _LATIN.get(text, text)
        name, size = _FONTS[Path(str(font.path)).stem], font.size * _POINT
        x = xy[0] - wanted * {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]]
        y = xy[1] + (_MIDDLE * font.size if anchor[1] == "m" else 0)
        natural = stringWidth(text, name, size)
        line = self.canvas.beginText(x * _POINT, self._up(y))
        line.setFont(name, size)
        line.setFillColorRGB(*(round(part / 255, 4) for part in fill))
        if natural > 0:
            line.setHorizScale(round(100 * wanted * _POINT / natural, 3))
        line.textOut(text)
        self.canvas.drawText(line)

    def line(self, xy: Box, fill: Ink, width: int = 1) -> None:
        """A straight line."""
        self._pen(fill, width)
        x1, y1, x2, y2 = xy
        self.canvas.line(x1 * _POINT, self._up(y1), x2 * _POINT, self._up(y2))

    def rectangle(self, xy: Box, fill: Ink | None = None, outline: Ink | None = None, width: int = 1) -> None:
        """A rectangle with sides along the page's."""
        self._shape(fill, outline, width)
        x1, y1, x2, y2 = xy
        corner = (x1 * _POINT, self._up(y2), (x2 - x1) * _POINT, (y2 - y1) * _POINT)
        self.canvas.rect(*corner, stroke=int(outline is not None), fill=int(fill is not None))

    def ellipse(self, xy: Box, fill: Ink | None = None, outline: Ink | None = None, width: int = 1) -> None:
        """The ellipse that fills a rectangle."""
        self._shape(fill, outline, width)
        x1, y1, x2, y2 = xy
        corners = (x1 * _POINT, self._up(y2), x2 * _POINT, self._up(y1))
        self.canvas.ellipse(*corners, stroke=int(outline is not None), fill=int(fill is not None))

    def polygon(self, xy: list[XY], fill: Ink) -> None:
        """A filled polygon."""
        self._shape(fill, None, 1)
        path = self.canvas.beginPath()
        path.moveTo(xy[0][0] * _POINT, self._up(xy[0][1]))
        for x, y in xy[1:]:
            path.lineTo(x * _POINT, self._up(y))
        path.close()
        self.canvas.drawPath(path, stroke=0, fill=1)

    def code(self, matrix: Picture, x: int, y: int, module: int) -> None:
        """A QR code from its modules, (n, n) with 0 for dark, on a white zone of four modules."""
        side = len(matrix) * module
        zone = 4 * module
        self.rectangle((x - zone, y - zone, x + side + zone, y + side + zone), fill=(255, 255, 255))
        for row, modules in enumerate(matrix == 0):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], modules, [False]])))
            for start, end in edges.reshape(-1, 2).tolist():
                top = y + row * module
                self.rectangle((x + start * module, top, x + end * module, top + module), fill=(0, 0, 0))

    def ink(self, picture: Picture, x: int, y: int) -> None:
        """A picture (height, width, 4), RGBA, px for px."""
        height, width = picture.shape[:2]
        mask = _image(_packed(picture[..., 3].tobytes()), (width, height), "DeviceGray", "FlateDecode")
        image = _image(_packed(picture[..., :3].tobytes()), (width, height), "DeviceRGB", "FlateDecode")
        self._place(image, (x, y, x + width, y + height), mask)

    def scan(self, jpeg: bytes, size: tuple[int, int]) -> None:
        """A whole page as a JPEG of `size` px, RGB."""
        self._place(_image(jpeg, size, "DeviceRGB", "DCTDecode"), (0, 0, *self.size))

    def _place(self, image: Any, box: Box, mask: Any = None) -> None:
        """Put an image object on the page, as ReportLab's own drawImage does."""
        document = self.canvas._doc
        for one in [image, mask] if mask else [image]:
            one.name = f"ink{len(document.idToObject)}"
            document.Reference(one, document.getXObjectName(one.name))
            self.canvas._setXObjects(one)
            document.addForm(one.name, one)
        if mask:
            from reportlab.pdfbase.pdfdoc import PDFObjectReference

            image.smask = PDFObjectReference(document.getXObjectName(mask.name))
        x1, y1, x2, y2 = box
        self.canvas.saveState()
        self.canvas.translate(x1 * _POINT, self._up(y2))
        self.canvas.scale((x2 - x1) * _POINT, (y2 - y1) * _POINT)
        self.canvas._code.append(f"/{document.getXObjectName(image.name)} Do")
        self.canvas.restoreState()
        self.canvas._formsinuse.append(image.name)

    def _up(self, y: float) -> float:
        """Points from the lower edge: a PDF's y grows upwards."""
        return (self.size[1] - y) * _POINT - 0.001

    def _pen(self, ink: Ink, width: int) -> None:
        self.canvas.setStrokeColorRGB(*(round(part / 255, 4) for part in ink))
        self.canvas.setLineWidth(max(width, 2) * _POINT)

    def _shape(self, fill: Ink | None, outline: Ink | None, width: int) -> None:
        if outline is not None:
            self._pen(outline, width)
        if fill is not None:
            self.canvas.setFillColorRGB(*(round(part / 255, 4) for part in fill))


@lru_cache(maxsize=20_000)
def _length(font: "FreeTypeFont", text: str) -> float:
    return font.getlength(text)


def _packed(pixels: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return packer.compress(pixels) + packer.flush()


def _image(content: bytes, size: tuple[int, int], colours: str, packing: str) -> Any:
    from reportlab.pdfbase.pdfdoc import PDFImageXObject

    image = PDFImageXObject("")
    image.width, image.height = size
    image.bitsPerComponent, image.colorSpace = 8, colours
    image._filters = (packing,)
    image.streamContent = content
    return image
