"""When two pages count as alike."""

import pytest

from benchmarks.annotate import same

PAGE = [((0, 0, 100, 50), 1, 2), ((0, 200, 100, 250), 1, 1)]


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (PAGE[::-1], True),
        ([((1, 1, 101, 51), 1, 2), PAGE[1]], True),  # IoU .94
        ([((5, 5, 105, 55), 1, 2), PAGE[1]], False),  # IoU .75
        ([((0, 0, 100, 50), 2, 2), PAGE[1]], False),  # another class
        ([((0, 0, 100, 50), 1, 3), PAGE[1]], False),  # another number of merged boxes
        (PAGE[:1], False),
        ([*PAGE, PAGE[0]], False),
    ],
)
def test_pages_with_the_same_groups_are_alike(other, alike):
    assert same(PAGE, other) is alike
