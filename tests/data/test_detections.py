import numpy as np
import pandas as pd
import pytest

from assay.data.detections import COLUMNS, detections, from_table, to_table

CLASSES = ("cone", "drum")
FOUND = {
    "b.jpg": detections([[1, 2, 3, 4], [5, 6, 7.5, 8]], [1, 0], [0.75, 0.5]),
    "empty.jpg": detections([], [], []),
    "a.jpg": detections([[0, 0, 9, 9]], [0], [0.25]),
}


def test_the_table_holds_a_row_per_box_in_the_images_order():
    table = to_table(FOUND, CLASSES)
    assert table.columns.tolist() == [*COLUMNS, "score"]
    assert table["image"].tolist() == ["b.jpg", "b.jpg", "a.jpg"]
    assert table["label"].tolist() == ["drum", "cone", "cone"]
    assert table[["x1", "y2", "score"]].to_numpy().tolist() == [[1, 4, 0.75], [5, 8, 0.5], [0, 9, 0.25]]


def test_what_was_stored_comes_back():
    back = from_table(to_table(FOUND, CLASSES), CLASSES, FOUND)
    assert list(back) == list(FOUND)
    for image, boxes in FOUND.items():
        assert np.array_equal(back[image].xyxy, boxes.xyxy)
        assert np.array_equal(back[image].class_id, boxes.class_id)
        assert np.array_equal(back[image].confidence, boxes.confidence)


def test_boxes_that_a_person_drew_have_no_confidence():
    drawn = {"a.jpg": detections([[1, 1, 2, 2]], [1])}
    table = to_table(drawn, CLASSES)
    assert table["score"].isna().all()
    assert from_table(table, CLASSES, ["a.jpg"])["a.jpg"].confidence is None
    without = from_table(table.drop(columns="score"), CLASSES, ["a.jpg", "b.jpg"])
    assert without["a.jpg"].confidence is None and len(without["b.jpg"]) == 0


def test_no_box_at_all_is_an_empty_table_that_can_be_read():
    table = to_table({"a.jpg": detections([], [], [])}, CLASSES)
    assert table.columns.tolist() == [*COLUMNS, "score"] and table.empty
    assert len(from_table(table, CLASSES, ["a.jpg"])["a.jpg"]) == 0
    assert to_table({}, CLASSES).empty


def test_a_label_that_is_no_class_is_an_error():
    table = pd.DataFrame([("a.jpg", "worker", 0, 0, 1, 1)], columns=list(COLUMNS))
    with pytest.raises(KeyError, match="worker"):
        from_table(table, CLASSES, ["a.jpg"])
