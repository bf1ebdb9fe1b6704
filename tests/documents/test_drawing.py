import numpy as np
import pytest

from assay.data.drawing import MARKS as COLOURS
from assay.documents.drawing import annotated_pdf, caption, colour_of, draw_page, pictures_as_pdf
from assay.documents.reading import Asked, read_page, read_pages
from assay.documents.sheets import Limits, Sheet, sheets
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, model

FINE = Limits(dpi=144)


def near(picture, x, y, colour, reach=4):
    """Whether the colour shows within `reach` px."""
    part = picture[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].astype(int)
    return bool((np.abs(part - colour).max(axis=2) < 60).any())


def test_colours_are_the_documents_and_subclasses_have_their_kinds():
    red, green, blue = COLOURS["stamp"], COLOURS["signature"], COLOURS["qr"]
    assert (np.argmax(red), np.argmax(green), np.argmax(blue)) == (0, 1, 2)
    assert (colour_of("stamp_notary"), colour_of("qr_code")) == (red, blue)
    assert caption({"label": "stamp", "confidence": 0.5, "merged_count": 3}) == "stamp 0.50 x3"


def test_a_page_is_drawn_beside_the_original():
    white = np.full((600, 400, 3), 255, np.uint8)
    read = read_page(model(*MARKS), Sheet(1, white, "scanned"), Asked())
    picture = draw_page(white, read["grouped"])
    assert near(picture, 300, 360, COLOURS["stamp"]) and near(picture, 40, 90, COLOURS["signature"])
    assert (white == 255).all()
    assert np.array_equal(draw_page(white, []), white)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_boxes_in_a_pdf_lie_where_they_were_found_however_the_page_is_turned(rotate):
    document = drawn.pdf(drawn.text, drawn.text, rotate=rotate)
    pages = [read for read, _ in read_pages(model(*MARKS), sheets(document, limits=FINE), Asked())]
    again = list(sheets(annotated_pdf(document, pages), limits=FINE))
    assert len(again) == 2 and again[0].origin == "digital"
    for read, sheet in zip(pages, again, strict=True):
        for mark in read["grouped"]:
            x1, y1, x2, y2 = (round(side) for side in mark["box"])
            middle = ((x1 + x2) // 2, (y1 + y2) // 2)
            for x, y in ((x1, middle[1]), (x2, middle[1]), (middle[0], y2), (middle[0], y1)):
                assert near(sheet.picture, x, y, colour_of(mark["label"]))
            # the caption stands above the box, from its left corner on
            assert near(sheet.picture, x1 + 20, y1 - 8, colour_of(mark["label"]), reach=7)


def test_a_picture_becomes_a_pdf_of_its_size():
    picture = drawn.with_code("x")
    (sheet,) = sheets(pictures_as_pdf([picture], 144), limits=FINE)
    assert np.abs(np.array(sheet.picture.shape[:2]) - picture.shape[:2]).max() <= 1
