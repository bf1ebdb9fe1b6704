import cv2
import numpy as np
import pytest

from assay.documents.codes import read_codes
from assay.documents.photo import flatten
from tests.documents.conftest import with_code

CORNERS = np.array([(180, 120), (640, 160), (700, 860), (110, 800)], np.float32)


def photographed(page, corners=CORNERS, seed=0):
    """The page on a darker, uneven table, 800 x 1000 px."""
    height, width = page.shape[:2]
    rng = np.random.default_rng(seed)
    table = cv2.resize(rng.integers(60, 110, (20, 16, 3), np.uint8), (800, 1000))
    start = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(start, corners)
    laid = cv2.warpPerspective(page, matrix, (800, 1000))
    covers = cv2.warpPerspective(np.full(page.shape[:2], 255, np.uint8), matrix, (800, 1000)) > 127
    return np.where(covers[..., None], laid, table)


@pytest.mark.parametrize("turn", [0, 90])
def test_a_page_of_the_sample_is_found_and_flat_again(scanned_page, turn):
    photo = np.ascontiguousarray(np.rot90(photographed(scanned_page), turn // 90))
    flat = flatten(photo)
    if not turn:
        assert np.abs(flat.corners - CORNERS).max() < 12
    height, width = flat.picture.shape[:2]
    assert max(height, width) / min(height, width) == pytest.approx(1754 / 1240, abs=0.25)
    small = cv2.resize(np.rot90(scanned_page, turn // 90), (width, height)).astype(float)
    ink = np.corrcoef(
        cv2.GaussianBlur(small, (0, 0), 6).ravel(), cv2.GaussianBlur(flat.picture, (0, 0), 6).ravel()
    )
    assert ink[0, 1] > 0.6  # the lines of text lie where they did


def test_what_is_flat_can_be_traced_back():
    flat = flatten(photographed(with_code("flat", size=(840, 596), at=(80, 90), module=8)))
    back = cv2.perspectiveTransform(flat.corners[None].astype(np.float32), flat.to_page)[0]
    height, width = flat.picture.shape[:2]
    assert np.abs(back - [(0, 0), (width, 0), (width, height), (0, height)]).max() < 1
    (code,) = read_codes(flat.picture)
    assert code.text == "flat"
    assert np.allclose(np.array(code.xyxy[:2]) / (width, height), (80 / 596, 90 / 840), atol=0.03)


def test_no_outline_no_page(scanned_page):
    assert flatten(scanned_page) is None  # a scan: the page is all there is
    assert flatten(np.full((500, 400, 3), 128, np.uint8)) is None
    broken_off = scanned_page.copy()
    broken_off[800:] = 128  # a scan that ended early: its upper part is no page on a table
    assert flatten(broken_off) is None
    assert flatten(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)) is None
