"""The pages of a PDF or picture, one at a time: drawn, with their origin, or why there is nothing to draw."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.data.images import BadImage, Pixels, decode, places
from assay.data.pages import LOCK, BadPage, measure, open_pdf
from assay.documents.origin import Origin, origin_of
from assay.documents.photo import flatten

PDF_MARK = b"%PDF-"  # within the first 1024 bytes
_PICTURES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"RIFF",
    b"BM",
    b"II*\0",
    b"MM\0*",
)  # may say of what they were made
DPI, MAX_SIDE = 200, 10_000  # document 003, "PDF -> PNG"; as conf/project/documents.yaml


@dataclass(frozen=True)
class Limits:
    """What is drawn: PDF pages at `dpi`; nothing with a side above `max_side` px; documents of at most `pages`."""

    dpi: int = DPI
    max_side: int = MAX_SIDE
    pages: int | None = None


@dataclass(frozen=True)
class Sheet:
    """One page. picture: uint8 (H, W, 3) RGB. corners: of a photo's page, px of the photo, see `photo.Flat`."""

    number: int  # from 1
    picture: Pixels
    origin: Origin
    corners: tuple[tuple[float, float], ...] | None = None


class TooManyPages(Exception):  # noqa: N818 - it names a state of the file, like BadPage
    """A document with more pages than allowed; `pages` says how many."""

    def __init__(self, pages: int, limit: int) -> None:
        super().__init__(f"{pages} pages; the limit is {limit}")
        self.pages = pages


def is_pdf(content: bytes) -> bool:
    """Whether these bytes want to be a PDF."""
    return PDF_MARK in content[:1024] and not content.startswith(_PICTURES)


def page_count(content: bytes) -> int:
    """Pages of a PDF or a TIFF; 1 of another picture. Raises BadPage as `sheets`."""
    if not is_pdf(content):
        return len(_places(content))
    with LOCK:
        document = open_pdf(content)
        try:
            return len(document)
        finally:
            document.close()


def sheets(content: bytes, *, limits: Limits, flat: bool = False) -> Iterator[Sheet | BadPage]:
    """Yield the pages of a PDF or TIFF, or the one page of another picture, drawn one at a time.

    Args:
        content: the file's bytes; what they begin with decides what they are, not a name.
        limits: see `Limits`.
        flat: cut the page out of a picture that is a photo of it; where no outline shows, the picture stays. Pages of a
            PDF stay: boxes are drawn into them as they are.

    Yields:
        A Sheet, or a BadPage where that one page can't be drawn and others can.

    Raises:
        BadPage: the whole document can't be used: empty, damaged, truncated, encrypted, without pages, no picture.
        TooManyPages: see `Limits`.
    """
    if not content:
        raise BadPage("empty file")
    return _of_pdf(content, limits) if is_pdf(content) else _of_picture(content, limits, flat)


def _places(content: bytes) -> list[int]:
    try:
        return places(content)
    except BadImage as error:
        raise BadPage(error.reason) from error


def _of_picture(content: bytes, limits: Limits, flat: bool) -> Iterator[Sheet | BadPage]:
    pages = _places(content)
    if limits.pages is not None and len(pages) > limits.pages:
        raise TooManyPages(len(pages), limits.pages)
    for number, place in enumerate(pages, 1):
        try:
            yield _page(content, place, number, limits, flat)
        except BadPage as error:
            if len(pages) == 1:
                raise
            yield error


def _page(content: bytes, place: int, number: int, limits: Limits, flat: bool) -> Sheet:
    try:
        picture = decode(content, background="white", place=place)  # paper, as in training
    except BadImage as error:
        raise BadPage(error.reason, number) from error
    height, width = picture.shape[:2]
    if max(height, width) > limits.max_side:
        raise BadPage(f"too large: {width}x{height} px; the limit is {limits.max_side} px a side", number)
    found = flatten(picture) if flat else None
    if found is None:
        return Sheet(number, picture, "scanned")
    return Sheet(number, found.picture, "scanned", tuple((float(x), float(y)) for x, y in found.corners))


def _of_pdf(content: bytes, limits: Limits) -> Iterator[Sheet | BadPage]:
    with LOCK:
        document = open_pdf(content)
    try:
        with LOCK:
            count = len(document)
        if not count:
            raise BadPage("a PDF without pages")
        if limits.pages is not None and count > limits.pages:
            raise TooManyPages(count, limits.pages)
        for number in range(1, count + 1):
            yield _sheet(document, number, limits)  # outside the lock: others draw meanwhile
    finally:
        with LOCK:
            document.close()


def _sheet(document: Any, number: int, limits: Limits) -> Sheet | BadPage:
    with LOCK:
        listed = measure(document, Path(), number, dpi=limits.dpi, max_side=limits.max_side)
        if isinstance(listed, BadPage):
            return listed
        try:
            page = document[number - 1]
            origin = origin_of(page)
            page.close()
            return Sheet(number, listed.drawn_from(document), origin)
        except BadPage as error:
            return error
        except Exception as error:
            return BadPage(f"damaged page ({error})", number)
