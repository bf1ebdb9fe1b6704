import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.data.classification import read_manifest, source_of
from assay.data.detection import prepare, read_boxes
from assay.data.detection_findings import warning_of_groups
from assay.data.images import read_image
from assay.data.items import Bad, Box, Item
from assay.errors import UserError

CLASSES = ["stone", "drain"]
SOURCE = {"project": "p", "source": "own", "counts": {}, "content": "0" * 64, "note": ""}


def photo(seed, quality=90, size=(64, 48), suffix="JPEG"):
    """A picture of soft blobs, as a file."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    stream = io.BytesIO()
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    image.save(stream, suffix, **({"quality": quality} if suffix == "JPEG" else {}))
    return stream.getvalue()


def item(name, split="train", *, content, boxes=((8, 6, 40, 30),), **changes):
    defaults = {"source": f"s/{name}", "subset": "", "group": "", "width": 64, "height": 48}
    return Item(
        name=name,
        split=split,
        boxes=tuple(Box("drain", tuple(map(float, xyxy)), "a drain") for xyxy in boxes),
        read=lambda: content,
        **(defaults | changes),
    )


def numbered(count):
    """Distinct training images and one for validation."""
    rows = [item(f"t{k}.jpg", content=photo(k)) for k in range(count)]
    return [*rows, item("v.jpg", "val", content=photo(100))]


@pytest.fixture
def run(tmp_path):
    def run(items, distance=0.05):
        out = tmp_path / "dataset"
        counts = prepare(items, out, classes=CLASSES, source=SOURCE, near_duplicate_distance=distance)
        return out, counts

    return run


def test_images_labels_and_tables_are_written(run):
    rows = [*numbered(2), item("p.jpg", "pool", content=photo(7), boxes=())]
    out, counts = run(rows)
    assert (out / "images/train/t0.jpg").read_bytes() == photo(0), "the file itself, not another encoding"
    assert (out / "labels/train/t0.txt").read_text() == "1 0.375000 0.375000 0.500000 0.500000\n"
    assert not (out / "labels/pool").exists() and (out / "images/pool/p.jpg").is_file()
    manifest, boxes = read_manifest(out), read_boxes(out)
    assert manifest["image"].tolist() == sorted(manifest["image"]) and len(manifest) == 4
    assert boxes["image"].tolist() == ["images/train/t0.jpg", "images/train/t1.jpg", "images/val/v.jpg"]
    assert boxes.loc[0, ["x1", "y1", "x2", "y2"]].tolist() == [8, 6, 40, 30]
    assert source_of(out) == SOURCE
    assert (counts["train"], counts["val"], counts["pool"], counts["train_drain"]) == (2, 1, 1, 2)


def test_one_group_of_nearly_all_images_is_warned_of(run):
    rows = [item(f"t{k}.jpg", content=photo(k), group="f") for k in range(19)]
    val = item("v.jpg", "val", content=photo(100))
    assert "19 of 20 images are one group" in warning_of_groups(run([*rows, val])[1])
    assert warning_of_groups(run(numbered(3))[1]) == ""


def test_every_annotated_picture_is_drawn_where_that_is_asked_for(tmp_path):
    rows = [*numbered(2), item("p.jpg", "pool", content=photo(7), boxes=())]
    asked = {"classes": CLASSES, "source": SOURCE, "near_duplicate_distance": 0.05}
    prepare(rows, tmp_path / "drawn", **asked, draw=True)
    prepare(rows, tmp_path / "plain", **asked)
    found = sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/drawn/*/*"))
    assert [path.as_posix() for path in found] == [
        *("drawn/drawn/train/t0.jpg", "drawn/drawn/train/t1.jpg", "drawn/drawn/val/v.jpg")
    ]
    with Image.open(tmp_path / found[0]) as drawn, Image.open(io.BytesIO(photo(0))) as plain:
        assert drawn.size == plain.size and drawn.tobytes() != plain.tobytes()


def test_an_image_without_objects_has_an_empty_label_file(run):
    out, _ = run([*numbered(1), item("empty.jpg", content=photo(9), boxes=())])
    assert (out / "labels/train/empty.txt").read_text() == ""
    assert json.loads((out / "report.json").read_text())["balance"][0]["without_objects"] == 1


def test_a_held_out_copy_of_a_training_image_is_a_leak_and_in_its_group(run):
    rows = [*numbered(3), item("copy.jpg", "val", content=photo(1)), item("x.jpg", "test", content=photo(1))]
    out, counts = run(rows)
    manifest = read_manifest(out).set_index("image")
    assert manifest.index[manifest["leak"]].tolist() == ["images/test/x.jpg", "images/val/copy.jpg"]
    assert manifest.loc["images/val/copy.jpg", "group"] == manifest.loc["images/train/t1.jpg", "group"]
    assert (counts["leaks"], counts["identical_pairs"], counts["groups_across"]) == (2, 2, 1)
    assert counts["held_out_in_training_groups"] == 2


def test_another_encoding_of_a_picture_is_a_near_duplicate_and_another_picture_is_not(run):
    rows = [*numbered(12), item("again.jpg", "val", content=photo(3, quality=35))]
    out, counts = run(rows)
    assert (counts["near_pairs"], counts["near_pairs_across"], counts["leaks"]) == (1, 1, 0)
    manifest = read_manifest(out).set_index("image")
    assert manifest.loc["images/val/again.jpg", "alike"] == "images/train/t3.jpg"
    assert run(rows, distance=0)[1]["near_pairs"] == 0


def test_nearly_white_pages_are_not_all_one(run):
    def page(seed):
        sheet = np.full((400, 280), 255, np.uint8)
        for row in np.random.default_rng(seed).integers(20, 380, 4):
            sheet[row : row + 3, 30 : 30 + 25 * (seed % 7 + 2)] = 60
        stream = io.BytesIO()
        Image.fromarray(sheet).save(stream, "PNG")
        return stream.getvalue()

    size = {"width": 280, "height": 400}
    pages = [item(f"page{k}.png", content=page(k), **size) for k in range(10)]
    _, counts = run([*pages, item("v.png", "val", content=page(20), **size)], distance=0.1)
    assert counts["near_pairs"] == 0


def test_a_readers_groups_are_joined_by_copies_but_alike_is_not(run):
    rows = [
        item("a1.jpg", content=photo(1), group="a"),
        item("a2.jpg", content=photo(2), group="a"),
        item("b1.jpg", content=photo(2), group="b"),
        item("b2.jpg", content=photo(4), group="b"),
        item("v.jpg", "val", content=photo(5)),
    ]
    out, _ = run(rows)
    manifest = read_manifest(out).set_index("image")
    assert manifest["group"].nunique() == 2 and manifest["alike"].nunique() == 4


def test_bad_files_are_set_aside_and_listed(run):
    rows = [
        *numbered(2),
        Bad("s/gone.jpg", "no label file"),
        item("cut.jpg", content=photo(8)[:600]),
        item("other size.jpg", content=photo(8), width=65),
        item("t1.png", content=photo(8, suffix="PNG")),  # would share labels/train/t1.txt
    ]
    out, counts = run(rows)
    assert counts["quarantined"] == 4 and counts["images"] == 3
    quarantine = pd.read_csv(out / "quarantine.csv").set_index("image")["reason"].to_dict()
    assert quarantine["s/gone.jpg"] == "no label file"
    assert "truncated" in quarantine["s/cut.jpg"]
    assert quarantine["s/other size.jpg"] == "is 64x48 pixels, 65x48 were announced"
    assert quarantine["s/t1.png"] == "has the name of s/t1.jpg"
    assert not (out / "images/train/cut.jpg").exists()


def test_regions_to_ignore_are_painted_over_in_training_images_only(run):
    region = Box("", (20.0, 10.0, 50.0, 40.0), "machine", ignore=True)
    rows = [replace(one, boxes=(*one.boxes, region)) for one in numbered(1)]
    out, counts = run([replace(one, name=one.name.replace("jpg", "png")) for one in rows])
    before = np.array(Image.open(io.BytesIO(photo(0))).convert("RGB"))
    after = read_image(out / "images/train/t0.png")
    assert np.ptp(after[10:40, 20:50].reshape(-1, 3), axis=0).max() == 0
    assert (after[:, :20] == before[:, :20]).all()
    assert (out / "images/val/v.png").read_bytes() == photo(100)
    assert (out / "labels/train/t0.txt").read_text().count("\n") == 1
    assert read_boxes(out)["ignore"].tolist() == [False, True, False, True]
    assert counts["ignored_regions"] == 2
    (painted,) = json.loads((out / "report.json").read_text())["painted_over"]
    assert painted["image"] == "images/train/t0.png" and painted["raw"] == "machine"


def test_two_runs_are_byte_identical(run):
    def contents(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    rows = [*numbered(4), Bad("x", "y")]
    first = contents(run(rows)[0])
    assert contents(run(rows)[0]) == first


def test_the_report_holds_everything_a_reader_looks_for(run):
    rows = [
        *numbered(3),
        Bad("s/<odd>.jpg", "no label file"),
        item("copy.jpg", "val", content=photo(1), notes=("line 1: clipped to the image",)),
    ]
    page = (run(rows)[0] / "report.html").read_text()
    for text in ("no label file", "&lt;odd&gt;", "images/val/copy.jpg", "clipped to the image", "a flight"):
        assert (text in page) == (text != "a flight")
    assert page.count("data:image/jpeg") == 5 + 2, "every picture drawn, and the pair"
    assert "http" not in page.split("</style>")[1], "opens by double click, without a network"


def test_the_report_says_which_names_became_a_class_and_which_split_it_is(tmp_path):
    boxes = (Box("drain", (1, 1, 9, 9), "drain- Blocked"), Box("", (20, 20, 30, 30), "shadow", ignore=True))
    rows = [*numbered(2), replace(item("x.jpg", content=photo(50)), boxes=boxes)]
    how = {"classes": CLASSES, "source": SOURCE, "near_duplicate_distance": 0.05}
    prepare(rows, tmp_path / "d", **how, split="grouped, no flight in two splits")
    report = json.loads((tmp_path / "d/report.json").read_text())
    assert [(row["raw"], row["label"], row["boxes"]) for row in report["names"]] == [
        ("shadow", "", 1),
        ("a drain", "drain", 3),
        ("drain- Blocked", "drain", 1),
    ]
    page = (tmp_path / "d/report.html").read_text()
    assert "drain- Blocked" in page and "Split: grouped, no flight in two splits." in page


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_boxes_is_one_line_and_nothing_is_replaced(run, split):
    out, _ = run(numbered(2))
    before = (out / "manifest.parquet").read_bytes()
    rows = [replace(one, boxes=()) if one.split == split else one for one in numbered(2)]
    with pytest.raises(
        UserError, match=rf"{split}: \d usable images and no box.*set aside: 1, the first: a: b"
    ):
        run([*rows, Bad("a", "b")])
    assert (out / "manifest.parquet").read_bytes() == before
