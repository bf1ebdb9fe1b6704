import numpy as np
import pytest

from assay.data.pages import BadPage
from assay.documents.sheets import Limits, Sheet, TooManyPages, page_count, sheets
from tests.documents import conftest as drawn

SMALL = Limits(dpi=36)


@pytest.mark.parametrize(
    ("page", "origin"),
    [
        (drawn.text, "digital"),
        (drawn.logo, "digital"),
        (drawn.nothing, "digital"),
        (drawn.scan, "scanned"),
        (drawn.read_scan, "scanned"),
        (drawn.strips, "scanned"),
    ],
)
def test_the_origin_of_a_page(page, origin):
    (sheet,) = sheets(drawn.pdf(page), limits=SMALL)
    assert (sheet.number, sheet.origin, sheet.picture.shape) == (1, origin, (210, 149, 3))


def test_a_picture_is_one_scanned_page():
    picture = drawn.with_code("x")
    (sheet,) = sheets(drawn.png(picture), limits=SMALL)
    assert sheet.origin == "scanned" and np.array_equal(sheet.picture, picture)
    assert page_count(drawn.png(picture)) == 1


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
