"""PDF pages as pictures, one at a time: how large each will be, its PNG when asked for, or why there is none."""

import io
import math
import re
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.data.images import MAX_PIXELS, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

_POINTS = 72  # a PDF's unit: points per inch
_END_MARK = b"%%EOF"
_TAIL = 4096  # bytes; mail programs append a few lines after the end mark, no more
LOCK = threading.RLock()  # PDFium is not made for two threads at once


class BadPage(Exception):  # noqa: N818 - it names a state of the file, like BadImage
    """A document or page that can't be drawn; `reason` says why in a few words.

    `number` is the page's, from 1; 0 means the whole document.
    """

    def __init__(self, reason: str, number: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.number = number


@dataclass(frozen=True)
class Page:
    """One page that can be drawn."""

    path: Path = field(repr=False)
    number: int  # from 1
    width: int  # px, at `dpi`
    height: int
    dpi: int

    def image(self) -> "Image":
        """Draw the page: RGB, white where nothing is printed, (height, width).

        Raises:
            BadPage: the page is damaged, or the document changed since it was listed.
        """
        from PIL import Image

        with LOCK:
            document = open_pdf(self.path)
            try:
                return Image.fromarray(self.drawn_from(document))
            finally:
                document.close()

    def drawn_from(self, document: Any) -> Pixels:
        """As `image`, uint8 (H, W, 3), from the document that is open already (`open_pdf`)."""
        with LOCK:
            try:
                page = document[self.number - 1]
                bitmap = page.render(scale=self.dpi / _POINTS, rev_byteorder=True)
                picture: Pixels = bitmap.to_numpy()[:, :, :3].copy()
                bitmap.close()
                page.close()
            except Exception as error:
                raise BadPage(f"can't be drawn ({error})", self.number) from error
        height, width = picture.shape[:2]
        if (width, height) != (self.width, self.height):
            raise BadPage(f"drawn as {width}x{height}, not {self.width}x{self.height}", self.number)
        return picture

    def read(self) -> bytes:
        """The drawn page as PNG, grey where it has no colour; the same bytes every time.

        Raises:
            BadPage: as `image`.
        """
        stream = io.BytesIO()
        # Run-length matches only: zlib's and zlib-ng's ordinary match finders differ, and pages are mostly runs.
        picture = self.image()
        red, green, blue = picture.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            picture = red  # a third of the bytes, and readers make it RGB again
        picture.save(stream, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
        return stream.getvalue()


def render(path: Path, *, dpi: int, max_side: int) -> Iterator[Page | BadPage]:
    """List the pages of a PDF in order. Nothing is drawn before `Page.image` or `Page.read` is called.

    Args:
        path: the PDF.
        dpi: resolution to draw at, dots per inch.
        max_side: a page that would be wider or higher than this comes as BadPage, px.

    Yields:
        A Page, or a BadPage where that one page can't be drawn and the others can.

    Raises:
        BadPage: the whole document can't be used: empty, no PDF, truncated, encrypted, or without pages.
    """
    with LOCK:
        document = open_pdf(path)
        try:
            count = len(document)
            if not count:
                raise BadPage("a PDF without pages")
            listed = [
                measure(document, path, number, dpi=dpi, max_side=max_side) for number in range(1, count + 1)
            ]
        finally:
            document.close()
    yield from listed


def measure(document: Any, path: Path, number: int, *, dpi: int, max_side: int) -> Page | BadPage:
    """One page of an open document, see `render`, with the size it will have; PDFium rounds up. Hold `LOCK`."""
    try:
        page = document[number - 1]
        across, down = page.get_size()  # points, after the page's own rotation
        page.close()
    except Exception as error:
        return BadPage(f"damaged page ({error})", number)
    if not (across > 0 and down > 0 and math.isfinite(across) and math.isfinite(down)):
        return BadPage(f"a page of {across:g} x {down:g} points", number)
    width, height = math.ceil(across * dpi / _POINTS), math.ceil(down * dpi / _POINTS)
    if max(width, height) > max_side:
        return BadPage(
            f"too large: {width}x{height} px at {dpi} DPI; the limit is {max_side} px a side", number
        )
    if width * height > MAX_PIXELS:
        return BadPage(f"too large: {width}x{height} px at {dpi} DPI; the limit is {MAX_PIXELS} px", number)
    return Page(path, number, width, height, dpi)


def open_pdf(source: Path | bytes) -> Any:
    """A PDFium document of a file or of its bytes. Hold `LOCK` here and whenever the document is used.

    Raises:
        BadPage: see `render`.
    """
    import pypdfium2

    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise BadPage(f"can't be read: {error.strerror}") from error
    if not content:
        raise BadPage("empty file")
    if b"%PDF-" not in content[:1024]:
        raise BadPage("not a PDF")
    if _END_MARK not in content[-_TAIL:]:  # PDFium would mend it and lose pages without a word
        raise BadPage("truncated: the end of the file is missing")
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        # PDFium leaves its last error where it was when a file has no pages: ask the file too.
        if "password" in str(error).lower() and b"/Encrypt" in content:
            raise BadPage("encrypted: it asks for a password") from error
        if re.search(rb"/Count\s+0\b", content):
            raise BadPage("a PDF without pages") from error
        raise BadPage("damaged: PDFium can't open it") from error


def page_name(stem: str, number: int) -> str:
    """File name of a stored page: `contract_p003.png`."""
    return f"{stem}_p{number:03d}.png"
