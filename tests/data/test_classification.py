import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

from assay.data.classification import prepare, read_manifest, source_of
from assay.data.source import write_source
from assay.errors import UserError
from assay.sample.cherry_picture import Frame, draw

CLASSES = ("cherry_clean", "cherry_pit")


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def data(tmp_path):
    """Three different cherries per class and split."""
    seed = 0
    for split in ("train", "val"):
        for label in CLASSES:
            for _ in range(3):
                save(
                    tmp_path / f"data/cherry/{split}/{label}/c{seed}.png",
                    draw(seed, pit=0.8 * (label != CLASSES[0])),
                )
                seed += 1
    return tmp_path / "data/cherry"


@pytest.fixture
def run(data, tmp_path):
    def run(**options):
        out = tmp_path / "build/dataset"
        options = {"classes": CLASSES, "image_size": 128, "near_duplicate_distance": 0.19} | options
        return prepare(data, out, **options), out

    return run


def test_a_sound_set_is_listed_whole(run, data):
    counts, out = run()
    manifest = read_manifest(out)
    assert list(manifest.columns) == [
        *("image", "label", "split", "group", "sha256", "pixels", "width", "height", "leak")
    ]
    assert manifest["image"].tolist() == sorted(p.relative_to(data).as_posix() for p in data.rglob("*.png"))
    assert (manifest["group"] == manifest["image"]).all() and not manifest["leak"].any()
    assert counts["images"] == 12 and counts["train_cherry_pit"] == 3 and counts["val"] == 6
    assert counts["quarantined"] == counts["identical_pairs"] == counts["near_pairs"] == counts["groups"] == 0
    assert (out / "quarantine.csv").read_text() == "image,reason\n"


def test_damaged_files_are_quarantined_with_their_reason(run, data):
    whole = (data / "train/cherry_pit/c3.png").read_bytes()
    (data / "train/cherry_pit/cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "val/cherry_clean/void.png").write_bytes(b"")
    (data / "val/cherry_clean/note.png").write_text("see the other folder")
    counts, out = run()
    with (out / "quarantine.csv").open() as stream:
        assert [tuple(row.values()) for row in csv.DictReader(stream)] == [
            ("train/cherry_pit/cut.png", "truncated"),
            ("val/cherry_clean/note.png", "not an image"),
            ("val/cherry_clean/void.png", "empty file"),
        ]
    assert counts["quarantined"] == 3 and counts["images"] == 12
    assert "void.png" in (out / "report.html").read_text()


def test_a_copy_across_splits_is_a_leak_whatever_its_file_says(run, data):
    picture = draw(0, pit=0)
    Image.fromarray(picture).save(
        data / "val/cherry_clean/copy.png", compress_level=1
    )  # other bytes, same pixels
    counts, out = run()
    manifest = read_manifest(out).set_index("image")
    assert manifest.index[manifest["leak"]].tolist() == ["val/cherry_clean/copy.png"]
    assert manifest.loc["val/cherry_clean/copy.png", "group"] == "train/cherry_clean/c0.png"
    assert counts["leaks"] == counts["identical_pairs_across"] == counts["groups"] == 1
    assert counts["label_conflicts"] == counts["near_pairs"] == 0


def test_identical_images_with_two_labels_are_counted_and_named(run, data):
    save(data / "train/cherry_pit/again.png", draw(1, pit=0))
    counts, out = run()
    (pair,) = json.loads((out / "report.json").read_text())["identical"]
    assert counts["label_conflicts"] == 1 and pair["label_conflict"]
    assert (pair["first"], pair["second"]) == ("train/cherry_clean/c1.png", "train/cherry_pit/again.png")
    assert "labels differ" in (out / "report.html").read_text()


def test_neighbouring_frames_share_a_group_and_are_no_leak(run, data):
    save(data / "val/cherry_clean/next.png", draw(2, pit=0, frame=Frame((2, 1), 1.05, 0.97, noise=8)))
    counts, out = run()
    manifest = read_manifest(out).set_index("image")
    assert manifest.loc["val/cherry_clean/next.png", "group"] == "train/cherry_clean/c2.png"
    assert counts["near_pairs_across"] == 1 and counts["leaks"] == 0 and counts["largest_group"] == 2


def test_the_pool_is_listed_without_labels_and_can_conflict_with_none(run, data):
    save(data / "pool/p.png", draw(0, pit=0))
    counts, out = run()
    row = read_manifest(out).set_index("image").loc["pool/p.png"]
    assert (row["label"], row["split"], row["leak"]) == ("", "pool", False)
    assert counts["pool"] == counts["identical_pairs"] == 1 and counts["label_conflicts"] == 0


def test_other_sizes_and_odd_names_are_accepted(run, data):
    save(data / "train/cherry_pit/Süß kirsche 桜.png", np.full((31, 51, 3), 90, np.uint8))
    counts, out = run()
    row = read_manifest(out).set_index("image").loc["train/cherry_pit/Süß kirsche 桜.png"]
    assert (row["width"], row["height"]) == (51, 31) and counts["resized"] == 1


def test_an_image_of_one_colour_is_used_counted_and_named(run, data):
    save(data / "val/cherry_pit/black.png", np.zeros((128, 128, 3), np.uint8))
    counts, out = run()
    assert counts["blank"] == 1 and counts["images"] == 13 and counts["quarantined"] == 0
    assert json.loads((out / "report.json").read_text())["blank"] == ["val/cherry_pit/black.png"]
    assert "<code>val/cherry_pit/black.png</code>" in (out / "report.html").read_text()
    assert "val/cherry_pit/black.png" in set(read_manifest(out)["image"])


def test_source_travels_and_a_changed_sample_is_owned_up_to(run, data):
    write_source(data, project="cherry", kind="sample", note="")
    _, out = run()
    assert source_of(out)["source"] == "sample"
    save(data / "train/cherry_pit/mine.png", draw(99, pit=1))
    _, out = run()
    assert source_of(out)["source"] == "own (modified sample)"
    assert "own (modified sample)" in (out / "report.html").read_text()


def test_own_data_is_described_and_left_untouched(run, data):
    before = sorted(data.rglob("*"))
    _, out = run()
    assert source_of(out)["source"] == "own" and sorted(data.rglob("*")) == before


def test_a_second_run_gives_the_same_bytes(run):
    _, out = run()
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    _, out = run()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_a_failure_leaves_the_former_result(run, data):
    _, out = run()
    for path in (data / "val/cherry_pit").iterdir():
        path.unlink()
    with pytest.raises(UserError):
        run()
    assert len(read_manifest(out)) == 12


def remove(folder):
    def change(data):
        for path in (data / folder).iterdir():
            path.unlink()

    return change


def move(old, new):
    return lambda data: (data / old).rename(data / new)


def blank(folder, keep):
    def change(data):
        for path in sorted((data / folder).iterdir())[keep:]:
            path.write_bytes(b"")

    return change


def yolo(data):
    for split in ("train", "val"):
        (data / split).rename(data / f"{split}_old")
    for name in ("images/train/1.png", "labels/train/1.txt"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_text("0 0.5 0.5 1 1")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data.rename(data.parent / "elsewhere"), r"cherry: no data; run `make data`"),
        (
            yolo,
            r"images, labels.*like a YOLO detection set; expected \{train,val\}/\{cherry_clean,cherry_pit\}",
        ),
        (move("val", "validation"), r"no folder val \(found train, validation\)"),
        (
            move("train/cherry_pit", "train/cherry_pits"),
            r"cherry_pits: unknown class folder; did you mean 'cherry_pit'",
        ),
        (
            move("val/cherry_pit", "../gone"),
            r"val: class folder 'cherry_pit' is missing \(found cherry_clean\)",
        ),
        (move("train/cherry_pit/c3.png", "train/c3.png"), r"c3\.png: an image outside the class folders"),
        (remove("val/cherry_pit"), r"val: images of cherry_clean only; at least two classes"),
        (
            blank("train/cherry_pit", 1),
            r"cherry_pit: 1 readable image; at least 2 .*2 files are unreadable.*empty file",
        ),
        (blank("val/cherry_pit", 0), r"val: images of cherry_clean only.*3 files are unreadable"),
    ],
    ids=[
        "missing",
        "yolo",
        "no val",
        "misspelt class",
        "no class",
        "stray",
        "empty class",
        "one left",
        "all damaged",
    ],
)
def test_a_wrong_folder_is_one_line_that_says_how_to_mend_it(run, data, change, message):
    change(data)
    with pytest.raises(UserError, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_no_data(tmp_path):
    (tmp_path / "cherry").mkdir()
    with pytest.raises(UserError, match="no data"):
        prepare(
            tmp_path / "cherry",
            tmp_path / "out",
            classes=CLASSES,
            image_size=64,
            near_duplicate_distance=0.19,
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_quarantined(run, data):
    (data / "train/cherry_pit/c3.png").chmod(0)
    counts, _ = run()
    assert counts["quarantined"] == 1


def test_reading_what_was_not_prepared_names_the_stage(tmp_path):
    with pytest.raises(UserError, match="prepare"):
        read_manifest(tmp_path)
    with pytest.raises(UserError, match=r"SOURCE\.yaml"):
        source_of(tmp_path)
