import numpy as np
import pandas as pd
import pytest

from assay.errors import UserError
from assay.evaluation.out_of_fold import FILE, read_out_of_fold
from assay.training.cross_fit import CrossFit

CLASSES = ("clean", "pit")


@pytest.fixture
def written(tmp_path):
    rows = pd.DataFrame(
        {"image": ["a", "b", "a"], "label": ["clean", "pit", "clean"], "group": ["1", "2", "1"]}
    )
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], np.float32)
    CrossFit(np.array([0, 1, 0]), scores, {}).write(tmp_path, rows.set_index([[5, 6, 7]]), CLASSES)
    return tmp_path


def test_an_image_shown_twice_is_written_once(written):
    table = read_out_of_fold(written, CLASSES)
    assert list(table.columns) == ["image", "label", "group", "fold", "p_clean", "p_pit"]
    assert table["image"].tolist() == ["a", "b"] and table["fold"].tolist() == [0, 1]
    assert table["p_pit"].tolist() == pytest.approx([0.1, 0.8])


def test_a_training_without_folds_has_none(tmp_path):
    assert read_out_of_fold(tmp_path, CLASSES) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p_pit": [0.1, 0.3]}, r"row 1 \(b\): probabilities \[0\.2, 0\.3\] are not shares that sum to 1"),
        ({"p_pit": [np.nan, 0.8]}, r"row 0 \(a\): probabilities"),
        ({"label": ["clean", "stone"]}, "label 'stone' is no class; the classes are clean, pit"),
        ({"p_pit": None}, "column p_pit missing; train the model again"),
    ],
)
def test_a_damaged_table_is_one_line(written, change, message):
    table = pd.read_parquet(written / FILE)
    for name, values in change.items():
        table = table.drop(columns=name) if values is None else table.assign(**{name: values})
    table.to_parquet(written / FILE)
    with pytest.raises(UserError, match=message):
        read_out_of_fold(written, CLASSES)


def test_what_is_no_table_is_one_line(written):
    (written / FILE).write_text("no table")
    with pytest.raises(UserError, match="cannot be read as a table"):
        read_out_of_fold(written, CLASSES)
