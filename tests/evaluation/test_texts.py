import pytest

from assay.evaluation.texts import edit_distance


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "", 0), ("stop", "", 4), ("kitten", "sitting", 3), ("roadwork", "r0adwork", 1), ("ab", "ba", 2)],
)
def test_letters_to_change(one, other, distance):
    assert edit_distance(one, other) == edit_distance(other, one) == distance
