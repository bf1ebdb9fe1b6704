import numpy as np
import pytest

from assay.data.page_conditions import CONDITIONS, size_at

WIDTH, HEIGHT = 1654, 2339  # A4 at 200 DPI
BOXES = np.array([(100, 200, 300, 260), (1200, 2000, 1600, 2300)], float)
COLOURS = ((200, 30, 30), (30, 30, 200))


def page():
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for (x1, y1, x2, y2), colour in zip(BOXES.astype(int), COLOURS, strict=True):
        picture[y1:y2, x1:x2] = colour
    return picture


def where(picture, channel):
    """The box of what is red (0) or blue (2)."""
    strong = picture[..., channel].astype(int) - picture[..., 2 - channel] > 20
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("name", CONDITIONS)
def test_boxes_follow_the_marks(name):
    condition, picture = CONDITIONS[name], page()
    before = picture.copy()
    drawn = condition.draw(picture)
    boxes, size = condition.place(BOXES, (WIDTH, HEIGHT))
    assert drawn.dtype == np.uint8 and drawn.shape == (size[1], size[0], 3)
    assert np.array_equal(picture, before)  # what comes in stays as it is
    for box, channel in zip(boxes, (0, 2), strict=True):
        assert np.abs(np.array(where(drawn, channel)) - box).max() <= 1
    assert condition.place(np.empty((0, 4)), (WIDTH, HEIGHT))[0].shape == (0, 4)


def test_right_then_left_is_nothing():
    right, left = CONDITIONS["turned_right"], CONDITIONS["turned_left"]
    assert np.array_equal(left.draw(right.draw(page())), page())
    boxes, size = left.place(*right.place(BOXES, (WIDTH, HEIGHT)))
    assert np.array_equal(boxes, BOXES) and size == (WIDTH, HEIGHT)


def test_clockwise_is_clockwise():
    corner = np.zeros((4, 6, 3), np.uint8)
    corner[0, 0] = 255  # the upper left corner goes to the upper right
    assert CONDITIONS["turned_right"].draw(corner)[0, -1, 0] == 255
    assert CONDITIONS["turned_right"].place(np.array([(0, 0, 1, 1.0)]), (6, 4))[0].tolist() == [[3, 0, 4, 1]]


def test_dots_per_inch_are_those_of_a4_and_nothing_grows():
    assert size_at((WIDTH, HEIGHT), 100) == (827, 1169)
    assert size_at((WIDTH, HEIGHT), 75) == (620, 877)
    assert size_at((300, 400), 75) == (300, 400)


def test_faded_ink_is_paler_and_paper_stays_white():
    faded = CONDITIONS["faded"].draw(page())
    assert faded.max() == 255 and faded.min() > 150
