import pytest

from assay.data.items import Box
from assay.data.yolo_labels import BadLabel, boxes_of, read_labels

NAMES = ["rock toe", "slope drain"]


@pytest.fixture
def read(tmp_path):
    def read(content, notes=None):
        path = tmp_path / "a.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_labels(path, NAMES, 200, 100, notes)

    return read


def test_a_box_becomes_pixels(read):
    assert read("1 0.5 0.5 0.5 0.2\n") == [("slope drain", pytest.approx((50, 40, 150, 60)))]


def test_a_polygon_becomes_its_bounding_box(read):
    assert read("0 0.1 0.2 0.4 0.3 0.25 0.9") == [("rock toe", pytest.approx((20, 20, 80, 90)))]


def test_an_empty_file_is_an_image_without_objects(read):
    assert read("") == read("\n \n") == []


def test_a_windows_file_with_a_byte_order_mark_is_read(read):
    assert len(read("\ufeff0 0.5 0.5 0.5 0.2\r\n1.0 0.5 0.5 0.1 0.2\r\n")) == 2


@pytest.mark.parametrize(
    "line, reason",
    [
        ("0 0.5 1.7 0.1 0.1", "line 2: y centre 1.7 is outside 0-1"),
        ("0 0.5 0.5 -0.1 0.1", "width -0.1 is outside"),
        ("0 nan 0.5 0.1 0.1", "line 2: nan among its numbers"),
        ("0 inf 0.5 0.1 0.1", "inf among its numbers"),
        ("7 0.5 0.5 0.1 0.1", "unknown class id 7 of 2"),
        ("-1 0.5 0.5 0.1 0.1", "unknown class id -1 of 2"),
        ("0.5 0.5 0.5 0.1 0.1", "unknown class id 0.5 of 2"),
        ("0 0.1 0.1 0.5 0.5 0.1 0.1", "a polygon of 2 points"),
        ("0 0.5 0.5", "a polygon of 1 points"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 numbers; a box has 5"),
        ("0", "a polygon of 0 points"),
        ("0 0.1 0.1 0.5 1.2 0.1 0.5", "y 1.2 is outside 0-1"),
        ("0 0.01 0.5 0.1 0.1", r"4.0% of the side beyond the left edge"),
        ("0 0.5 0.97 0.1 0.1", r"2.0% of the side beyond the lower edge"),
        ("rock 0.5 0.5 0.1 0.1", "'rock' is no number"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(read, line, reason):
    with pytest.raises(BadLabel) as caught:
        read(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    assert reason in caught.value.reason


def test_a_missing_file_and_no_text_are_told_apart(read, tmp_path):
    with pytest.raises(BadLabel, match="no label file"):
        read_labels(tmp_path / "none.txt", NAMES, 200, 100)
    with pytest.raises(BadLabel, match="no text"):
        read(b"\xff\xfe\x00\x81")


def test_a_small_overshoot_is_clipped_and_said(read):
    notes = []
    assert read("0 0.045 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.1", notes)[0][1] == pytest.approx((0, 40, 19, 60))
    assert notes == ["line 1: clipped to the image"]


def test_rounding_to_six_decimals_is_no_overshoot(read):
    notes = []
    read("0 0.123457 0.5 0.246915 0.2", notes)  # left edge -5e-7
    assert notes == []


def test_boxes_without_area_and_repetitions_are_dropped_alone_and_said(read):
    notes = []
    lines = ["0 0.5 0.5 0 0.2", "1 0.5 0.5 0.1 0.1", "1 0.5 0.5 0.1 0.1", "0 0.1 0.1 0.3 0.1 0.5 0.1"]
    assert [name for name, _ in read("\n".join(lines), notes)] == ["slope drain"]
    assert [note.split(":")[0] for note in notes] == ["line 1", "line 3", "line 4"]


def test_a_name_that_becomes_nothing_is_background_and_an_unknown_one_a_region_to_ignore():
    notes = []
    found = [("crack", (0, 0, 9, 9)), ("shadow", (0, 0, 5, 5)), ("person", (1, 1, 2, 2))]
    boxes = boxes_of(found, {"crack": "crack", "shadow": ""}, notes)
    assert boxes == (Box("crack", (0, 0, 9, 9), "crack"), Box("", (1, 1, 2, 2), "person", ignore=True))
    assert notes == ["shadow: background"]
