import csv

import pytest

from assay.data.signs import COLUMNS, read_signs
from assay.errors import UserError

ROWS = [
    ("a.jpg", "train", "work_zone", "DETOUR", "orange"),
    ("b.jpg", "train", "roadside_signs", "STOP", "plain"),
    ("c.jpg", "test", "work_zone", "ROAD WORK", "board"),
    ("d.jpg", "test", "roadside_signs", "NA", "plain"),
]


def write(folder, rows, columns=COLUMNS):
    signs = folder / "signs"
    signs.mkdir()
    with (signs / "signs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    for name in "abcd":
        (signs / f"{name}.jpg").touch()


def test_signs_come_with_their_texts(tmp_path):
    write(tmp_path, ROWS)
    found = read_signs(tmp_path)
    assert found["image"].tolist() == [f"signs/{name}.jpg" for name in "abcd"]
    assert found["text"].tolist()[-1] == "NA"  # a text, no missing value


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (None, None, "no such file"),
        (ROWS, ("image", "split", "label", "words", "look"), "column text is missing"),
        ([*ROWS, ("a.jpg", "val", "work_zone", "X", "")], COLUMNS, "line 6: split 'val'"),
        ([*ROWS, ("e.jpg", "test", "work_zone", "X", "")], COLUMNS, r"line 6: e\.jpg: no such picture"),
        (ROWS[:3], COLUMNS, "split test needs signs of both labels"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(tmp_path, rows, columns, said):
    if rows is not None:
        write(tmp_path, rows, columns)
    with pytest.raises(UserError, match=said) as refusal:
        read_signs(tmp_path)
    assert "\n" not in str(refusal.value)
