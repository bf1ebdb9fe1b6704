"""`assay inspect` over folders of good and bad photos."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from assay.inspection import stages
from assay.inspection.drawing import colour_of, draw
from tests.inspection.conftest import photo, save

BOXES = (("rock_toe", 0.9, 10, 10, 40, 40), ("slope_drain", 0.5, 60, 20, 90, 50))


@pytest.fixture
def run(assay, inspector, monkeypatch, tmp_path):
    """Run `assay inspect` with stand-ins for the exports; status, output, complaints, and the output folder."""
    here = inspector(*BOXES)
    monkeypatch.setattr(stages.Inspector, "load", classmethod(lambda *_, **__: here))
    out = tmp_path / "out"

    def run(*arguments):
        return *assay("inspect", *arguments, "--output", out), out

    return run


def rows(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_of_photos(run, tmp_path):
    save(tmp_path / "in/a.png", photo())
    save(tmp_path / "in/berm/b.jpg", photo())
    (tmp_path / "in/notes.txt").write_text("no photo")
    status, said, complained, out = run(tmp_path / "in")
    assert (status, complained.strip()) == (0, "") and "2 photos, 4 objects, 0 photos without any" in said
    report = json.loads((out / "inspection.json").read_text())
    assert report["counts"]["by_label"] == {"rock_toe": {"normal": 2}, "slope_drain": {"conditional": 2}}
    objects = rows(out / "objects.csv")
    assert [row["image"] for row in objects] == ["a.png", "a.png", "berm__b.jpg", "berm__b.jpg"]
    assert objects[1]["p_conditional"] == "1.0" and objects[1]["x1"] == "60.0"
    assert sorted(path.name for path in (out / "drawn").iterdir()) == ["a.png.jpg", "berm__b.jpg.jpg"]
    with Image.open(out / "drawn/a.png.jpg") as drawn:
        assert drawn.size == (100, 60) and np.asarray(drawn)[40, 25].tolist() != [255, 255, 255]


def test_a_photo_is_never_replaced_by_its_drawn_picture(run, tmp_path):
    source = save(tmp_path / "out/drawn/a.jpg.jpg", photo())
    before = source.read_bytes()
    status, _, complained, _ = run(source, save(tmp_path / "a.jpg", photo()))
    assert status == 2 and "a.jpg.jpg: would be replaced by its result" in complained
    assert source.read_bytes() == before


def test_bad_photos_are_one_line_each_and_the_rest_goes_on(run, tmp_path):
    whole = save(tmp_path / "in/good.png", photo()).read_bytes()
    (tmp_path / "in/torn.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/void.png").write_bytes(b"")
    (tmp_path / "in/text.jpg").write_text("hello")
    save(tmp_path / "in/dot.png", photo(1, 1))
    Image.new("1", (20_000, 20_000)).save(tmp_path / "in/huge.png")
    status, said, complained, out = run(tmp_path / "in")
    assert status == 1 and "1 photos, 2 objects" in said
    lines = [line for line in complained.splitlines() if line.startswith("assay: ")]
    expected = {
        "dot.png": "too small: 1x1 pixels",
        "huge.png": "too large: a decompression bomb",
        "text.jpg": "not an image",
        "torn.png": "truncated",
        "void.png": "empty file",
    }
    assert len(lines) == len(expected) + 1 and "5 of 6 photos could not be inspected" in lines[-1]
    for line, (name, reason) in zip(lines, expected.items(), strict=False):
        assert line.startswith(f"assay: {name}: ") and reason in line
    found = {row["image"]: row for row in rows(out / "images.csv")}
    assert found["good.png"]["status"] == "done" and found["good.png"]["objects"] == "2"
    assert found["void.png"] == {
        "image": "void.png",
        "status": "failed",
        "objects": "",
        "problem": "empty file",
    }


def test_no_two_photos_are_drawn_as_one(run, tmp_path):
    for name in ("a.png", "a.png.jpg", "ok.jpg", "below/ok.jpg"):
        save(tmp_path / "in" / name, photo())
    folder = tmp_path / "in"
    *_, out = run(folder / "a.png", folder / "a.png.jpg", folder / "ok.jpg", folder / "below/ok.jpg")
    names = [row["image"] for row in rows(out / "images.csv")]
    assert names == ["a.png", "a.png.jpg", "ok.jpg", "ok-2.jpg"]
    assert sorted(path.name for path in (out / "drawn").iterdir()) == sorted(f"{name}.jpg" for name in names)


def test_a_picture_that_cannot_be_written_costs_no_result(run, tmp_path):
    save(tmp_path / "in/a.png", photo())
    save(tmp_path / "in/b.png", photo())
    (tmp_path / "out").mkdir()
    (tmp_path / "out/drawn").write_text("a file where the folder should be")
    status, _, complained, out = run(tmp_path / "in")
    assert status == 2 and "pictures can't be written" in complained and "--no-pictures" in complained
    assert len(complained.strip().splitlines()) == 1
    assert [row["status"] for row in rows(out / "images.csv")] == ["done", "done"]
    assert len(rows(out / "objects.csv")) == 4


def test_a_photo_without_objects_is_no_failure(run, tmp_path):
    save(tmp_path / "a.png", photo())
    wanted = [f"--conf={name}=1" for name in ("rock_toe", "slope_drain")]
    status, said, _, out = run(tmp_path / "a.png", *wanted, "--no-pictures")
    assert status == 0 and "1 photos, 0 objects, 1 photos without any" in said
    assert rows(out / "objects.csv") == [] and not (out / "drawn").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--conf", "rock_toe"], "--conf rock_toe: expected class=confidence"),
        (["--conf", "rock_toe=much"], "--conf rock_toe=much: expected class=confidence"),
        (["--conf", "tree=0.5"], "'tree': the detector finds rock_toe"),
        (["--conf", "rock_toe=7"], "rock_toe 7: expected 0 to 1"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, more, said):
    status, _, complained, _ = run(save(tmp_path / "a.png", photo()), *more)
    assert status == 2 and said in complained and len(complained.strip().splitlines()) == 1


def test_what_is_not_there_is_named(run, tmp_path):
    status, _, complained, _ = run(tmp_path / "none")
    assert status == 2 and "no such file or folder" in complained
    (tmp_path / "empty").mkdir()
    assert "holds nothing readable" in run(tmp_path / "empty")[2]


def test_the_nine_names_have_the_colour_of_what_stands_in_them():
    assert colour_of("Toe drain- Blocked") == colour_of("blocked") != colour_of("slope drain damaged")
    assert colour_of("normal") != colour_of("rock toe")
    assert (draw(photo(), []) == photo()).all()
