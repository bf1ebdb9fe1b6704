"""The page of every key: what a person can set, with a reason from the files or from the typed model."""

import pytest

from docs.generated_pages import keys, models, options


@pytest.fixture(scope="module")
def rows():
    cells = (line.split(" | ") for line in options().splitlines() if line.startswith("| `"))
    return [(key.strip("|` "), value.strip("`"), " | ".join(why).rstrip("| ")) for key, value, *why in cells]


def test_nearly_every_key_says_why(rows):
    bare = sorted({key for key, _, why in rows if not why})
    assert len(rows) > 300 and len(bare) < 30, bare


def test_defaults_that_only_the_model_has_are_listed(rows):
    found = {key: (value, why) for key, value, why in rows}
    assert found["review.kinds"][0] == "[human]" and "model must be asked for" in found["review.kinds"][1]
    assert found["evaluate.robustness"][0] == "[]"


def test_a_mapping_on_one_line_is_several_keys_and_a_comment_goes_before_the_description():
    text = "mine: {of: images, match_iou: 0.5}  # of the line\nprepare:\n  dpi: 200    # for scans\n  class_map: {a: b}\n"
    found = {key: (value, why) for key, value, why in keys(text, models()["detection"])}
    assert found["mine.match_iou"] == (0.5, "two boxes that overlap less are not the same")
    assert found["prepare.dpi"] == (200, "for scans")
    assert found["prepare.class_map"][0] == {"a": "b"}
