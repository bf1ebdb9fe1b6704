import json

import pytest

from assay.data.coco_labels import read_coco
from assay.data.yolo_labels import BadLabel
from assay.errors import UserError


def write(tmp_path, *annotations, **changes):
    content = {
        "images": [{"id": 7, "file_name": "scans/page one.png", "width": 200, "height": 100}],
        "categories": [{"id": 3, "name": "signature"}, {"id": 9, "name": "stamp"}],
        "annotations": [{"id": k, "image_id": 7, **one} for k, one in enumerate(annotations, 1)],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content | changes))
    return tmp_path / "annotations.json"


def box(*bbox, category=3, **more):
    return {"category_id": category, "bbox": list(bbox), **more}


def test_boxes_are_px_of_the_stored_picture_whatever_size_the_file_speaks_of(tmp_path):
    listed = read_coco(write(tmp_path, box(20, 10, 40, 20), box(0, 0, 200, 100, category=9)))
    assert listed.of("page one", 400, 200, []) == [
        ("signature", (40.0, 20.0, 120.0, 60.0)),
        ("stamp", (0.0, 0.0, 400.0, 200.0)),
    ]
    assert list(listed.names.values()) == ["signature", "stamp"]


def test_a_picture_without_annotations_is_background(tmp_path):
    assert read_coco(write(tmp_path)).of("page one", 200, 100, []) == []


def test_what_is_mended_is_said(tmp_path):
    notes = []
    boxes = box(-1, 10, 41, 20), box(5, 5, 0, 9), box(-1, 10, 41, 20)
    read = read_coco(write(tmp_path, *boxes)).of("page one", 200, 100, notes)
    assert read == [("signature", (0.0, 10.0, 40.0, 30.0))]
    assert notes == [
        "annotation 1: clipped to the image",
        "annotation 2: dropped, a box without area (signature)",
        "annotation 3: clipped to the image",
        "annotation 3: dropped, the same box again (signature)",
    ]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (box(1, 2, 3), "annotation 1: bbox is not four numbers"),
        (box(1, 2, 3, "4"), "annotation 1: bbox is not four numbers"),
        (box(1, 2, 3, float("nan")), "annotation 1: bbox is not four numbers"),
        (box(150, 10, 90, 20), "annotation 1: the box leaves the image"),
        (box(1, 2, 3, 4, category=4), "annotation 1: no category 4"),
        (box(1, 2, 3, 4, iscrowd=1), "annotation 1: a crowd, not one object"),
    ],
)
def test_a_wrong_box_sets_its_picture_aside(tmp_path, wrong, reason):
    with pytest.raises(BadLabel) as caught:
        read_coco(write(tmp_path, wrong)).of("page one", 200, 100, [])
    assert caught.value.reason == reason


def test_a_picture_that_is_not_listed_or_has_no_size(tmp_path):
    with pytest.raises(BadLabel, match="not among"):
        read_coco(write(tmp_path)).of("page two", 200, 100, [])
    with pytest.raises(BadLabel, match="200x100 has another shape than the picture, 100x200 px"):
        read_coco(write(tmp_path, box(1, 2, 3, 4))).of("page one", 100, 200, [])
    path = write(tmp_path, images=[{"id": 1, "file_name": "a.png", "width": 0, "height": 5}])
    with pytest.raises(BadLabel, match="no width and height"):
        read_coco(path).of("a", 200, 100, [])


def test_two_pictures_of_one_name_are_one_line(tmp_path):
    twins = [
        {"id": k, "file_name": name, "width": 9, "height": 9} for k, name in enumerate(("a.png", "b/a.jpg"))
    ]
    with pytest.raises(UserError, match="a names 2 images"):
        read_coco(write(tmp_path, images=twins))


@pytest.mark.parametrize("content", ["{", "[]", '{"images": []}', '{"images": [{}], "categories": []}'])
def test_a_file_of_another_form_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match="expected COCO's"):
        read_coco(tmp_path / "a.json")
