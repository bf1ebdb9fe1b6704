import json

import pandas as pd
from PIL import Image

from assay.training.corrected import with_corrected

CLASSES = ["toe", "drain"]


def row(name, split="train"):
    return {"image": f"images/{name}", "split": split, "sha256": name * 8, "width": 40, "height": 30}


def box(name, label="toe"):
    sides = dict(zip(("x1", "y1", "x2", "y2"), (1.0, 1.0, 9.0, 9.0), strict=True))
    return {"image": f"images/{name}", "label": label, **sides, "width": 40, "height": 30}


def example(image, *drawn, use="labelled", kind="human"):
    objects = [{"label": label, "box": sides, "condition": "", "confidence": None} for label, sides in drawn]
    said = {"candidate": "0" * 12, "picture": "p.png", "kind": kind, "drawn": json.dumps(objects)}
    return {"image": image, "use": use, **said}


def run(tmp_path, *examples):
    pictures = tmp_path / "hard_examples"
    (pictures / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(pictures / "images/p.png")
    rows = pd.DataFrame([row("a"), row("b"), row("v", "val")])
    boxes = pd.DataFrame([box("a"), box("a", "drain"), box("b"), box("v")])
    return rows, boxes, with_corrected(
        rows,
        boxes,
        pd.DataFrame(examples),
        pictures=pictures,
        labelled=["images/a", "images/b", "images/left out"],
        barred={"b" * 12},
        classes=CLASSES,
    )  # fmt: skip


def test_drawn_boxes_take_the_place_of_a_training_images_own(tmp_path):
    rows, _, found = run(tmp_path, example("images/a", ("drain", [2, 3, 20, 25])))
    assert found.rows.equals(rows) and (found.replaced, found.added, found.by_kind) == (1, 0, {"human": 1})
    own = found.boxes[found.boxes["image"] == "images/a"]
    assert own[["label", "x1", "y2", "width"]].values.tolist() == [["drain", 2, 25, 40]]
    assert found.boxes["image"].tolist() == ["images/b", "images/v", "images/a"]  # the others keep theirs


def test_a_picture_of_the_pool_becomes_a_training_image_of_its_own_name_and_size(tmp_path):
    drawn = ("toe", [0, 0, 64, 48]), ("gully", [1, 1, 5, 5])  # the second is no class of this training
    _, _, found = run(tmp_path, example("images/pool/b", *drawn, kind="model"))
    new = found.rows.iloc[-1]
    assert (new["image"], new["split"]) == ("../hard_examples/images/p.png", "train")
    assert (new["width"], new["height"]) == (64, 48) and found.by_kind == {"model": 1}
    assert found.boxes.iloc[-1][["image", "label", "x2", "height"]].tolist() == [new["image"], "toe", 64, 48]


def test_what_another_split_holds_out_does_not_teach_under_any_name(tmp_path):
    drawn = ("toe", [2, 3, 20, 25])
    told = [example(image, drawn) | {"candidate": "b" * 12} for image in ("images/train/v", "images/a")]
    rows, boxes, found = run(tmp_path, *told)
    assert found.rows.equals(rows) and found.boxes.equals(boxes)


def test_validation_images_and_what_was_left_out_stay_as_they_are(tmp_path):
    drawn = ("toe", [2, 3, 20, 25])
    told = [example("images/v", drawn), example("images/left out", drawn)]
    rows, boxes, found = run(tmp_path, *told, example("images/a", use="negative"))
    assert found.rows.equals(rows) and found.boxes.equals(boxes) and found.added == found.replaced == 0
