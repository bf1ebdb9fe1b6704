"""Small documents drawn in memory: for tests, and for what is done to them before they are sent to the service."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from assay.data.images import Pixels
from assay.sample.marks import qr


def pdf(*pages: Callable[[Any], None], encrypt: Any = None, rotate: int = 0) -> bytes:
    """A PDF of A6 pages in points; each page is what `draw(canvas)` draws."""
    stream = io.BytesIO()
    drawn = canvas.Canvas(stream, pagesize=(298, 420), invariant=1, encrypt=encrypt)
    for draw in pages:
        drawn.setPageSize((298, 420))
        draw(drawn)
        drawn.setPageRotation(rotate)
        drawn.showPage()
    drawn.save()
    return stream.getvalue()


def text(drawn: Any) -> None:
    """A line of text."""
    drawn.drawString(30, 300, "signed by both parties")


def nothing(drawn: Any) -> None:
    """An empty page."""


def scan(drawn: Any) -> None:
    """A picture over the whole page."""
    drawn.drawImage(ImageReader(Image.new("RGB", (60, 84), (250, 248, 240))), 0, 0, 298, 420)


def read_scan(drawn: Any) -> None:
    """A scan with the invisible text that recognition lays over it."""
    scan(drawn)
    line = drawn.beginText(30, 300)
    line.setTextRenderMode(3)
    line.textOut("signed by both parties")
    drawn.drawText(line)


def strips(drawn: Any) -> None:
    """A scan in ten pictures, as some scanners store it."""
    for top in range(0, 420, 42):
        drawn.drawImage(ImageReader(Image.new("L", (60, 8), 250)), 0, top, 298, 42)


def logo(drawn: Any) -> None:
    """Text and a small picture."""
    text(drawn)
    drawn.drawImage(ImageReader(Image.new("L", (60, 60), 90)), 10, 350, 60, 60)


def locked() -> bytes:
    """A PDF that asks for a password."""
    return pdf(text, encrypt=StandardEncryption("secret", "owner", strength=40))


def png(picture: Pixels) -> bytes:
    """uint8 (H, W, 3) RGB as a file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def with_code(
    words: str, size: tuple[int, int] = (420, 298), at: tuple[int, int] = (40, 60), module: int = 3
) -> Pixels:
    """A white uint8 page with a QR code; at: x, y of its corner."""
    page = np.full((*size, 3), 255, np.uint8)
    code = qr(words, module=module)[..., :3]
    page[at[1] : at[1] + len(code), at[0] : at[0] + len(code)] = code
    return page
