import cv2
import numpy as np

from assay.documents.codes import read_codes, read_codes_in
from tests.documents.conftest import with_code


def test_a_code_is_read_where_it_lies():
    page = with_code("https://example.org/v/1", at=(40, 60))
    (code,) = read_codes(page)
    assert code.text == "https://example.org/v/1"
    assert np.allclose(code.xyxy, (40, 60, 40 + 75, 60 + 75), atol=3)


def test_codes_come_from_top_to_bottom_whatever_they_say():
    page = np.vstack([with_code("zebra"), with_code("ant")])
    assert [code.text for code in read_codes(page)] == ["zebra", "ant"]


def test_turned_codes_are_read_and_pages_without_one_have_none():
    page = with_code("turned")
    assert [code.text for code in read_codes(np.rot90(page))] == ["turned"]
    assert read_codes(np.full((200, 200, 3), 255, np.uint8)) == []


def test_a_box_is_read_where_the_page_was_not():
    page = with_code("in the box", at=(100, 200))
    box = np.array([[100.0, 200.0, 160.0, 260.0], [0, 0, 30, 30]])
    (code,) = read_codes_in(page, box)
    assert code.text == "in the box"
    assert np.allclose(code.xyxy[:2], (100, 200), atol=3)
    assert read_codes_in(page, box, [code]) == [code]  # known already: once
    assert read_codes_in(page, np.empty((0, 4))) == []


def test_a_known_code_in_the_margin_of_a_box_is_no_second_one():
    page = with_code("known", size=(1000, 1200), at=(900, 400), module=7)
    (known,) = read_codes(page)
    x1, y1, x2, y2 = known.xyxy
    side = x2 - x1
    beside = np.array([[x1 - 4 * side, y1 - 1.5 * side, x1 + 0.45 * side, y2 + 0.5 * side]])
    assert read_codes_in(page, beside, [known]) == [known]
    twice = read_codes_in(page, np.repeat(beside, 2, axis=0))
    assert [code.text for code in twice] == ["known"]
    other = np.hstack([page, page])  # the same words elsewhere are another code
    right = np.add(beside, (1200, 0, 1200, 0))
    assert [code.text for code in read_codes_in(other, right, [known])] == ["known"] * 2


def test_a_box_outside_the_picture_is_no_mistake():
    assert read_codes_in(with_code("x"), np.array([[900.0, 900.0, 950.0, 950.0]])) == []


def test_a_code_in_a_tilted_photo_is_read():
    page = with_code("tilted", module=6)
    turn = cv2.getRotationMatrix2D((149, 210), 20, 0.9)
    photo = cv2.warpAffine(page, turn, (298, 420), borderValue=(120, 110, 100))
    assert [code.text for code in read_codes(photo)] == ["tilted"]
