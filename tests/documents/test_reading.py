import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from assay.documents.reading import Asked, Model, read_page, read_pages
from assay.documents.sheets import Limits, Sheet, sheets
from assay.documents.summary import summarise_document
from assay.evaluation.grouping import GroupingRule
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, model, with_code


def page(picture=None, number=1):
    return Sheet(number, np.full((1000, 700, 3), 255, np.uint8) if picture is None else picture, "scanned")


def test_a_page_has_raw_and_grouped_boxes_that_know_each_other():
    read = read_page(model(*MARKS), page(), Asked())
    assert [mark["label"] for mark in read["raw"]] == ["signature", "signature", "stamp"]
    signature, stamp = read["grouped"]
    assert signature == {
        "label": "signature",
        "confidence": 0.9,
        "box": [70.0, 100.0, 420.0, 230.0],
        "merged_count": 2,
        "members": [0, 1],
    }
    assert (stamp["merged_count"], stamp["members"]) == (1, [2])
    assert read["summary"] == {
        "has_signature": True,
        "has_stamp": True,
        "qr_texts": [],
        "marks": {"signature": 1, "stamp": 1},
    }
    assert set(read["milliseconds"]) == {"detect", "group", "decode"}


def test_confidence_and_grouping_are_as_asked():
    assert len(read_page(model(*MARKS), page(), Asked(confidence=0.05))["raw"]) == 4
    apart = Asked(rule=GroupingRule(distance=1, iou=0.99, containment=0.99, drop_contained=0.99))
    assert [mark["merged_count"] for mark in read_page(model(*MARKS), page(), apart)["grouped"]] == [1, 1, 1]


@pytest.mark.parametrize(("codes", "texts"), [("page", ["one", "two"]), ("boxes", ["one"]), ("off", [])])
def test_codes_are_decoded_where_it_is_asked_for(codes, texts):
    picture = np.hstack([with_code("one"), with_code("two")])
    height, width = picture.shape[:2]
    box = (40 / width, 60 / height, 115 / width, 135 / height, 0, 0.8)
    read = read_page(model(box), page(picture), Asked(codes=codes))
    assert sorted(code["text"] for code in read["codes"]) == texts
    assert read["grouped"][0].get("text") == ("one" if texts else None)
    assert {code["text"] for code in read["codes"] if code["found_by_detector"]} == set(texts[:1])
    assert sorted(read["summary"]["qr_texts"]) == texts


def test_a_document_sums_up_its_pages_and_names_the_bad_ones():
    def large(canvas):
        canvas.setPageSize((9000, 100))

    document = sheets(drawn.pdf(drawn.text, large, drawn.scan), limits=Limits(dpi=100))
    pages = [read for read, _ in read_pages(model(*MARKS), document, Asked())]
    assert pages[1] == {
        "page": 2,
        "error": "too large: 12500x139 px at 100 DPI; the limit is 10000 px a side",
    }
    assert summarise_document(pages) == {
        "pages": 3,
        "failed_pages": [2],
        "origin": "mixed",
        "has_signature": True,
        "has_stamp": True,
        "signature_pages": [1, 3],
        "stamp_pages": [1, 3],
        "qr_texts": [],
        "marks": {"signature": 2, "stamp": 2},
    }
    assert summarise_document(pages[1:2])["origin"] == "unknown"


def test_a_subclass_is_of_its_kind():
    told = model((0.1, 0.1, 0.2, 0.2, 0, 0.9))
    told.predictor.classes = ("stamp_notary",)
    read = read_page(told, page(), dataclasses.replace(Asked(), codes="off"))
    assert (read["summary"]["has_stamp"], read["summary"]["has_signature"]) == (True, False)


def test_what_is_told_of_a_model_names_no_file_of_the_host(tmp_path, monkeypatch):
    began = {"origin": "file", "root": "file", "detail": "/home/me/yolo11n.pt sha256 eb3455f5047014d2"}
    known = SimpleNamespace(metadata={"task": "detection", "architecture": "yolo11n", "weights": began})
    monkeypatch.setattr("assay.export.detection.DetectorPredictor.load", lambda *_, **__: known)
    (tmp_path / "model.onnx").write_bytes(b"weights")
    about = Model.load(tmp_path).about
    assert (about["architecture"], about["weights"]) == ("yolo11n", "file")
    assert "yolo11n.pt" not in str(about)
