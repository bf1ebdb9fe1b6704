"""Damaged pictures, labels, pages and clips: each is one line of quarantine.csv, and the rest goes on."""

import csv
import json
from functools import cache

import numpy as np
import pytest
from PIL import Image

from assay.config import compose
from assay.sample.video import write_h264, write_without_frames
from pipelines.detection import prepare
from tests.pipelines.detection_data import clip, make, overrides, put, write_pdf

GOOD = {"infrastructure": 17, "workzone": 14, "documents": 8}  # images of the drawn data
HALVES = {"infrastructure": "merged_375", "workzone": "drives"}  # where the YOLO set lies


@cache
def configured(project):
    return compose(overrides(project))


@pytest.fixture(scope="module", params=["infrastructure", "workzone"])
def photos(request, tmp_path_factory):
    """(project, folder) of drawn photos with labels; `planted` adds to it and takes away again."""
    folder = tmp_path_factory.mktemp(request.param)
    make(request.param, folder)
    return request.param, folder


@pytest.fixture
def prepared(monkeypatch, capsys):
    """Run the stage in a folder: (rows of quarantine.csv, its counts, the last line it printed)."""

    def prepared(project, folder):
        monkeypatch.chdir(folder)
        counts = prepare.main(configured(project))
        with (folder / f"build/{project}/dataset/quarantine.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return rows, counts, capsys.readouterr().out.splitlines()[-1]

    return prepared


def check(found, project, name, reason):
    (row,), counts, last = found
    assert row["image"] == name and reason in row["reason"], row
    assert counts["quarantined"] == 1 and counts["images"] == GOOD[project]
    assert last.endswith(f"{GOOD[project]} images, 1 files quarantined")


LINES = {
    "outside": ("0 0.5 1.7 0.1 0.1", "line 1: y centre 1.7 is outside 0-1"),
    "beyond the edge": ("0 0.5 0.98 0.1 0.1", "beyond the lower edge"),
    "not a number": ("0 0.5 nan 0.1 0.1", "line 1: nan among its numbers"),
    "second line": ("0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1", "line 2: 4 numbers"),
    "unknown class": ("7 0.5 0.5 0.1 0.1", "unknown class id 7 of 4"),
    "six numbers": ("0 0.5 0.5 0.1 0.1 0.9", "line 1: 6 numbers; a box has 5"),
    "class after the last": ("4 0.5 0.5 0.1 0.1", "unknown class id 4 of 4"),
    "two points": ("0 0.1 0.1 0.5 0.5 0.1 0.1", "a polygon of 2 points"),
    "words": ("cone 0.5 0.5 0.1 0.1", "'cone' is no number"),
}


@pytest.mark.parametrize("line, reason", LINES.values(), ids=LINES)
def test_a_label_that_cannot_be_trusted_costs_its_image(photos, prepared, line, reason):
    project, folder = photos
    half = folder / "data" / project / HALVES[project] / "train"
    put(half, "odd", 4711, (0, 1))
    (half / "labels/odd.txt").write_text(line)
    try:
        found = prepared(project, folder)
    finally:
        (half / "images/odd.png").unlink()
        (half / "labels/odd.txt").unlink()
    check(found, project, f"{HALVES[project]}/train/images/odd.png", reason)


def without_label(half):
    put(half, "odd", 4711, None)
    return "images/odd.png", "no label file"


def without_image(half):
    (half / "labels/odd.txt").write_text("0 0.5 0.5 0.1 0.1")
    return "labels/odd.txt", "image"


def cut_short(half):
    put(half, "odd", 4711, (0,))
    path = half / "images/odd.png"
    path.write_bytes(path.read_bytes()[:200])
    return "images/odd.png", "truncated"


def far_too_wide(half):
    put(half, "odd", 4711, (0,))
    Image.fromarray(np.zeros((2, 20_000, 3), np.uint8)).save(half / "images/odd.png")
    return "images/odd.png", "20000x2"


def enormous_photo(half):
    put(half, "odd", 4711, (0,))
    Image.new("1", (20_000, 20_000)).save(half / "images/odd.png")
    return "images/odd.png", "too large: a decompression bomb"


def one_pixel(half):
    put(half, "odd", 4711, (0,))
    Image.new("RGB", (1, 1)).save(half / "images/odd.png")
    return "images/odd.png", "too small: 1x1 pixels, at least 8 a side"


def no_picture(half):
    put(half, "odd", 4711, (0,))
    (half / "images/odd.png").write_text("<html>404</html>")
    return "images/odd.png", "not an image"


@pytest.mark.parametrize(
    "plant", [without_label, without_image, cut_short, far_too_wide, enormous_photo, one_pixel, no_picture]
)
def test_a_file_that_cannot_be_used_is_one_line(photos, prepared, plant):
    project, folder = photos
    half = folder / "data" / project / HALVES[project] / "train"
    name, reason = plant(half)
    try:
        found = prepared(project, folder)
    finally:
        for path in (half / "images/odd.png", half / "labels/odd.txt"):
            path.unlink(missing_ok=True)
    check(found, project, f"{HALVES[project]}/train/{name}", reason)


def truncated(path):
    write_h264(path, clip(900, (0,)), 10)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 4])


def truncated_in_its_index(path):
    write_h264(path, clip(900, (0,)), 10)
    path.write_bytes(path.read_bytes()[:-600])


def without_frames(path):
    write_without_frames(path, (96, 96), 10)


def without_bytes(path):
    path.touch()


@pytest.mark.parametrize(
    "plant, reason",
    [
        (truncated, "truncated"),
        (truncated_in_its_index, "its index can't be read"),
        (without_frames, "0 frames"),
        (without_bytes, "empty file"),
    ],
)
def test_a_clip_that_cannot_be_read_is_one_line(tmp_path, prepared, plant, reason):
    data = make("workzone", tmp_path)
    plant(data / "videos/odd.mp4")
    found = prepared("workzone", tmp_path)
    check(found, "workzone", "videos/odd.mp4", reason)
    assert found[1]["clips"] == 3
    assert len((tmp_path / "build/workzone/dataset/clips.csv").read_text().splitlines()) == 1 + 3


def cut(path):
    write_pdf(path, 60, [[0], [1]])
    path.write_bytes(path.read_bytes()[:-400])
    return "pdfs/odd.pdf", "truncated"


def locked(path):
    write_pdf(path, 60, [[0], [1]], password="secret")
    return "pdfs/odd.pdf", "encrypted"


def enormous(path):
    write_pdf(path, 60, [[]], size=20_000)
    return "pdfs/odd.pdf#page=1", "20000x200 px at 72 DPI; the limit is 10000"


@pytest.mark.parametrize("plant", [cut, locked, enormous])
def test_a_document_that_cannot_be_drawn_is_one_line(tmp_path, prepared, plant):
    data = make("documents", tmp_path)
    name, reason = plant(data / "pdfs/odd.pdf")
    check(prepared("documents", tmp_path), "documents", name, reason)


def outside(marks):
    marks[0]["annotation_0"]["bbox"]["x"] = 5000


def not_a_number(marks):
    marks[0]["annotation_0"]["bbox"]["width"] = float("nan")


def unknown(marks):
    marks[0]["annotation_0"]["category"] = "staple"


@pytest.mark.parametrize("spoil", [outside, not_a_number, unknown])
def test_a_page_whose_annotation_is_wrong_is_one_line(tmp_path, prepared, spoil):
    data = make("documents", tmp_path)
    annotations = json.loads((data / "annotations.json").read_text())
    annotations["odd.pdf"] = write_pdf(data / "pdfs/odd.pdf", 60, [[0, 1]])
    spoil(annotations["odd.pdf"]["page_1"]["annotations"])
    (data / "annotations.json").write_text(json.dumps(annotations))
    check(prepared("documents", tmp_path), "documents", "pdfs/odd.pdf#page=1", "annotation_0")
