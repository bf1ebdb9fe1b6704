import io

import pytest
import yaml
from PIL import Image

from assay.data.infrastructure import flight, read
from assay.data.items import Bad, Item
from assay.errors import UserError

CLASS_MAP = {"rock toe": "rock_toe", "rock toe damaged": "rock_toe", "Toe drain": "toe_drain"}
NAMES = ["rock toe", "rock toe damaged", "Toe drain"]


def picture(width=40, height=20, exif=None):
    stream = io.BytesIO()
    image = Image.new("RGB", (width, height), "green")
    image.save(stream, "JPEG", **({"exif": exif} if exif else {}))
    return stream.getvalue()


@pytest.fixture
def lay(tmp_path):
    """Write files below a data folder: images as bytes, labels as text."""

    def lay(files, names=NAMES, subsets=("merged",)):
        for subset in subsets:
            (tmp_path / "data" / subset).mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / subset / "data.yaml").write_text(yaml.safe_dump({"names": names}))
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "data"

    return lay


def rows(data, ignore=(), max_side=100, class_map=CLASS_MAP):
    return list(read(data, class_map=class_map, ignore=ignore, max_side=max_side))


GOOD = {
    "merged/train/images/Lagoon1_R5_1_V.jpg": picture(),
    "merged/train/labels/Lagoon1_R5_1_V.txt": "1 0.5 0.5 0.5 0.5\n",
    "merged/valid/images/00db8a5503e4454a_jpg.rf.1eeded03feae4be2176aaa42a130b053.jpg": picture(),
    "merged/valid/labels/00db8a5503e4454a_jpg.rf.1eeded03feae4be2176aaa42a130b053.txt": "",
    "pool/images/a.png": picture(),
}


def test_images_come_with_merged_names_pixels_splits_and_flights(lay):
    train, val, pool = rows(lay(GOOD))
    assert (train.split, train.group, train.subset) == ("train", "Lagoon1_R5", "")
    assert train.source == "merged/train/images/Lagoon1_R5_1_V.jpg" and train.name == "Lagoon1_R5_1_V.jpg"
    assert [(box.label, box.raw, box.xyxy) for box in train.boxes] == [
        ("rock_toe", "rock toe damaged", (10, 5, 30, 15))
    ]
    assert train.read() == GOOD[train.source]
    assert (val.split, val.group, val.boxes) == ("val", "", ())
    assert (pool.split, pool.source, pool.boxes) == ("pool", "pool/images/a.png", ())


def test_subsets_are_told_apart_and_so_are_their_file_names(lay):
    both = GOOD | {name.replace("merged", "first"): GOOD[name] for name in GOOD if "merged" in name}
    items = rows(lay(both, subsets=("first", "merged")))
    assert {item.subset for item in items if item.split != "pool"} == {"first", "merged"}
    assert len({(item.split, item.name) for item in items}) == 5


def test_one_folder_without_subsets_is_read_too(lay):
    files = {name.removeprefix("merged/"): content for name, content in GOOD.items()}
    assert [item.split for item in rows(lay(files, subsets=("",)))] == ["train", "val", "pool"]


def test_names_may_be_a_mapping_and_regions_to_ignore_have_no_label(lay):
    data = lay(GOOD, names={0: "rock toe", 1: "machine"})
    (box,) = rows(data, ignore=["machine"])[0].boxes
    assert (box.ignore, box.label, box.raw) == (True, "", "machine")


def test_a_name_that_becomes_nothing_is_background(lay):
    train = rows(lay(GOOD), class_map=CLASS_MAP | {"rock toe damaged": ""})[0]
    assert train.boxes == () and train.notes == ("rock toe damaged: background",)


IMAGE, LABEL = "merged/train/images/b.jpg", "merged/train/labels/b.txt"


@pytest.mark.parametrize(
    "files, source, reason",
    [
        ({IMAGE: picture(), LABEL: "0 0.5 1.7 0.1 0.1"}, IMAGE, "line 1: y centre 1.7 is outside 0-1"),
        ({IMAGE: picture(), LABEL: "0 nan 0.5 0.1 0.1"}, IMAGE, "nan among its numbers"),
        ({IMAGE: picture(), LABEL: "3 0.5 0.5 0.1 0.1"}, IMAGE, "unknown class id 3 of 3"),
        ({IMAGE: picture(), LABEL: "0 0.1 0.1 0.9 0.9 0.1 0.1"}, IMAGE, "a polygon of 2 points"),
        ({IMAGE: picture()}, IMAGE, "no label file"),
        ({LABEL: "0 0.5 0.5 0.1 0.1"}, LABEL, "a label file without its image"),
        ({IMAGE: picture(101, 20), LABEL: ""}, IMAGE, "too large: 101x20 pixels, at most 100 a side"),
        ({IMAGE: b"", LABEL: ""}, IMAGE, "empty file"),
        ({IMAGE: b"a text", LABEL: ""}, IMAGE, "not an image"),
        ({IMAGE[:-4]: picture(), LABEL: ""}, IMAGE[:-4], "not an image file: no suffix"),
    ],
)
def test_a_bad_file_is_set_aside_and_the_rest_stays(lay, files, source, reason):
    found = rows(lay(GOOD | files))
    (bad,) = [row for row in found if isinstance(row, Bad)]
    assert bad.source == source and reason in bad.reason
    assert sum(isinstance(row, Item) for row in found) == 3


def test_a_rotated_photo_has_the_size_it_is_shown_in(lay):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = rows(lay(GOOD | {IMAGE: picture(exif=exif), LABEL: "0 0.5 0.5 1 1"}))
    assert [(item.width, item.height) for item in found if item.source == IMAGE] == [(20, 40)]


def test_a_clipped_box_is_noted(lay):
    found = rows(lay(GOOD | {IMAGE: picture(), LABEL: "0 0.045 0.5 0.1 0.1"}))
    assert [item.notes for item in found if item.source == IMAGE] == [("line 1: clipped to the image",)]


def test_other_layouts_are_one_line(lay, tmp_path):
    with pytest.raises(UserError, match="no data; run `make data`"):
        rows(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"no data.yaml with the class names \(found cherry\)"):
        rows(lay({"cherry/a.png": b""}, subsets=()))
    with pytest.raises(UserError, match="no folder train/images"):
        rows(lay({}))


def test_an_unknown_class_name_names_the_nearest(lay):
    with pytest.raises(UserError, match=r"data.yaml: unknown class 'rocktoe'; did you mean 'rock toe'"):
        rows(lay(GOOD, names=["rocktoe"]))
    with pytest.raises(UserError, match="names: expected the list"):
        rows(lay(GOOD, names={1: "rock toe"}))


@pytest.mark.parametrize(
    "name, expected",
    [
        ("Lagoon1_R6_31_V_jpg.rf.57e2feb3ff3c43f9c239785a860d537a.jpg", "Lagoon1_R6"),
        (
            "Stage1-Lagoon1_R3-Berm-114_35m_54_V_jpg.rf.539ef9bb29dc3417c3eb.jpg",
            "Stage1-Lagoon1_R3-Berm-114_35m",
        ),
        ("DJI_0006_W_JPG.rf.c4a7ff56e1cebd376c5304c721b27406_dup1.jpg", "DJI"),
        ("00db8a5503e4454a_jpg.rf.1eeded03feae4be2176aaa42a130b053.jpg", ""),
        ("photo.png", ""),
        ("IMG_0001.jpg", ""),  # what a camera calls any picture
        ("dji_0001.JPG", ""),
        ("frame_000120.png", ""),
        ("image_7_jpg.rf.1eeded03feae4be2176aaa42a130b053.jpg", ""),
        ("IMG_20260501_101500.jpg", "IMG_20260501"),  # a day
    ],
)
def test_the_flight_is_what_stands_before_the_frame(name, expected):
    assert flight(name) == expected
