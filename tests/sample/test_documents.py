import csv
import re
from collections import Counter

import numpy as np
import pytest

from assay.data.documents import read
from assay.data.items import Bad, Item
from assay.data.source import content_hash, read_source
from assay.sample.documents import (
    COPIED,
    DOCUMENTS,
    ENCRYPTED,
    GONE,
    NAN,
    NEGATIVE,
    NOT_THERE,
    OVERLOOKED,
    TRUNCATED,
    UNLISTED,
    UNMARKED,
    make,
)
from assay.sample.pdf_paper import DPI

SUBCLASSES = (
    *("signature_handwritten", "signature_digital"),
    *("stamp_official", "stamp_notary", "stamp_company"),
)
SETTINGS = {
    "class_map": {name: name.partition("_")[0] for name in ("qr", *SUBCLASSES)},
    "ignore": ["paraphe"],
    "max_side": 10_000,
    "dpi": DPI,
    "validation_share": 0.1,
    "split_seed": 42,
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "documents"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def found(sample):
    """Everything the reader says, by source."""
    return {one.source: one for one in read(sample, **SETTINGS)}


@pytest.fixture(scope="module")
def items(found):
    return {source: one for source, one in found.items() if isinstance(one, Item)}


@pytest.fixture(scope="module")
def truth(sample):
    with (sample / "truth.csv").open(encoding="utf-8") as stream:
        return {row["image"]: row for row in csv.DictReader(stream)}


def pixels(item):
    return np.asarray(item.read.__self__.image())


@pytest.mark.slow
def test_two_generations_are_the_same_and_another_seed_is_not(sample, tmp_path):
    make(tmp_path / "again")
    assert content_hash(tmp_path / "again") == content_hash(sample)
    make(tmp_path / "other", seed=4)
    assert content_hash(tmp_path / "other") != content_hash(sample)


def test_it_is_described_as_a_sample_and_small(sample):
    source = read_source(sample)
    assert (source["project"], source["source"]) == ("documents", "sample")
    assert sum(path.stat().st_size for path in sample.rglob("*")) < 12e6


def test_the_faults_and_nothing_else_are_set_aside(found):
    bad = {one.source.removeprefix("pdfs/"): one.reason for one in found.values() if isinstance(one, Bad)}
    expected = {
        f"{TRUNCATED}.pdf": "truncated",
        f"{ENCRYPTED}.pdf": "encrypted",
        f"{GONE}.pdf": "there is no such file",
        f"{NAN[0]}.pdf#page={NAN[1]}": "x is nan",
        f"{NEGATIVE[0]}.pdf#page={NEGATIVE[1]}": "a negative size",
        f"{NOT_THERE[0]}.pdf#page={NOT_THERE[1]}": "annotated, but the document has 3 pages",
    }
    assert bad.keys() == expected.keys()
    assert all(reason in bad[source] for source, reason in expected.items())


def test_every_good_page_is_there(items):
    pages = Counter(
        source.split("#")[0].removeprefix("pdfs/") for source in items if source.startswith("pdfs/")
    )
    expected = {f"{name}.pdf": count for name, (count, _) in DOCUMENTS.items()} | {f"{UNLISTED}.pdf": 1}
    for name, _ in (NAN, NEGATIVE):
        expected[f"{name}.pdf"] -= 1
    assert pages == expected
    assert sum(count for count, _ in DOCUMENTS.values()) == 45


def test_each_class_occurs_often_and_in_both_splits(items):
    boxes = Counter((one.split, box.label) for one in items.values() for box in one.boxes)
    assert boxes["train", ""] >= 3
    for name in ("qr", "signature", "stamp"):
        assert boxes["train", name] >= 10
        assert boxes["val", name] >= 1


def test_kinds_of_signature_and_stamp_are_told_apart(items):
    kinds = Counter(box.raw for one in items.values() for box in one.boxes if box.raw in SUBCLASSES)
    assert set(kinds) == set(SUBCLASSES) and min(kinds.values()) >= 3, kinds
    digital = {one.source for one in items.values() for box in one.boxes if box.raw == "signature_digital"}
    scans = {f"pdfs/{name}.pdf" for name, (_, scan) in DOCUMENTS.items() if scan}
    assert not {source.partition("#")[0] for source in digital} & scans  # nobody prints and scans one here


def test_pages_nobody_looked_at_are_in_the_pool_with_their_truth(items, truth):
    pool = {source for source, one in items.items() if one.split == "pool"}
    overlooked = {f"pdfs/{name}.pdf#page={page}" for name, page in OVERLOOKED} | {
        f"pdfs/{UNLISTED}.pdf#page=1"
    }
    assert {source for source in pool if source.startswith("pdfs/")} == overlooked
    unmarked = Counter(truth[source]["truth"] for source in pool - overlooked)
    shows = Counter(show or "no_object" for pages, _ in UNMARKED.values() for show in pages)
    assert unmarked == shows
    assert set(shows) == {"no_object", "signature", "stamp", "qr"}


def test_truth_answers_for_every_page_and_agrees_with_the_boxes(items, truth):
    assert items.keys() <= truth.keys()
    for source, one in items.items():
        labels = {box.label for box in one.boxes if box.label}
        if one.split != "pool":
            said = truth[source]["truth"]
            assert said in labels if labels else said == "no_object"


def test_copied_pages_have_the_same_pixels(items):
    for first, page, second, copy in COPIED:
        one, other = (
            pixels(items[f"pdfs/{name}.pdf#page={k}"]) for name, k in ((first, page), (second, copy))
        )
        assert np.array_equal(one, other)


def test_boxes_hold_ink_and_its_edges(items):
    """A mark's box on a digital page has something dark or coloured within 3 px of each side."""
    chosen = [
        one for source, one in items.items() if re.match(r"pdfs/(agreement_01|order_05|invoice_03)", source)
    ]
    for one in chosen:
        page = pixels(one)
        for box in one.boxes:
            x1, y1, x2, y2 = (round(edge) for edge in box.xyxy)
            ink = page[y1:y2, x1:x2].min(axis=2) < 200
            assert ink[:8].any(), (one.source, box)
            assert ink[-8:].any(), (one.source, box)
            assert ink[:, :8].any(), (one.source, box)
            assert ink[:, -8:].any(), (one.source, box)


def test_every_qr_code_decodes_after_rendering(items, truth):
    import cv2

    detector, zone, read_ones = cv2.QRCodeDetector(), 25, 0
    for source, one in items.items():
        codes = [box for box in one.boxes if box.label == "qr"]
        if not codes:
            continue
        page = np.pad(pixels(one), ((zone, zone), (zone, zone), (0, 0)), constant_values=255)
        for box in codes:
            x1, y1, x2, y2 = (round(edge) for edge in box.xyxy)
            part = np.ascontiguousarray(page[y1 : y2 + 2 * zone, x1 : x2 + 2 * zone])
            text = detector.detectAndDecode(part)[0]
            assert text, source
            assert text in truth[source]["note"]
            read_ones += 1
    assert read_ones >= 10
