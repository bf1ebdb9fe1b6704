import cv2
import numpy as np
import pytest

from assay.sample import handwriting, marks
from assay.sample.page_scene import Mark, press, scanned, scene

SIZES = [(724, 1024), (320, 452), (333, 500)]


@pytest.mark.parametrize("size", SIZES)
def test_a_scene_is_a_page_with_boxes_inside_it(size):
    for seed in range(6):
        picture, boxes = scene(np.random.default_rng(seed), size)
        assert (picture.shape, picture.dtype) == ((size[1], size[0], 3), np.uint8)
        for label, (x1, y1, x2, y2) in boxes:
            assert label in {"qr", "signature", "stamp"}
            assert 0 <= x1 < x2 <= size[0]
            assert 0 <= y1 < y2 <= size[1]


def test_the_same_seed_draws_the_same_page_and_another_does_not():
    first, again, other = (scene(np.random.default_rng(seed), (320, 452)) for seed in (5, 5, 6))
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert not np.array_equal(first[0], other[0])


def test_every_class_and_pages_without_marks_come_up():
    pages = [[label for label, _ in scene(np.random.default_rng(seed), (320, 452))[1]] for seed in range(60)]
    seen = [label for page in pages for label in page]
    assert min(seen.count(name) for name in ("qr", "signature", "stamp")) >= 10
    assert [] in pages


def test_boxes_are_tight_around_the_ink_even_on_a_turned_page():
    """Around a mark alone on white paper: the scan's own ink begins where the box does, to 2 px."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        page = np.full((600, 500, 3), 255, np.uint8)
        mark = Mark("signature", handwriting.signature(rng, 200), 140, 250)
        press(page, mark)
        scan, ((x1, y1, x2, y2),) = scanned(rng, page, [mark])
        scan = cv2.medianBlur(scan, 3)  # specks and grain
        dark = scan.min(axis=2) < 0.72 * np.median(scan)
        rows, columns = np.nonzero(dark)
        near = (columns > x1 - 30) & (columns < x2 + 30) & (rows > y1 - 30) & (rows < y2 + 30)
        found = columns[near].min(), rows[near].min(), columns[near].max() + 1, rows[near].max() + 1
        assert np.abs(np.subtract(found, (x1, y1, x2, y2))).max() < 5, (seed, found, (x1, y1, x2, y2))


def test_marks_are_cropped_to_their_ink():
    rng = np.random.default_rng(0)
    painted = [handwriting.signature(rng, 150), handwriting.initials(rng, 50), marks.stamp(rng, 120)]
    painted += [handwriting.note(rng, 120), handwriting.note(rng, 80, digits=True)]
    for picture in painted:
        alpha = picture[..., 3] >= 40
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 4
        assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))


def test_a_signature_is_as_wide_as_asked_or_narrower():
    widths = [handwriting.signature(np.random.default_rng(seed), 160).shape[1] for seed in range(20)]
    assert max(widths) <= 180
    assert np.median(widths) > 130


def test_qr_codes_say_their_text():
    text = "https://example.org/acts/42"
    picture = marks.qr(text, module=5, quiet=4)
    assert cv2.QRCodeDetector().detectAndDecode(picture[..., :3].copy())[0] == text
    assert marks.qr(text, module=1).shape[0] * 5 + 40 == picture.shape[0]


def test_ink_darkens_what_lies_below_and_a_code_covers_it():
    page = np.full((60, 60, 3), 200, np.uint8)
    page[:, 30:] = 10
    ink = np.zeros((60, 60, 4), np.uint8)
    ink[..., 2], ink[..., 3] = 255, 255
    press(page, Mark("stamp", ink, 0, 0))
    assert page[5, 5].tolist() == [0, 0, 200]
    assert page[5, 50].tolist() == [0, 0, 10]
    press(page, Mark("qr", np.full((20, 20, 4), 255, np.uint8), 50, 50))  # half outside the page
    assert page[55, 55].tolist() == [255, 255, 255]
