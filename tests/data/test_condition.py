import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.data.condition import (
    counts_line,
    cut,
    flight_of,
    held_out,
    labels_of,
    prepare,
    read_manifest,
    two_of,
)
from assay.data.condition_features import GEOMETRIC, feature_names, geometric, spatial_of
from assay.data.conditions_table import COLUMNS, FEATURES, NEEDED
from assay.errors import UserError

TYPES = ["rock_toe", "slope_drain"]
TWO = ["normal", "conditional"]


def photo(path, seed, size=(60, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(30, 250, (5, 6, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)


def row(image, box=(0.1, 0.2, 0.5, 0.7), split="train", label=0, **more):
    values = dict.fromkeys(FEATURES, 0.25) | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    values |= {"split": split, "image": image, "object_type": "rock_toe", "label": label}
    values |= {"original_class": "rock toe damaged" if label else "rock toe"}
    return values | {"condition": "damaged" if label else "normal"} | more


@pytest.fixture
def run(tmp_path):
    """Write rows and photos 0…5, prepare them; counts and the folder."""
    data = tmp_path / "data/infrastructure"
    for seed in range(6):
        photo(data / f"photos/p{seed}.png", seed)

    def run(*extra, columns=COLUMNS):
        rows = [row(f"photos/p{n}.png", label=n % 2) for n in range(4)]
        rows += [row(f"photos/p{n}.png", split="test", label=n % 2) for n in (4, 5)]
        with (data / "conditions.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows([*rows, *extra])
        out = tmp_path / "build/dataset"
        counts = prepare(data, out, classes=TWO, object_types=TYPES, near_duplicate_distance=0.1)
        return counts, out

    run.data = data
    return run


def quarantined(out):
    with (out / "quarantine.csv").open() as stream:
        return [tuple(row.values()) for row in csv.DictReader(stream)]


def test_features_that_the_table_leaves_out_are_computed_from_its_boxes(run):
    drain = row("photos/p0.png", box=(0.1, 0.6, 0.5, 0.8), object_type="slope_drain")
    counts, out = run(drain, columns=NEEDED)
    manifest = read_manifest(out)
    assert counts["computed_features"] == 9 and "9 features computed from the boxes" in counts_line(counts)
    assert manifest["y_center"].tolist()[:2] == pytest.approx([0.45, 0.45])
    assert manifest["distance_to_slope_drain"][0] == pytest.approx(0.25 / 2**0.5)
    assert manifest["distance_to_slope_drain"][1] == 1.0  # another photo, without a drain
    assert (manifest["detector_confidence"] == 1.0).all() and counts["detector_missed"] == 0
    assert "Not in conditions.csv, and computed from its boxes: y_center" in (out / "report.html").read_text()
    kept, _ = run(drain)
    assert "computed_features" not in kept and read_manifest(out)["y_center"].tolist()[0] == 0.25


def test_a_crop_is_the_box_rounded_outwards(run):
    counts, out = run()
    manifest = read_manifest(out)
    assert manifest["image"].tolist()[:2] == ["photos/p0.png#2", "photos/p1.png#3"]
    with Image.open(out / manifest["crop"][0]) as crop, Image.open(run.data / "photos/p0.png") as whole:
        # 60 x 40 px: x 6 to 30, y 8 to 28
        np.testing.assert_array_equal(np.asarray(crop), np.asarray(whole)[8:28, 6:30])
    assert manifest["label"].tolist() == ["normal", "conditional"] * 3
    assert counts["instances"] == 6 and counts["test"] == 2 and counts["quarantined"] == counts["leaks"] == 0
    assert not manifest["leak"].any() and counts["photos"] == counts["groups"] == 6
    assert manifest["width"].tolist() == pytest.approx(
        [0.4] * 6
    )  # of the box, a share; not the photo's 60 px


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"box": ("nan", 0.2, 0.5, 0.7)}, "x1"),
        ({"box": (0.5, 0.2, 0.1, 0.7)}, "no area"),
        ({"box": (0.1, 0.2, 1.4, 0.7)}, "x2"),
        ({"object_type": "tree"}, "tree"),
        ({"split": "tset"}, "tset"),
        ({"label": 2}, "label"),
        ({"detector_confidence": ""}, "detector_confidence"),
        ({"image": "photos/none.png"}, "photos/none.png"),
        ({"image": "photos/torn.png"}, "photo: truncated"),
        ({"image": "photos/void.png"}, "photo: empty file"),
        ({"image": "photos/dot.png"}, "photo: too small: 1x1 pixels"),
        ({"image": "photos/huge.png"}, "photo: too large: a decompression bomb"),
        # condition says damaged, label says 0: nobody knows which is right
        ({"condition": "damaged"}, "contradicts"),
    ],
)
def test_a_bad_row_is_set_aside_and_the_rest_goes_on(run, bad, reason):
    whole = (run.data / "photos/p0.png").read_bytes()
    (run.data / "photos/torn.png").write_bytes(whole[: len(whole) // 2])
    (run.data / "photos/void.png").write_bytes(b"")
    Image.new("1", (1, 1)).save(run.data / "photos/dot.png")
    Image.new("1", (20_000, 20_000)).save(run.data / "photos/huge.png")
    counts, out = run(row("photos/p0.png") | {k: v for k, v in bad.items() if k != "box"} | box_of(bad))
    assert counts["quarantined"] == 1 and counts["instances"] == 6
    ((where, why),) = quarantined(out)
    assert reason in why and where
    assert reason.split()[0] in (out / "report.html").read_text()


def test_a_box_of_less_than_a_pixel_is_cut_as_one_and_counted(run):
    counts, out = run(row("photos/p0.png", box=(0.5, 0.2, 0.5001, 0.7)))
    manifest = read_manifest(out)
    assert counts["boxes_below_a_pixel"] == 1 and counts["instances"] == 7
    with Image.open(out / manifest["crop"].iloc[-1]) as crop:
        assert crop.size == (1, 20)


def box_of(bad):
    return dict(zip(("x1", "y1", "x2", "y2"), bad["box"], strict=True)) if "box" in bad else {}


def test_a_test_instance_whose_photo_is_trained_on_is_a_leak(run):
    (run.data / "photos/copy.png").write_bytes((run.data / "photos/p0.png").read_bytes())
    counts, out = run(row("photos/copy.png", box=(0.5, 0.5, 0.9, 0.9), split="test"))
    manifest = read_manifest(out)
    assert manifest.loc[manifest["leak"], "photo"].tolist() == ["photos/copy.png"]
    assert counts["leaks"] == counts["test_in_training_groups"] == 1 and counts["groups"] == 6
    assert manifest.set_index("photo").loc["photos/copy.png", "group"] == "photos/copy.png"


def test_one_box_with_two_labels_is_named(run):
    counts, out = run(row("photos/p0.png", label=1))
    assert counts["identical_crops"] == counts["label_conflicts"] == 1
    assert "photos/p0.png#2 · photos/p0.png#8" in (out / "report.html").read_text()


def test_the_same_data_gives_the_same_manifest(run):
    first = (run()[1] / "manifest.parquet").read_bytes()
    assert (run()[1] / "manifest.parquet").read_bytes() == first


def test_too_little_is_refused_in_one_line(run, tmp_path):
    table = run.data / "conditions.csv"
    run()
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if not line.startswith("test")))
    with pytest.raises(UserError, match="split test"):
        prepare(run.data, tmp_path / "o", classes=TWO, object_types=TYPES, near_duplicate_distance=0.1)
    table.write_text("\n".join([lines[0], *lines[1:4:2], *lines[5:]]))
    with pytest.raises(UserError, match=r"0 usable training instances are conditional|1 usable"):
        prepare(run.data, tmp_path / "o", classes=TWO, object_types=TYPES, near_duplicate_distance=0.1)
    assert not (tmp_path / "o").exists()


def test_geometric_features_are_those_of_the_document():
    boxes = np.array([[0.0, 0.0, 0.5, 0.2], [0.5, 0.6, 1.0, 1.0], [0.2, 0.2, 0.4, 0.201]])
    found = geometric(boxes, ["a", "a", "b"], np.array([[200, 100]] * 3))
    assert tuple(found) == GEOMETRIC and len(GEOMETRIC) == 9
    first = {name: values[0] for name, values in found.items()}
    assert first == pytest.approx(
        {
            "y": 0.1,
            "x": 0.25,
            "width": 0.5,
            "height": 0.2,
            "area": 0.1,
            "aspect_ratio": 5.0,  # 100 x 20 px
            "distance_to_centre": np.hypot(0.25, 0.4) / np.sqrt(2),
            "distance_to_bottom": 0.8,
            "relative_position": 0.0,  # nothing lies above it
        }
    )
    assert found["relative_position"].tolist() == [0.0, 1.0, 0.5]  # the third is alone
    assert found["aspect_ratio"][2] == 10.0  # 40 x 0.1 px, bounded


@pytest.mark.parametrize(
    ("choice", "count"), [("none", 0), ("geometric", 9), ("relational", 9), ("both", 18)]
)
def test_spatial_features_come_as_a_table_of_the_chosen_columns(choice, count):
    names = feature_names(choice)
    table = pd.DataFrame({name: [1.0, 2.0] for name in (*GEOMETRIC, *FEATURES)})
    assert len(names) == count and spatial_of(table, names).shape == (2, count)


def test_finer_labels_stand_for_one_of_the_two():
    rows = [("train", "a", "normal", "rock toe"), ("train", "b", "damaged", "rock toe damaged")]
    table = pd.DataFrame(rows, columns=["split", "group", "condition", "original_class"])
    table["label"] = TWO
    labels, classes = labels_of(table, "three", TWO)
    assert classes == ["normal", "blocked", "damaged"]
    assert two_of(table, labels, TWO) == {"normal": "normal", "damaged": "conditional"}
    assert labels_of(table, "nine", TWO)[1] == ["rock toe", "rock toe damaged"]
    assert labels_of(table, "binary", TWO)[1] == TWO


def test_whole_groups_are_held_out():
    table = pd.DataFrame({"split": ["train"] * 20 + ["test"] * 4, "group": [f"g{n // 2}" for n in range(24)]})
    out = held_out(table, 0.3, seed=1)
    assert out.sum() == 6 and not out[20:].any()
    assert not set(table.loc[out, "group"]) & set(table.loc[~out, "group"])
    assert (held_out(table, 0.3, seed=1) == out).all() and (held_out(table, 0.3, seed=2) != out).any()
    with pytest.raises(UserError, match="validation_share"):
        held_out(table, 0.01, seed=1)


def test_a_sliver_at_the_edge_keeps_one_pixel():
    image = np.zeros((10, 20, 3), np.uint8)
    assert cut(image, (1.0, 1.0, 1.0, 1.0)).shape == (1, 1, 3)
    assert cut(image, (0.999, 0.0, 1.0, 1.0)).shape == (10, 1, 3)
    assert cut(image, (0.0, 0.0, 1.0, 1.0)).shape == (10, 20, 3)


def test_flights_are_read_from_names_that_tell_them():
    assert flight_of("x/Lagoon2and3_R5_131_V_jpg.rf.34.jpg") == "Lagoon2and3"
    assert flight_of("Stage1-Lagoon1_R6_12.jpg") == "Stage1-Lagoon1"
    assert flight_of("DJI_0004_W_JPG.jpg") == ""
