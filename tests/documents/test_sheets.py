import io

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from reportlab.lib.utils import ImageReader

from assay.data.pages import BadPage
from assay.documents.sheets import Limits, Sheet, TooManyPages, page_count, sheets
from tests.documents import conftest as drawn

SMALL = Limits(dpi=36)


def numbered(page):
    """A scan with the recognised text below it, and the line that a signing service writes on top."""
    drawn.text(page)
    drawn.scan(page)
    page.setFont("Helvetica", 6)
    page.drawString(5, 410, "Envelope 1A2B3C4D-0000-4E5F")


def letterhead(page):
    """Text on a picture that fills the page."""
    drawn.scan(page)
    for line in range(20):
        page.drawString(30, 350 - 14 * line, "signed by both parties")


def twice(page):
    """Half of the page, pictured twice."""
    for _ in range(2):
        page.drawImage(ImageReader(Image.new("L", (60, 60), 90)), 0, 0, 298, 210)


def in_form(page, matrix, side):
    """A picture of so many units a side in a form object, and what it is turned into on the page."""
    page.beginForm("f", 0, 0, 1000, 1000)
    page.drawImage(ImageReader(Image.new("L", (60, 60), 90)), 0, 0, side, side)
    page.endForm()
    page.transform(*matrix)
    page.doForm("f")


def scan_in_form(page):
    in_form(page, (298, 0, 0, 420, 0, 0), 1)


def logo_in_form(page):
    in_form(page, (0.1, 0, 0, 0.1, 10, 350), 600)


@pytest.mark.parametrize(
    ("page", "origin"),
    [
        (drawn.text, "digital"),
        (drawn.logo, "digital"),
        (drawn.nothing, "digital"),
        (drawn.scan, "scanned"),
        (drawn.read_scan, "scanned"),
        (drawn.strips, "scanned"),
        (numbered, "scanned"),
        (letterhead, "digital"),
        (twice, "digital"),
        (scan_in_form, "scanned"),
        (logo_in_form, "digital"),
    ],
)
def test_the_origin_of_a_page(page, origin):
    (sheet,) = sheets(drawn.pdf(page), limits=SMALL)
    assert (sheet.number, sheet.origin, sheet.picture.shape) == (1, origin, (210, 149, 3))


def test_a_turned_or_cropped_page_keeps_its_origin():
    document = pypdfium2.PdfDocument(drawn.pdf(drawn.scan, drawn.strips, drawn.logo, drawn.scan))
    for page in list(document)[:3]:
        page.set_rotation(90)
    document[3].set_cropbox(50, 50, 250, 400)
    stream = io.BytesIO()
    document.save(stream)
    origins = [sheet.origin for sheet in sheets(stream.getvalue(), limits=SMALL)]
    assert origins == ["scanned", "scanned", "digital", "scanned"]


def test_a_picture_is_one_scanned_page():
    picture = drawn.with_code("x")
    (sheet,) = sheets(drawn.png(picture), limits=SMALL)
    assert sheet.origin == "scanned" and np.array_equal(sheet.picture, picture)
    assert page_count(drawn.png(picture)) == 1


def test_ink_on_nothing_is_ink_on_paper():
    ink = np.zeros((40, 30, 4), np.uint8)
    ink[10:20, :, 3] = 255
    (sheet,) = sheets(drawn.png(ink), limits=SMALL)
    assert sheet.picture[15].max() == 0 and sheet.picture[30].min() == 255


def test_a_picture_that_speaks_of_a_pdf_is_a_picture():
    about, stream = PngInfo(), io.BytesIO()
    about.add_text("Title", "made from %PDF-1.4")
    Image.new("RGB", (30, 40)).save(stream, "PNG", pnginfo=about)
    (sheet,) = sheets(stream.getvalue(), limits=SMALL)
    assert sheet.picture.shape == (40, 30, 3)


def tiff(*shades, size=(30, 40)):
    first, *others = (Image.new("L", size, shade) for shade in shades)
    stream = io.BytesIO()
    first.save(stream, "TIFF", save_all=True, append_images=others)
    return stream.getvalue()


def test_a_tiff_has_as_many_pages_as_pictures():
    content = tiff(10, 20, 30)
    pages = list(sheets(content, limits=SMALL))
    assert [(page.number, page.picture[0, 0, 0]) for page in pages] == [(1, 10), (2, 20), (3, 30)]
    assert page_count(content) == 3
    with pytest.raises(TooManyPages, match="3 pages; the limit is 2"):
        next(sheets(content, limits=Limits(pages=2)))
    bad = list(sheets(content, limits=Limits(max_side=35)))
    assert [(page.number, page.reason[:16]) for page in bad] == [(k, "too large: 30x40") for k in (1, 2, 3)]


def test_one_page_too_large_keeps_the_others():
    def large(canvas):
        canvas.setPageSize((7200, 100))

    first, bad = sheets(drawn.pdf(drawn.text, large), limits=Limits(dpi=200))
    assert isinstance(first, Sheet)
    assert (bad.number, bad.reason[:26]) == (2, "too large: 20000x278 px at")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (drawn.pdf(drawn.text)[:-200], "truncated"),
        (drawn.locked(), "encrypted: it asks for a password"),
        (
            drawn.png(np.zeros((1, 20_000, 3), np.uint8)),
            "too large: 20000x1 px; the limit is 10000 px a side",
        ),
    ],
)
def test_what_can_not_be_read_says_why(content, reason):
    with pytest.raises(BadPage, match=reason):
        list(sheets(content, limits=Limits()))


def test_more_pages_than_allowed_are_not_begun():
    document = drawn.pdf(*[drawn.nothing] * 3)
    assert page_count(document) == 3
    with pytest.raises(TooManyPages, match="3 pages; the limit is 2"):
        next(sheets(document, limits=Limits(pages=2)))


def test_two_documents_can_be_read_at_once():
    """A page is drawn under a lock; between pages the lock is free."""
    first = sheets(drawn.pdf(*[drawn.text] * 3), limits=SMALL)
    second = sheets(drawn.pdf(*[drawn.scan] * 3), limits=SMALL)
    pairs = [(a.origin, b.origin) for a, b in zip(first, second, strict=True)]
    assert pairs == [("digital", "scanned")] * 3
