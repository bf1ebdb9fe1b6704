import pandas as pd
import pytest

from assay.data.conditions_table import COLUMNS, FEATURES, NEEDED, read_conditions
from assay.errors import UserError

TYPES = ("rock_toe", "toe_drain")
GOOD = {
    **{"split": "train", "image": "a.jpg", "x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 1.004},
    **{"object_type": "toe_drain", "original_class": "Toe drain", "condition": "normal", "label": 0},
    **dict.fromkeys(COLUMNS[10:], 0.5),
}


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")

    def read(*rows, columns=COLUMNS):
        pd.DataFrame([GOOD | row for row in rows], columns=columns).to_csv(tmp_path / "c.csv", index=False)
        return read_conditions(tmp_path / "c.csv", object_types=TYPES, data=tmp_path)

    return read


def test_good_rows_have_numbers_and_the_line_they_stand_in(read):
    table, bad = read({}, {"label": 1, "condition": "blocked"})
    assert bad == [] and table["row"].tolist() == [2, 3] and table["label"].tolist() == [0, 1]
    assert table.loc[0, "y2"] == 1.0, "clipped"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"x1": float("nan")}, "x1: '' is no number"),
        ({"x1": "nan"}, "x1 is nan"),
        ({"y2": 1.4}, "the box lies outside the image: y2 1.4"),
        ({"x2": 0.1}, "the box has no area"),
        ({"object_type": "tree"}, "object type 'tree' is none of rock_toe, toe_drain"),
        ({"label": 2}, "label '2' is neither 0 nor 1"),
        ({"label": "maybe"}, "label 'maybe' is neither 0 nor 1"),
        ({"condition": "bad"}, "condition 'bad' is none of"),
        ({"split": "pool"}, "split 'pool' is none of"),
        ({"image": "b.jpg"}, "image 'b.jpg' is not there"),
        ({"image": ""}, "image '' is not there"),
        ({"overlap_rock_toe": "inf"}, "overlap_rock_toe is inf"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(read, change, reason):
    table, bad = read({}, change, {})
    assert len(table) == 2 and len(bad) == 1
    assert bad[0].source == "c.csv, line 3" and reason in bad[0].reason


def test_the_features_may_be_left_out(read):
    table, bad = read({}, {}, columns=[*NEEDED, "detector_confidence"])
    assert bad == [] and len(table) == 2
    assert set(FEATURES) & set(table.columns) == {"detector_confidence"}


def test_a_missing_column_and_a_missing_table_are_one_line(read, tmp_path):
    with pytest.raises(UserError, match="no column original_class; expected split,image,x1"):
        read({}, columns=[column for column in COLUMNS if column != "original_class"])
    with pytest.raises(UserError, match="missing"):
        read_conditions(tmp_path / "none.csv", object_types=TYPES, data=tmp_path)
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a CSV file"):
        read_conditions(tmp_path / "c.csv", object_types=TYPES, data=tmp_path)
