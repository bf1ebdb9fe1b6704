import json

import pytest

from assay.data.document_annotations import BadAnnotation, PageAnnotations, page_boxes, read_annotations
from assay.data.items import Box
from assay.errors import UserError

MAP = {"qr": "qr", "qr_code": "qr", "signature": "signature"}


def annotation(category="qr", *, x=10, y=20, width=30, height=40, key="annotation_1"):
    return {key: {"category": category, "bbox": {"x": x, "y": y, "width": width, "height": height}}}


def boxes(*annotations, size=(100, 200), drawn=(100, 200), notes=None):
    page = {"page_size": {"width": size[0], "height": size[1]}, "annotations": list(annotations)}
    listed = PageAnnotations("a.pdf", 1, "page_1", page)
    return page_boxes(listed, *drawn, class_map=MAP, ignore=["paraphe"], notes=notes)


def test_corner_and_size_become_edges_in_px_of_the_drawn_page():
    assert boxes(annotation()) == (Box("qr", (10, 20, 40, 60), "qr"),)
    assert boxes(annotation("qr_code"), drawn=(50, 100)) == (Box("qr", (5, 10, 20, 30), "qr_code"),)


def test_an_ignored_category_is_a_region_without_a_class():
    assert boxes(annotation("paraphe")) == (Box("", (10, 20, 40, 60), "paraphe", ignore=True),)


def test_no_annotation_is_a_page_without_marks():
    assert boxes() == ()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            annotation("seal"),
            "annotation_1: unknown category 'seal'; known are paraphe, qr, qr_code, signature",
        ),
        (annotation(None), "annotation_1: unknown category None"),
        (annotation(x=float("nan")), "annotation_1: x is nan, no finite number"),
        (annotation(height=float("inf")), "annotation_1: height is inf"),
        (annotation(width=None), "annotation_1: width is None"),
        (annotation(width="30"), "annotation_1: width is '30'"),
        (annotation(width=True), "annotation_1: width is True"),
        (annotation(width=-5), "annotation_1: a negative size, -5 x 40"),
        (annotation(x=95), "leaves the page of 100x200 px"),
        (annotation(y=-3), r"the box \(10, -3, 40, 37\) leaves the page"),
        ({"annotation_7": {"category": "qr"}}, "annotation_7: bbox None"),
        ({"annotation_7": "qr"}, "annotation_7: no object with category and bbox"),
    ],
)
def test_a_wrong_annotation_condemns_its_page_and_is_named(wrong, reason):
    with pytest.raises(BadAnnotation, match=reason):
        boxes(annotation(key="annotation_0"), wrong)


def test_small_overshoot_is_clipped_and_no_area_dropped_and_both_are_said():
    notes = []
    assert boxes(
        annotation(x=71, key="a"), annotation(width=0, key="b"), annotation(x=71, key="c"), notes=notes
    ) == (Box("qr", (71, 20, 100, 60), "qr"),)
    assert notes == [
        "a: clipped to the page",
        "b: dropped, a box without area (qr)",
        "c: clipped to the page",
        "c: dropped, the same box again (qr)",
    ]


@pytest.mark.parametrize("size", [(0, 100), (-1, 100), (float("nan"), 100), (None, 100)])
def test_a_page_size_that_is_none(size):
    with pytest.raises(BadAnnotation, match="page_1: page_size"):
        boxes(size=size)


def test_a_page_size_of_another_shape_is_another_page():
    with pytest.raises(BadAnnotation, match="page_size 200x100 has another shape than the page, 100x200 px"):
        boxes(size=(200, 100))
    assert boxes(size=(101, 200)) == ()


def test_pages_are_listed_in_order_with_their_numbers(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"b.pdf": {"page_12": {}, "cover": {}}, "a.pdf": {"page_1": {}}}))
    listed = [(page.pdf, page.page, page.key) for page in read_annotations(path)]
    assert listed == [("b.pdf", 12, "page_12"), ("b.pdf", 0, "cover"), ("a.pdf", 1, "page_1")]


@pytest.mark.parametrize(
    ("text", "reason"), [("[1]", "another layout"), ("{oops", "no JSON"), ('{"a": []}', "another")]
)
def test_a_file_of_another_kind_is_one_line(tmp_path, text, reason):
    path = tmp_path / "annotations.json"
    path.write_text(text)
    with pytest.raises(UserError, match=reason):
        read_annotations(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"annotations.json: missing"):
        read_annotations(tmp_path / "annotations.json")
