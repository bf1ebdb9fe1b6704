from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from assay.data.conditions_table import FEATURES, read_conditions
from assay.data.detection import prepare
from assay.data.infrastructure import read
from assay.data.items import Bad
from assay.data.source import content_hash, read_source
from assay.sample import infrastructure as made
from assay.sample import make_sample
from assay.sample.infrastructure_picture import Shown
from assay.sample.infrastructure_tables import condition_rows, label_lines

CONTENT = "cdcc12b34f9578cfcaed591e8a6ae9643c80893701a51015349120a35a4ad75a"
PROJECT = yaml.safe_load((Path(__file__).parents[2] / "conf/project/infrastructure.yaml").read_text())
CLASSES = PROJECT["project"]["classes"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample("infrastructure", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def rows(sample):
    return list(read(sample, class_map=PROJECT["prepare"]["class_map"], ignore=[], max_side=10000))


@pytest.fixture(scope="module")
def truth(sample):
    return pd.read_csv(sample / "truth.csv", keep_default_na=False).set_index("image")


def test_the_bytes_are_the_committed_ones(sample):
    assert content_hash(sample) == CONTENT == read_source(sample)["content"]


def test_it_is_described_as_a_sample_and_small(sample):
    source = read_source(sample)
    assert (source["project"], source["source"]) == ("infrastructure", "sample")
    assert sum(path.stat().st_size for path in sample.rglob("*")) < 15e6


def test_there_are_as_many_images_as_the_constants_say(rows):
    merged = Counter(row.split for row in rows if not isinstance(row, Bad) and row.subset != made.FIRST)
    expected = Counter(made.SINGLE) + Counter(made.NEIGHBOURS)
    for split, flights in made.FLIGHTS.items():
        expected[split] += len(flights) * made.FRAMES[split]
    for (_, split), count in made.IDENTICAL.items():
        expected[split] += count
    expected["val"] += made.TOE_DRAINS_IN_VAL
    expected["pool"] += made.LOOKALIKES + made.UNUSABLE
    # a truncated file still has a header: only its pixels give it away, in prepare
    for split, kinds in made.DAMAGED.items():
        expected[split] += kinds.count("truncated")
    assert merged == expected
    first = Counter(row.split for row in rows if not isinstance(row, Bad) and row.subset == made.FIRST)
    assert first == {"train": made.FIRST_120["train"], "val": made.FIRST_120["valid"]}


def test_toe_drains_are_rare_and_three_in_val(rows):
    for subset in (made.MERGED, made.FIRST):
        items = [row for row in rows if not isinstance(row, Bad) and row.subset == subset]
        val = [box.label for row in items if row.split == "val" for box in row.boxes]
        assert val.count("toe_drain") == made.TOE_DRAINS_IN_VAL == 3
    train = Counter(box.label for row in items if row.split == "train" for box in row.boxes)
    assert min(train, key=train.__getitem__) == "toe_drain" and train["toe_drain"] > 5


def test_all_nine_names_are_used_as_boxes_and_polygons(sample, rows):
    raws = {
        box.raw for row in rows if not isinstance(row, Bad) and row.subset == made.MERGED for box in row.boxes
    }
    assert len(raws) == 9
    numbers = [
        len(line.split())
        for path in (sample / made.MERGED / "val/labels").glob("*.txt")
        for line in path.read_text().splitlines()
    ]
    assert 0.2 < np.mean([count > 5 for count in numbers]) < 0.5


def test_preparing_it_finds_every_fault_in_its_number(sample, rows, tmp_path):
    merged = [row for row in rows if isinstance(row, Bad) or row.subset != made.FIRST]
    source = read_source(sample)
    counts = prepare(merged, tmp_path / "out", classes=CLASSES, source=source, near_duplicate_distance=0.05)
    assert counts["quarantined"] == sum(map(len, made.DAMAGED.values())) + len(made.BAD_LABELS)
    assert counts["identical_pairs"] == sum(made.IDENTICAL.values())
    leaks = made.IDENTICAL["train", "val"]
    assert counts["leaks"] == counts["identical_pairs_across"] == leaks
    neighbours = made.NEIGHBOURS["val"] + made.NEIGHBOURS["test"]
    assert counts["held_out_in_training_groups"] == leaks + neighbours
    assert counts["mended"] == made.CLIPPED + made.WITHOUT_AREA
    assert counts["near_pairs"] == 0, "neighbouring frames are told by their flight, not by their look"


def test_truth_names_training_photos_and_the_pool(rows, truth):
    named = {row.source for row in rows if not isinstance(row, Bad) and row.split in ("train", "pool")}
    truncated = named - set(truth.index)
    assert len(truncated) == made.DAMAGED["train"].count("truncated") and set(truth.index) < named
    assert set(truth["truth"]) <= set(PROJECT["review"]["labels"])
    notes = Counter(note.split(":")[0] for note in truth["note"] if note)
    assert notes["label left out"] == made.LEFT_OUT
    assert notes["paths, ruts or shadows only"] == made.LOOKALIKES
    assert (truth["truth"] == "unusable").sum() == made.UNUSABLE


def test_no_label_is_wrong_in_what_truth_calls_right(rows, truth):
    for row in rows:
        if isinstance(row, Bad) or row.split != "train" or row.source not in truth.index:
            continue
        left_out = truth.loc[row.source, "note"].startswith("label left out")
        labels = {box.label for box in row.boxes}
        assert left_out or truth.loc[row.source, "truth"] in (labels or {"no_object"})


def test_conditions_are_read_and_the_bad_rows_are_told(sample):
    table, bad = read_conditions(sample / "conditions.csv", object_types=CLASSES, data=sample)
    assert len(bad) == len(made.BAD_CONDITIONS)
    assert set(table["split"]) == {"train", "test"} and len(table) > 400
    assert ((table["label"] == 1) == (table["condition"] != "normal")).all()
    values = table[list(FEATURES)]
    assert values.min().min() >= 0 and values.max().max() <= 1
    assert 0.05 < (table["detector_confidence"] == 0.5).mean() < 0.15


def square(raw, left, top, right, bottom):
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) * 312.0
    return Shown(raw, corners)


def test_the_relational_features_are_those_of_the_definition():
    class Sure:  # every object found, with a score of 0.9
        def random(self, count):
            return np.ones(count)

        def uniform(self, low, high, count):
            return np.full(count, 0.9)

    shown = [
        square("slope drain", 0.4, 0.1, 0.5, 0.5),
        square("rock toe", 0.0, 0.6, 1.0, 0.8),
        square("Toe drain- Blocked", 0.0, 0.7, 1.0, 0.9),
    ]
    drain, rock, toe = condition_rows("train", "a.jpg", shown, Sure())
    assert [row["label"] for row in (drain, rock, toe)] == [0, 0, 1] and toe["condition"] == "blocked"
    assert drain["distance_to_slope_drain"] == 0 and drain["near_slope_drain"] == 1
    assert rock["distance_to_slope_drain"] == pytest.approx(np.hypot(0.05, 0.4) / np.sqrt(2), abs=1e-6)
    assert [row["above_toe_drain"] for row in (drain, rock, toe)] == [1, 1, 0]
    assert [row["below_slope_drain"] for row in (drain, rock, toe)] == [0, 1, 1]
    assert toe["overlap_rock_toe"] == pytest.approx(1 / 3, abs=1e-6) and rock["overlap_rock_toe"] == 1
    assert drain["area_ratio"] == pytest.approx(0.04) and drain["overlap_vegetation"] == 0


def test_label_files_of_the_first_pictures_have_four_names():
    line = label_lines([square("Toe drain- Damaged", 0.0, 0.5, 0.5, 1.0)])
    assert line == "2 0.250000 0.750000 0.500000 0.500000\n"


@pytest.mark.slow
def test_another_seed_gives_other_pictures(sample, tmp_path):
    made.make(tmp_path / "other", seed=5)
    assert content_hash(tmp_path / "other") != content_hash(sample)


def test_some_conditions_are_labelled_otherwise_and_the_truth_is_beside_them(sample):
    table, _ = read_conditions(sample / "conditions.csv", object_types=CLASSES, data=sample)
    truth = pd.read_csv(sample / "truth_conditions.csv", keep_default_na=False).set_index("instance")
    table["instance"] = table["image"] + "#" + table["row"].astype(str)
    train = table[table["split"] == "train"].set_index("instance")

    wrong = truth.loc[train.index, "truth"].map({"normal": 0, "conditional": 1}) != train["label"]

    assert wrong.sum() == made.MISLABELLED == (truth["note"] != "").sum()
