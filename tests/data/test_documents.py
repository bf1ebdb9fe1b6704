import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from assay.data.documents import read
from assay.data.items import Bad, Item
from assay.errors import UserError

A4 = (595, 842)
SETTINGS = {
    "class_map": {"qr": "qr", "signature": "signature", "stamp": "stamp"},
    "ignore": ["paraphe"],
    "max_side": 1000,
    "dpi": 72,
    "validation_share": 0.1,
    "split_seed": 42,
    "page_documents": None,
}


def write_pdf(path, pages, size=A4):
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = canvas.Canvas(str(path), pagesize=size, invariant=1)
    for number in range(1, pages + 1):
        drawn.drawString(100, 400, f"{path.stem} page {number}")
        drawn.showPage()
    drawn.save()


def mark(category="signature", x=100, y=200, side=50):
    return {
        f"annotation_{x}": {"category": category, "bbox": {"x": x, "y": y, "width": side, "height": side}}
    }


def page(*marks):
    return {"page_size": {"width": 1190, "height": 1684}, "annotations": list(marks)}


def write_image(path, size=(60, 80), shade=200):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, shade).save(path)


@pytest.fixture
def pdfs(tmp_path):
    """Three documents of two pages, each page with a signature."""
    for name in ("a", "b", "c"):
        write_pdf(tmp_path / f"pdfs/{name}.pdf", 2)
    return tmp_path, {
        f"{name}.pdf": {"page_1": page(mark()), "page_2": page(mark("stamp"))} for name in "abc"
    }


def found(data, annotations=None, **changes):
    """Everything read, by source."""
    if annotations is not None:
        (data / "annotations.json").write_text(json.dumps(annotations))
    every = list(read(data, **(SETTINGS | changes)))
    assert len({one.source for one in every}) == len(every)
    return {one.source: one for one in every}


def test_pages_are_items_with_boxes_in_their_own_px(pdfs):
    items = found(*pdfs)
    one = items["pdfs/b.pdf#page=2"]
    assert (one.name, one.subset, one.group) == ("b_p002.png", "pdfs", "pdfs/b.pdf")
    assert (one.width, one.height) == A4
    assert [(box.label, box.xyxy) for box in one.boxes] == [("stamp", (50, 100, 75, 125))]
    assert Image.open(io.BytesIO(one.read())).size == A4


def test_documents_stay_whole_and_one_of_three_is_held_out(pdfs):
    splits = {}
    for one in found(*pdfs).values():
        splits.setdefault(one.group, set()).add(one.split)
    assert sorted(map(sorted, splits.values())) == [["train"], ["train"], ["val"]]


def test_a_pdf_and_a_page_that_nobody_annotated_go_to_the_pool(pdfs):
    data, annotations = pdfs
    del annotations["a.pdf"], annotations["b.pdf"]["page_1"]
    items = found(data, annotations)
    pool = {source for source, one in items.items() if one.split == "pool"}
    assert pool == {"pdfs/a.pdf#page=1", "pdfs/a.pdf#page=2", "pdfs/b.pdf#page=1"}
    assert items["pdfs/a.pdf#page=1"].notes == ("not in annotations.json: nobody looked at it",)
    assert not items["pdfs/b.pdf#page=1"].boxes


def test_a_page_annotated_as_empty_is_background(pdfs):
    data, annotations = pdfs
    annotations["a.pdf"]["page_1"] = page()
    assert found(data, annotations)["pdfs/a.pdf#page=1"].split in {"train", "val"}


def test_annotations_of_what_is_not_there_are_set_aside(pdfs):
    data, annotations = pdfs
    annotations["gone.pdf"] = {"page_1": page(mark())}
    annotations["a.pdf"] |= {"page_9": page(mark()), "cover": page(mark())}
    items = found(data, annotations)
    assert items["pdfs/gone.pdf"] == Bad("pdfs/gone.pdf", "in annotations.json, but there is no such file")
    assert items["pdfs/a.pdf#page=9"].reason == "annotated, but the document has 2 pages"
    assert items["pdfs/a.pdf"].reason == "cover: no page_<number> from 1"
    assert sum(isinstance(one, Item) for one in items.values()) == 6


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (mark("seal"), "annotation_100: unknown category 'seal'"),
        (mark(x=float("nan")), "annotation_nan: x is nan"),
        (mark(side=-5), "annotation_100: a negative size"),
        (mark(x=1180), "annotation_1180: the box"),
    ],
)
def test_a_wrong_annotation_sets_its_page_aside_and_no_other(pdfs, wrong, reason):
    data, annotations = pdfs
    annotations["a.pdf"]["page_1"] = page(mark(), wrong)
    items = found(data, annotations)
    assert items["pdfs/a.pdf#page=1"].reason.startswith(reason)
    assert isinstance(items["pdfs/a.pdf#page=2"], Item)


def test_a_damaged_pdf_is_set_aside_and_no_other(pdfs):
    data, annotations = pdfs
    path = data / "pdfs/a.pdf"
    path.write_bytes(path.read_bytes()[:900])
    items = found(data, annotations)
    assert items["pdfs/a.pdf"].reason.startswith("truncated")
    assert sum(isinstance(one, Item) for one in items.values()) == 4


def test_a_page_that_is_too_large(pdfs):
    data, annotations = pdfs
    write_pdf(data / "pdfs/a.pdf", 1, size=(2000, 842))
    assert found(data, annotations)["pdfs/a.pdf#page=1"].reason.startswith("too large: 2000x842 px at 72 DPI")


def test_notes_say_what_was_mended_and_ignored_marks_have_no_class(pdfs):
    data, annotations = pdfs
    annotations["a.pdf"]["page_1"] = page(mark(x=100), mark(x=101, side=0), mark("paraphe", x=300))
    one = found(data, annotations)["pdfs/a.pdf#page=1"]
    assert one.notes == ("annotation_101: dropped, a box without area (signature)",)
    assert [(box.label, box.raw, box.ignore) for box in one.boxes] == [
        ("signature", "signature", False),
        ("", "paraphe", True),
    ]


@pytest.fixture
def contracts(tmp_path):
    """Six scanned pages, a signature on each, initials on one."""
    folder = tmp_path / "signatures_contracts"
    for number in range(6):
        write_image(folder / f"images/image_{number}.jpg", shade=100 + number)
    (folder / "labels").mkdir()
    for number in range(6):
        more = "\n1 0.5 0.9 0.2 0.1" * (number == 3)
        (folder / f"labels/image_{number}.txt").write_text("0 0.5 0.5 0.5 0.25" + more)
    (folder / "classes.txt").write_text("signature\nparaphe\nstamp\n")
    return tmp_path


def test_scanned_pages_are_read_and_stored_as_they_are(contracts):
    one = found(contracts)["signatures_contracts/images/image_3.jpg"]
    assert [(box.label, box.raw, box.ignore, box.xyxy) for box in one.boxes] == [
        ("signature", "signature", False, (15, 30, 45, 50)),
        ("", "paraphe", True, (24, 68, 36, 76)),
    ]
    assert one.read() == (contracts / one.source).read_bytes()


def test_scanned_pages_may_come_as_a_coco_set(contracts):
    folder, yolo = contracts / "signatures_contracts", found(contracts)
    names = ("signature", "paraphe", "stamp")
    listed = {
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 1)],
        "images": [
            {"id": k, "file_name": f"image_{k}.jpg", "width": 600, "height": 800} for k in (0, 1, 2, 3, 4, 9)
        ],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 1, "bbox": [150, 300, 300, 200]} for k in range(5)
        ]
        + [{"id": 8, "image_id": 3, "category_id": 2, "bbox": [240, 680, 120, 80]}],
    }
    shutil.rmtree(folder / "labels")
    (folder / "classes.txt").unlink()
    (folder / "annotations.json").write_text(json.dumps(listed))
    coco = found(contracts)
    for k in range(5):  # the same boxes, in px of the stored picture
        name = f"signatures_contracts/images/image_{k}.jpg"
        assert [one.xyxy for one in coco[name].boxes] == [pytest.approx(one.xyxy) for one in yolo[name].boxes]
        assert [one.ignore for one in coco[name].boxes] == [one.ignore for one in yolo[name].boxes]
    assert coco["signatures_contracts/images/image_5.jpg"].reason == "not among the file's images"
    assert "no such picture" in coco["signatures_contracts/images/image_9"].reason
    (folder / "annotations.json").write_text(json.dumps(listed | {"categories": [{"id": 1, "name": "seal"}]}))
    with pytest.raises(UserError, match="unknown class 'seal'"):
        found(contracts)


def test_pages_of_one_document_are_held_out_together(contracts):
    table = contracts / "pages.csv"
    table.write_text("page,document,note\n" + "".join(f"image_{k},{'ab'[k % 2]},x\n" for k in range(6)))
    items = found(contracts, page_documents=table)
    splits = {
        document: {one.split for one in items.values() if one.group.endswith(document)} for document in "ab"
    }
    assert sorted(map(sorted, splits.values())) == [["train"], ["val"]]


def test_pages_that_the_table_does_not_name_are_documents_of_their_own(contracts):
    table = contracts / "pages.csv"
    table.write_text("page,document,note\nimage_0,a,x\nimage_1,a,x\n")
    items = found(contracts, page_documents=table)
    assert len({one.group for one in items.values()}) == 5


def test_a_picture_without_a_label_and_a_label_without_a_picture(contracts):
    folder = contracts / "signatures_contracts"
    (folder / "labels/image_0.txt").unlink()
    (folder / "images/image_1.jpg").unlink()
    (folder / "labels/image_2.txt").write_text("0 0.5 1.5 0.1 0.1")
    (folder / "images/image_4.jpg").write_bytes(b"no picture")
    items = found(contracts)
    assert {source: one.reason for source, one in items.items() if isinstance(one, Bad)} == {
        "signatures_contracts/labels/image_1.txt": "a label file without its picture",
        "signatures_contracts/images/image_0.jpg": "no label file",
        "signatures_contracts/images/image_2.jpg": "line 1: y centre 1.5 is outside 0-1",
        "signatures_contracts/images/image_4.jpg": "not an image",
    }


def test_photos_of_one_code_stay_together(tmp_path):
    folder = tmp_path / "qr_photos"
    for number in range(12):
        write_image(folder / f"images/qr_{number}.webp", shade=number)
        for part, text in (
            ("labels", "0 0.5 0.5 0.5 0.5"),
            ("text", "one code" if number < 6 else f"code {number}"),
        ):
            (folder / part).mkdir(exist_ok=True)
            (folder / part / f"qr_{number}.txt").write_text(text)
    items = found(tmp_path)
    assert len({items[f"qr_photos/images/qr_{k}.webp"].group for k in range(6)}) == 1
    assert len({one.group for one in items.values()}) == 7
    assert sum(one.split == "val" for one in items.values()) == 3
    assert {box.label for one in items.values() for box in one.boxes} == {"qr"}


def test_pages_without_marks_are_pool_and_never_negatives(tmp_path):
    write_pdf(tmp_path / "pages_without_marks/report.pdf", 2)
    write_image(tmp_path / "pages_without_marks/report.png")
    (tmp_path / "pages_without_marks/broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    items = found(tmp_path)
    assert items.pop("pages_without_marks/broken.pdf").reason.startswith("truncated")
    assert {one.split for one in items.values()} == {"pool"}
    assert {one.group for one in items.values()} == {"pages_without_marks/report"}
    assert sorted(one.name for one in items.values()) == ["report.png", "report_p001.png", "report_p002.png"]


def test_stems_are_unique_over_all_parts(tmp_path):
    write_pdf(tmp_path / "pdfs/a.pdf", 1)
    write_pdf(tmp_path / "pages_without_marks/A.pdf", 1)
    write_image(tmp_path / "pages_without_marks/a_p001.jpg")
    names = [one.name for one in found(tmp_path, {}).values()]
    assert len({name.lower().rsplit(".", 1)[0] for name in names}) == len(names) == 3


def test_a_transparent_picture_is_stored_on_white(tmp_path):
    path = tmp_path / "pages_without_marks/logo.webp"
    path.parent.mkdir()
    Image.fromarray(np.zeros((20, 30, 4), np.uint8)).save(path, lossless=True)
    (one,) = found(tmp_path).values()
    assert one.name == "logo.png"
    assert Image.open(io.BytesIO(one.read())).getpixel((3, 3)) == (255, 255, 255)


def test_each_page_of_a_tiff_is_stored_and_labels_are_of_one(tmp_path):
    path = tmp_path / "pages_without_marks/fax.tif"
    path.parent.mkdir()
    pages = [Image.new("L", (60, 80), shade) for shade in (10, 20, 30)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    items = found(tmp_path)
    assert {key: one.name for key, one in items.items()} == {
        f"pages_without_marks/fax.tif#page={number}": f"fax_p00{number}.png" for number in (1, 2, 3)
    }
    assert [Image.open(io.BytesIO(one.read())).getpixel((3, 3))[0] for one in items.values()] == [10, 20, 30]
    assert {one.group for one in items.values()} == {"pages_without_marks/fax"}
    shutil.copytree(path.parent, tmp_path / "signatures_contracts/images")
    (tmp_path / "signatures_contracts/classes.txt").write_text("signature")
    (tmp_path / "signatures_contracts/labels").mkdir()
    (tmp_path / "signatures_contracts/labels/fax.txt").write_text("")
    told = found(tmp_path)["signatures_contracts/images/fax.tif"]
    assert told.reason == "3 pages, labels of one; save each page alone"


def test_two_pictures_of_one_stem_are_both_kept(contracts):
    first = next((contracts / "signatures_contracts/images").iterdir())
    with Image.open(first) as picture:
        picture.convert("RGB").save(first.with_suffix(".bmp"))
    sources = [f"signatures_contracts/images/{first.stem}{suffix}" for suffix in (first.suffix, ".bmp")]
    items = found(contracts)
    assert items[sources[0]].boxes == items[sources[1]].boxes != ()


def mistake_no_data(data):
    (data / "pdfs/a.pdf").unlink()
    (data / "pdfs").rmdir()


def mistake_folder(data):
    write_image(data / "qr_photo/images/a.png")


def mistake_no_json(data):
    pass


def mistake_no_pdfs(data):
    mistake_no_data(data)
    (data / "annotations.json").write_text("{}")
    write_pdf(data / "pages_without_marks/a.pdf", 1)


def mistake_no_labels(data):
    (data / "annotations.json").write_text("{}")
    write_image(data / "qr_photos/images/a.png")


def mistake_no_classes(data):
    (data / "annotations.json").write_text("{}")
    write_image(data / "signatures_contracts/images/a.png")
    (data / "signatures_contracts/labels").mkdir()


def mistake_class(data):
    mistake_no_classes(data)
    (data / "signatures_contracts/classes.txt").write_text("seal")


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (mistake_no_data, "no data; run `make data` for the sample or lay out your own as pdfs/"),
        (mistake_folder, "qr_photo: another layout; did you mean qr_photos?"),
        (mistake_no_json, "annotations.json: missing; it holds the boxes of pdfs/"),
        (mistake_no_pdfs, "pdfs: missing, but annotations.json is there"),
        (mistake_no_labels, "qr_photos/labels: missing; a YOLO set has images/ and labels/"),
        (mistake_no_classes, "classes.txt: missing; it names the classes"),
        (mistake_class, "signatures_contracts: unknown class 'seal'; prepare.class_map knows qr, signature"),
    ],
)
def test_a_wrong_layout_is_one_line(tmp_path, make, line):
    write_pdf(tmp_path / "pdfs/a.pdf", 1)
    make(tmp_path)
    with pytest.raises(UserError) as error:
        found(tmp_path)
    assert line in str(error.value)


def test_a_missing_or_foreign_table_of_documents_is_one_line(contracts, tmp_path):
    with pytest.raises(UserError, match=r"none.csv: missing; it says which pages"):
        found(contracts, page_documents=tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="no columns page and document"):
        found(contracts, page_documents=tmp_path / "other.csv")
