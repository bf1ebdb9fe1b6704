import re

import numpy as np
import pandas as pd
import pytest

from assay.errors import UserError
from assay.evaluation.predictions import (
    Predictions,
    probabilities,
    read_predictions,
    table_of,
    write_predictions,
)

CLASSES = ("clean", "pit")


def stored(**changes) -> Predictions:
    manifest = pd.DataFrame(
        {
            "image": ["b ü.png", "a.png"],
            "group": ["1", "0"],
            "label": ["pit", "clean"],
            "leak": [False, True],
        }
    )
    table = table_of("model", manifest, np.array([[0.2, 0.8], [0.9, 0.1]]), known=CLASSES, classes=CLASSES)
    return Predictions(
        table.assign(**changes), CLASSES, {"model": {"hash": "h", "experiment": "e"}}, {"content": "c" * 64}
    )


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, stored())
    read = read_predictions(path, images=["a.png", "b ü.png"])
    rows = read.of("model")
    assert rows["image"].tolist() == ["a.png", "b ü.png"]  # sorted, whatever the order written
    assert rows["leak"].tolist() == [True, False]
    assert read.classes == CLASSES
    np.testing.assert_allclose(probabilities(rows, CLASSES), [[0.9, 0.1], [0.2, 0.8]])


def test_a_class_the_model_does_not_know_has_probability_zero():
    manifest = pd.DataFrame({"image": ["a"], "group": ["0"], "label": ["clean"], "leak": [False]})
    table = table_of(
        "m", manifest, np.array([[0.3, 0.7]]), known=("clean", "pit"), classes=("clean", "maybe", "pit")
    )
    assert probabilities(table, ("clean", "maybe", "pit")).tolist() == [[0.3, 0.0, 0.7]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p_pit": [0.8, 0.3]}, r"row 1 \(model, a.png\).*sum to 1"),  # sums to 1.2
        ({"p_pit": [np.nan, 0.1]}, r"row 0 \(model, b ü.png\)"),  # not a number
        ({"p_clean": [1.2, 0.9], "p_pit": [-0.2, 0.1]}, r"row 0"),  # sums to 1, but no shares
        ({"label": ["pit", "maybe"]}, r"label 'maybe' is no class"),
        ({"model": ["model", "other"]}, r"model 'other' is not described in predictions.json"),
        ({"image": ["a.png", "a.png"]}, r"row 1: image a.png is stored twice"),
    ],
)
def test_wrong_predictions_are_one_line(tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        write_predictions(tmp_path / "predictions.parquet", stored(**changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "predictions.parquet").exists()


def test_missing_columns_are_named(tmp_path):
    good = stored()
    without = Predictions(good.table.drop(columns=["leak", "p_pit"]), CLASSES, good.models, good.data)
    with pytest.raises(UserError, match=re.escape("column leak, p_pit missing")):
        write_predictions(tmp_path / "predictions.parquet", without)


def test_other_data_missing_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(UserError, match="not found"):
        read_predictions(path)
    write_predictions(path, stored())
    with pytest.raises(
        UserError, match=r"other data: image b ü.png is not in the data .1 foreign, 0 missing"
    ):
        read_predictions(path, images=["a.png"])
    with pytest.raises(UserError, match=r"other data: image c.png of the data is not there"):
        read_predictions(path, images=["a.png", "b ü.png", "c.png"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be read as predictions"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.assign(p_pit=0.9), r"row 0 .*sum to 1; store softmax outputs .2 such rows"),
        (lambda table: table.assign(p_pit=np.nan), r"row 0 .*nan.*2 such rows"),
        (lambda table: table.drop(columns="p_clean"), r"column p_clean missing; found model, image"),
    ],
    ids=["no shares", "not a number", "no column"],
)
def test_a_file_that_was_changed_by_hand_is_one_line(tmp_path, change, message):
    path = tmp_path / "predictions.parquet"
    write_predictions(path, stored())
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(UserError, match=message) as caught:
        read_predictions(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_an_unknown_model_names_the_known():
    with pytest.raises(UserError, match="there are: model"):
        stored().of("baseline")
