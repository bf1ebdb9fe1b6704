import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.data.detections import detections
from assay.errors import UserError
from assay.evaluation.boxes import BOX_COLUMNS, companions, read_boxes, rows_of, write_boxes
from assay.files import write_json
from tests.evaluation.detectors import random_boxes, two_images


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "predictions.parquet"
    written = random_boxes(8)
    write_boxes(path, written)
    read = read_boxes(path, content="c" * 64)
    for name in ("boxes", "truth", "images"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(written, name))
    assert (read.classes, read.models, read.data) == (written.classes, written.models, written.data)


def test_a_detector_that_finds_nothing_is_stored(tmp_path):
    written = two_images()
    written = dataclasses.replace(written, boxes=written.boxes.iloc[:0])
    write_boxes(tmp_path / "predictions.parquet", written)
    assert read_boxes(tmp_path / "predictions.parquet").of("m").empty


def change(table, column, value, row=0):
    table = table.copy()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("part", "edit", "message"),
    [
        ("boxes", lambda t: change(t, "x1", np.nan), r"row 0 \(0.png\).*is no box"),
        ("boxes", lambda t: change(t, "x2", 50.0, 1), r"predictions.parquet: row 1 .*x1 < x2"),
        ("truth", lambda t: change(t, "y2", np.inf), r"truth.parquet: row 0"),
        ("boxes", lambda t: change(t, "score", 1.2, 2), r"row 2 \(m, 1.png\): score 1.2 is outside 0-1"),
        ("boxes", lambda t: change(t, "score", np.nan), "score nan is outside"),
        ("boxes", lambda t: change(t, "label", "car"), "label 'car' is no class; the classes are cone"),
        ("truth", lambda t: change(t, "label", "car"), "truth.parquet: row 0: label 'car'"),
        ("boxes", lambda t: change(t, "image", "9.png"), "image 9.png is not in images.parquet"),
        ("truth", lambda t: change(t, "image", "9.png"), "image 9.png is not in images.parquet"),
        ("images", lambda t: change(t, "image", "1.png"), "image 1.png is listed twice"),
        ("images", lambda t: change(t, "group", None), "must be filled"),
        ("boxes", lambda t: change(t, "model", "other"), "'other' is not described in predictions.json"),
        ("boxes", lambda t: t.drop(columns="score"), "column score missing; found model, image"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, part, edit, message):
    predictions = two_images()
    bad = dataclasses.replace(predictions, **{part: edit(getattr(predictions, part))})
    with pytest.raises(UserError, match=message) as error:
        write_boxes(tmp_path / "predictions.parquet", bad)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_region_to_ignore_needs_no_class(tmp_path):
    predictions = two_images()
    truth = change(change(predictions.truth, "label", ""), "ignore", True)
    write_boxes(
        tmp_path / "p.parquet", dataclasses.replace(predictions, truth=truth.astype({"ignore": bool}))
    )


def test_files_on_disk_are_checked_too(tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(UserError, match=r"predictions\.parquet: not found; run the evaluate stage"):
        read_boxes(path)
    write_boxes(path, two_images())
    with pytest.raises(UserError, match="predictions of other data"):
        read_boxes(path, content="d" * 64)
    change(two_images().boxes, "score", 7.0).astype({"score": float}).to_parquet(path)
    with pytest.raises(UserError, match="outside 0-1"):
        read_boxes(path)
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match="cannot be read as predictions"):
        read_boxes(path)
    write_boxes(path, two_images())
    write_json(companions(path)["about"], {"classes": ["cone"]})
    with pytest.raises(UserError, match="cannot be read as predictions"):
        read_boxes(path)


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(UserError, match="no model 'x'; there are: m"):
        two_images().of("x")
    with pytest.raises(UserError, match="no image of split 'val'; there are: test"):
        two_images().split("val")


def test_an_image_without_a_group_is_its_own():
    assert two_images().split("test")["group"].tolist() == ["0.png", "1.png"]


def test_detections_become_rows_and_boxes_without_area_go():
    found = {
        "0.png": detections(np.array([[0, 0, 5, 5], [3, 3, 3, 9]]), np.array([1, 0]), np.array([0.5, 0.4])),
        "1.png": detections(np.empty((0, 4)), np.empty(0), np.empty(0)),
    }
    rows = rows_of("m", found, ["cone", "drum"])
    assert list(rows.columns) == list(BOX_COLUMNS)
    assert rows.to_numpy().tolist() == [["m", "0.png", "drum", 0.0, 0.0, 5.0, 5.0, 0.5]]
    assert rows_of("m", {"1.png": found["1.png"]}, ["cone", "drum"]).empty
