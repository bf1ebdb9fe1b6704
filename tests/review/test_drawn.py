import hashlib
from datetime import UTC, datetime

import pandas as pd
import pytest

from assay.errors import UserError
from assay.review.decisions import Decision, append_decisions, read_decisions
from assay.review.drawn import Picture, drawn_decisions, find_pictures, read_drawn
from assay.review.offered import Offered

CLASSES = ("rock_toe", "slope_drain")
CONDITIONS = ("normal", "blocked")
HEADER = "image,label,x1,y1,x2,y2,condition,confidence\n"
PICTURES = {"a.jpg": Picture("images/pool/a.jpg", "a" * 12, 100, 50)}


def write(tmp_path, *lines, header=HEADER):
    path = tmp_path / "boxes.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def read(tmp_path, *lines, conditions=CONDITIONS, header=HEADER):
    return read_drawn(write(tmp_path, *lines, header=header), classes=CLASSES, conditions=conditions)


def decide(tmp_path, *lines):
    table = tmp_path / "boxes.csv"
    return drawn_decisions(table, read(tmp_path, *lines), PICTURES, reviewer="ann", kind="human")


def test_a_table_is_every_object_of_its_pictures_and_survives_the_file(tmp_path):
    made = decide(tmp_path, "a.jpg,rock_toe,-0.4,5,60,50,blocked,0.8", "a.jpg,slope_drain,1,2,30,40,,")
    append_decisions(tmp_path / "reviews", made)
    (kept,) = read_decisions(tmp_path / "reviews", ["normal"])
    assert kept == made[0] and (kept.label, kept.image, kept.boxes) == ("drawn", "images/pool/a.jpg", 2)
    first, second = kept.drawn
    assert first.box == (0, 5, 60, 50) and (first.condition, first.confidence) == ("blocked", 0.8)
    assert (second.label, second.condition, second.confidence) == ("slope_drain", "", None)


def test_a_detectors_table_leaves_conditions_alone(tmp_path):
    found = read(tmp_path, "a.jpg,rock_toe,1,2,30,40,rusty,", conditions=None)
    assert found["a.jpg"][0][1].condition == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.jpg,toe,1,2,30,40,,", r"line 3: label 'toe' is none of rock_toe, slope_drain"),
        ("a.jpg,rock_toe,1,2,30,forty,,", "line 3: y2 'forty' is no number"),
        ("a.jpg,rock_toe,1,2,30,nan,,", "line 3: y2 'nan' is no number"),
        ("a.jpg,rock_toe,1,2,30", "line 3: y2 None is no number"),
        ("a.jpg,rock_toe,30,2,1,40,,", "line 3: the box has no area"),
        ("a.jpg,rock_toe,1,2,30,40,rusty,", "line 3: condition 'rusty' is none of normal, blocked"),
        ("a.jpg,rock_toe,1,2,30,40,,7", "line 3: confidence 7"),
        (",rock_toe,1,2,30,40,,", "line 3: no image named"),
        ("a.jpg,rock_toe,1,2,130,40,,", r"line 3: the box ends 30 px outside a.jpg \(100x50 px\)"),
        ("a.jpg,rock_toe,100.5,2,100.9,40,,", "line 3: the box is less than a pixel"),
    ],
)
def test_a_wrong_row_is_named_in_one_line(tmp_path, line, said):
    with pytest.raises(UserError, match=said) as refusal:
        decide(tmp_path, "a.jpg,rock_toe,1,2,30,40,,", line)
    assert "\n" not in str(refusal.value)


def test_a_table_without_a_column_or_rows_is_refused(tmp_path):
    with pytest.raises(UserError, match="no column y2; expected image"):
        read(tmp_path, header="image,label,x1,y1,x2\n")
    with pytest.raises(UserError, match="no rows"):
        read(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        read_drawn(tmp_path / "none.csv", classes=CLASSES, conditions=None)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A prepared data set: a training photo, two of the pool, one held out and a near-duplicate of that."""
    monkeypatch.chdir(tmp_path)
    rows = [
        ("images/train/merged__a.jpg", "merged/train/images/a.jpg", "train", "one"),
        ("images/pool/b.jpg", "pool/images/b.jpg", "pool", "two"),
        ("images/pool/c.jpg", "pool/images/c.jpg", "pool", "three"),
        ("images/val/merged__d.jpg", "merged/val/images/d.jpg", "val", "three"),
        ("images/val/merged__a.jpg", "merged/val/images/a.jpg", "val", "four"),
    ]
    table = pd.DataFrame(rows, columns=["image", "source", "split", "group"])
    shas = [hashlib.sha256(name.encode()).hexdigest() for name in table["image"]]
    folder = tmp_path / "build/infrastructure/dataset"
    folder.mkdir(parents=True)
    table.assign(sha256=shas, width=80, height=60).to_parquet(folder / "manifest.parquet")
    return dict(zip(table["image"], (sha[:12] for sha in shas), strict=True))


def offered(project="infrastructure", what="images"):
    return Offered(project, what, f"build/{project}", "data/infrastructure", (), CLASSES, CLASSES)


def find(*names, **how):
    return find_pictures(offered(**how), names, "t.csv")


@pytest.mark.parametrize("name", ["images/pool/b.jpg", "b.jpg", "images__b.jpg", "pool/images/b.jpg"])
def test_a_picture_is_found_by_its_path_or_the_end_of_it(photos, name):
    found = find(name)[name]
    assert found == Picture("images/pool/b.jpg", photos["images/pool/b.jpg"], 80, 60)
    stage_2 = find(name, project="conditions", what="boxes")[name]
    assert (stage_2.image, stage_2.candidate) == ("pool/images/b.jpg", found.candidate)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("d.jpg", "image 'd.jpg' is held out"),
        ("c.jpg", "image 'c.jpg' is held out, or shows what a held-out one shows"),
        ("e.jpg", "no image 'e.jpg'"),
    ],
)
def test_what_must_not_teach_is_not_drawn_in(photos, name, said):
    with pytest.raises(UserError, match=said):
        find(name)


def test_a_name_that_means_two_pictures_is_refused(photos, tmp_path):
    path = tmp_path / "build/infrastructure/dataset/manifest.parquet"
    table = pd.read_parquet(path)
    path.unlink()
    again = table.iloc[[1]].assign(image="images/train/x__b.jpg", source="x/b.jpg", sha256="0" * 64, group="")
    pd.concat([table, again]).to_parquet(path)
    with pytest.raises(UserError, match=r"image 'b\.jpg' may be images/pool/b\.jpg, images/train/x__b\.jpg"):
        find("b.jpg")
    assert find("x/b.jpg")["x/b.jpg"].candidate == "0" * 12


def test_drawn_is_known_whatever_the_labels_are_and_is_undone_like_any_answer(tmp_path):
    made = decide(tmp_path, "a.jpg,rock_toe,1,2,30,40,,")
    withdrawn = Decision(
        candidate="a" * 12,
        image="images/pool/a.jpg",
        label="withdrawn",
        reviewer="ann",
        kind="human",
        at=datetime.now(UTC),
    )
    append_decisions(tmp_path / "reviews", [*made, withdrawn])
    assert read_decisions(tmp_path / "reviews", []) == []
