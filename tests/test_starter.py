import cv2
import pytest

from assay import starter

CLASS_MAP = {"slope drain": "drain"}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(starter, "VALIDATION", 1)


def test_scenes_are_drawn_with_boxes_inside_them_and_always_the_same(few, tmp_path):
    rows, boxes = starter.draw(tmp_path / "a", class_map=CLASS_MAP, scenes=2, seed=0)
    assert rows["split"].value_counts().to_dict() == {"train": 6, "val": 3}
    assert rows["image"].is_unique and rows["sha256"].is_unique
    for row in rows.itertuples():
        assert cv2.imread(str(tmp_path / "a" / row.image)).shape == (row.height, row.width, 3)
    assert set(boxes["image"]) <= set(rows["image"])
    assert (
        (boxes["x1"] >= 0).all()
        and (boxes["x2"] <= boxes["width"]).all()
        and (boxes["x1"] < boxes["x2"]).all()
    )
    assert (
        (boxes["y1"] >= 0).all()
        and (boxes["y2"] <= boxes["height"]).all()
        and (boxes["y1"] < boxes["y2"]).all()
    )
    assert "slope drain" not in set(boxes["label"]) and "drain" in set(boxes["label"])
    again, same = starter.draw(tmp_path / "b", class_map=CLASS_MAP, scenes=2, seed=0)
    assert rows.equals(again) and boxes.equals(same)
    other, _ = starter.draw(tmp_path / "c", class_map=CLASS_MAP, scenes=2, seed=1)
    assert not set(rows["sha256"]) & set(other["sha256"])
