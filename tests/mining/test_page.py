import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.mining.page import write_page

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def candidates(**changes):
    row = {
        "candidate": "0" * 12,
        "image": "train/pit/1.png",
        "label": "pit",
        "group_size": 1,
        "predicted": "clean",
        "confidence": 0.9,
        "reason": "miss",
    }
    return pd.DataFrame([row | changes])


@pytest.fixture
def write(tmp_path):
    def write(table, load=lambda image: PICTURE):
        path = tmp_path / "candidates/index.html"
        write_page(
            path, table, load, project="cherry", labels=("clean", "maybe", "pit"), summary="Two sentences."
        )
        return path.read_text("utf-8")

    return write


def test_a_candidate_is_shown_with_what_a_reviewer_needs(write):
    text = write(candidates(group_size=3))
    for part in (
        "train/pit/1.png",
        "<b>miss</b>",
        "clean 0.90",
        "label: pit",
        "+ 2 near-duplicates",
        "Two sentences.",
    ):
        assert part in text
    assert "clean, maybe, pit" in text and "assay review record cherry" in text


def test_the_page_stands_alone_and_holds_the_pixels(write):
    text = write(candidates())
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))), PICTURE)
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_an_image_without_a_label_says_so(write):
    text = write(candidates(label="", reason="uncertain"))
    assert "label: none" in text and "<b>miss</b>" not in text


def test_names_are_text_and_never_markup(write):
    text = write(candidates(image="train/<script>alert(1)</script> & Süß.png"))
    assert "<script>" not in text and "&lt;script&gt;" in text and "Süß.png" in text


def test_no_candidates_is_a_page_that_says_so(write):
    assert "cherry: 0 candidates" in write(candidates().iloc[:0])


def test_a_picture_that_cannot_be_read_leaves_the_former_page(write, tmp_path):
    before = write(candidates())

    def fail(image):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write(candidates(), fail)
    assert [path.read_text("utf-8") for path in tmp_path.rglob("*.*")] == [before]
