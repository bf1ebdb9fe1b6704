import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.mining.boxes_page import WIDTH, draw_boxes, write_boxes_page

CLASSES = ("cone", "worker")
GREY = np.full((300, 400, 3), 90, np.uint8)
BOX = {"label": "worker", "box": [100, 60, 300, 240], "score": 0.83, "origin": "model"}


def candidates(count=1, **changes):
    row = {
        "candidate": "0" * 12,
        "label": "",
        "reason": "disagreement",
        "surprise": 0.7,
        "boxes": json.dumps([BOX]),
    }
    rows = [row | {"image": f"images/train/{k}.png", "group": f"g{k}"} for k in range(count)]
    return pd.DataFrame(rows).assign(**changes)


@pytest.fixture
def write(tmp_path):
    def write(table, load=lambda image: GREY, **options):
        path = tmp_path / "candidates/index.html"
        settings = {"project": "infrastructure", "classes": CLASSES, "labels": ("cone", "no_object")}
        write_boxes_page(path, table, load, summary="Two sentences.", **settings, **options)
        return path.read_text("utf-8")

    return write


def pictures(text, kind):
    found = re.findall(rf'src="data:image/{kind};base64,([^"]+)"', text)
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB")).astype(int) for one in found
    ]


def test_a_candidate_is_shown_with_what_a_reviewer_needs(write):
    text = write(candidates(about="worker"))
    for part in (
        "two looks disagree",
        "worker",
        "0.70",
        "images/train/0.png",
        "cone, no_object",
        "Two sentences.",
    ):
        assert part in text
    assert "assay review record infrastructure" in text and "1 candidates" in text


def test_the_page_stands_alone_and_boxes_are_where_they_belong(write):
    (picture,) = pictures(write(candidates()), "jpeg")
    assert picture.shape == (WIDTH * 3 // 4, WIDTH, 3)
    scale = WIDTH / 400
    changed = np.abs(picture - 90).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert columns.min() == pytest.approx(100 * scale, abs=3) and columns.max() == pytest.approx(
        300 * scale, abs=3
    )
    assert rows.max() == pytest.approx(240 * scale, abs=3)
    assert not changed[int(120 * scale) : int(220 * scale), int(120 * scale) : int(280 * scale)].any()
    assert not re.findall(r'(?:src|href)="(?!data:)', write(candidates()))


def test_what_a_person_drew_is_white_and_the_models_own_is_not():
    (left, top, *_) = BOX["box"]
    drawn = draw_boxes(GREY, [BOX | {"origin": "label", "score": None}], CLASSES)
    assert (drawn[top + 90, left] == 255).all()
    own = draw_boxes(GREY, [BOX], CLASSES)
    assert np.ptp(own[top + 90, left].astype(int)) > 30
    assert (GREY == 90).all()  # the picture itself stays


def test_classes_keep_their_colour_whatever_else_is_there():
    cone = BOX | {"label": "cone", "box": [10, 200, 60, 280]}
    alone, both = draw_boxes(GREY, [BOX], CLASSES), draw_boxes(GREY, [cone, BOX], CLASSES)
    assert (alone[150, 100] == both[150, 100]).all()
    assert (both[240, 10] != both[150, 100]).any()


def test_the_mirror_images_box_has_corners_only():
    drawn = draw_boxes(GREY, [BOX | {"origin": "mirrored"}], CLASSES)
    assert (drawn[150, 100] == 90).all() and (drawn[61, 100] != 90).any()


def test_names_are_text_and_never_markup(write):
    text = write(candidates(image="<script>alert(1)</script> Süß.png"))
    assert "<script>" not in text and "&lt;script&gt;" in text and "Süß.png" in text


def test_no_candidates_is_a_page_that_says_so(write):
    assert "infrastructure: 0 candidates" in write(candidates().iloc[:0])


def test_groups_take_turns_so_that_none_fills_the_page(write):
    table = candidates(9, group=["a"] * 7 + ["b", "c"], surprise=[0.9 - 0.1 * k for k in range(9)])
    text = write(table, shown=4)
    shown = re.findall(r'alt="images/train/(\d).png"', text)
    assert shown == ["0", "7", "8", "1"] and "5 more candidates are in candidates.csv" in text


def test_a_clips_timeline_is_a_picture_of_its_states(write, tmp_path):
    table = pd.DataFrame(
        {
            "frame": range(0, 200, 2),
            "state": ["OUT"] * 50 + ["INSIDE"] * 50,
            "fused_score_ema": [0.2] * 50 + [0.8] * 50,
        }
    )
    table.to_csv(tmp_path / "timeline.csv", index=False)
    shown = candidates(group="a<b", frame=150, state="INSIDE", p1_num_sustained=2, time_sec=5.0)
    text = write(shown, timelines={"a<b": tmp_path / "timeline.csv"}, thresholds=(0.5,))
    (strip,) = pictures(text, "png")
    width = strip.shape[1]
    assert tuple(strip[2, width // 4]) == (0xD9, 0xE2, 0xD5) and tuple(strip[2, 3 * width // 4]) == (
        0xE8,
        0x9A,
        0x80,
    )
    tick = np.nonzero((strip[-1] == (0xB4, 0x44, 0x1F)).all(axis=1))[0]
    assert tick.tolist() == [pytest.approx(150 / 198 * (width - 1), abs=1)]
    assert strip[:, 10].sum(axis=1).argmin() > strip[:, -10].sum(axis=1).argmin()  # the line rises
    assert "a&lt;b" in text and "INSIDE" in text and "2 cues" in text


def test_a_picture_that_cannot_be_read_leaves_the_former_page(write, tmp_path):
    before = write(candidates())

    def fail(image):
        raise OSError(5, "gone")

    with pytest.raises(OSError, match="gone"):
        write(candidates(), fail)
    assert [path.read_text("utf-8") for path in tmp_path.rglob("*.*")] == [before]
