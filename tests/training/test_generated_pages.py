import numpy as np
import pandas as pd
from PIL import Image

from assay.training.generated_pages import generated_pages

FLAT = {"signature": "signature", "stamp": "stamp"}


def test_pages_are_of_their_seed_and_the_first_of_more_are_the_same(tmp_path):
    rows, boxes = generated_pages(tmp_path / "few", 3, class_map=FLAT, seed=1)
    more, _ = generated_pages(tmp_path / "more", 5, class_map=FLAT, seed=1)
    other, _ = generated_pages(tmp_path / "other", 3, class_map=FLAT, seed=2)
    assert rows["sha256"].tolist() == more["sha256"].tolist()[:3]
    assert not set(rows["sha256"]) & set(other["sha256"])
    assert set(rows["split"]) == {"train"} and set(boxes["label"]) <= {"signature", "stamp"}
    assert set(boxes["image"]) == set(rows["image"])  # a page without a mark would teach nothing


def test_boxes_hold_the_ink_of_a_page_that_is_blank_around(tmp_path):
    rows, boxes = generated_pages(tmp_path, 6, class_map=FLAT, seed=3)
    for image in rows["image"]:
        page = np.asarray(Image.open(image).convert("L")).astype(int)
        paper = np.median(page)
        own = boxes[boxes["image"] == image]
        corners = own[["x1", "y1", "x2", "y2"]].to_numpy().round().astype(int)
        assert all(page[y1:y2, x1:x2].min() < paper - 60 for x1, y1, x2, y2 in corners)
        for x1, y1, x2, y2 in corners:
            page[max(y1 - 4, 0) : y2 + 4, max(x1 - 4, 0) : x2 + 4] = paper
        # notes by hand may be left over, nothing that fills a tenth of the page
        assert (page < paper - 60).mean() < 0.1


def test_kinds_become_classes_where_a_map_names_them(tmp_path):
    kinds = {f"stamp_{kind}": f"stamp_{kind}" for kind in ("official", "notary", "company")}
    _, boxes = generated_pages(tmp_path, 12, class_map=kinds | {"signature": ""}, seed=0)
    assert len(boxes) > 3 and set(boxes["label"]) <= set(kinds)


def test_no_pages_are_an_empty_table(tmp_path):
    rows, boxes = generated_pages(tmp_path, 0, class_map=FLAT, seed=0)
    assert isinstance(rows, pd.DataFrame) and rows.empty and boxes.empty
