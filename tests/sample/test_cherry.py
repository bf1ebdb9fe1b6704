import csv
from collections import Counter

import numpy as np
import pytest

from assay.data.images import BadImage, read_image
from assay.data.source import content_hash, read_source
from assay.errors import UserError
from assay.sample import make_sample
from assay.sample.cherry import CONFLICTING, DAMAGED, DISTINCT, FLIPPED, IDENTICAL, NEIGHBOURS, make
from assay.sample.cherry_picture import Frame, draw

CONTENT = "4e08cdb860f4109580e286b12921d9db34d858b1f856856fe18bfea091d30f79"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample("cherry", tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def truth(sample):
    with (sample / "truth.csv").open(encoding="utf-8") as stream:
        return {row["image"]: row for row in csv.DictReader(stream)}


def test_the_bytes_are_the_committed_ones(sample):
    assert content_hash(sample) == CONTENT == read_source(sample)["content"]


@pytest.mark.slow
def test_two_generations_are_the_same_and_another_seed_is_not(sample, tmp_path):
    make(tmp_path / "again")
    assert content_hash(tmp_path / "again") == content_hash(sample)
    make(tmp_path / "other", seed=5)
    assert content_hash(tmp_path / "other") != content_hash(sample)


def test_it_is_described_as_a_sample_and_small(sample):
    source = read_source(sample)
    assert (source["project"], source["source"]) == ("cherry", "sample")
    assert sum(path.stat().st_size for path in sample.rglob("*")) < 15e6


def test_there_are_as_many_files_as_the_constants_say(truth):
    expected = Counter(DISTINCT)
    for (_, split), count in [*IDENTICAL.items(), *NEIGHBOURS.items()]:
        expected[split] += count
    for split, damages in DAMAGED.items():
        expected[split] += len(damages)
    assert Counter(image.split("/")[0] for image in truth) == expected


def test_truth_names_every_file_and_nothing_else(sample, truth):
    assert set(truth) == {path.relative_to(sample).as_posix() for path in sample.rglob("*.png")}
    assert {row["truth"] for row in truth.values()} == {"cherry_clean", "cherry_pit", "maybe"}


def test_the_damaged_files_and_only_they_are_unreadable(sample, truth):
    unreadable = set()
    for image in truth:
        try:
            assert read_image(sample / image).shape == (128, 128, 3)
        except BadImage:
            unreadable.add(image)
    assert unreadable == {image for image, row in truth.items() if row["note"].startswith("damaged")}
    assert len(unreadable) == sum(map(len, DAMAGED.values()))


def test_copies_are_identical_and_next_frames_are_not(sample, truth):
    kinds = Counter()
    for image, row in truth.items():
        if "identical to" in row["note"] or row["note"].startswith("next frame of"):
            original = row["note"].split(" ")[-1]
            same = np.array_equal(read_image(sample / image), read_image(sample / original))
            assert same == ("identical to" in row["note"])
            kinds[row["note"].removesuffix(f" {original}")] += 1
    assert kinds == {
        "identical to": sum(IDENTICAL.values()) - CONFLICTING,
        "other label, identical to": CONFLICTING,
        "next frame of": sum(NEIGHBOURS.values()),
    }


def test_the_flipped_labels_contradict_their_truth(truth):
    flipped = [image for image, row in truth.items() if row["note"] == "flipped label"]
    assert len(flipped) == sum(FLIPPED.values())
    assert all(not image.split("/")[1].endswith(truth[image]["truth"]) for image in flipped)


def test_a_picture_is_red_and_blue_on_exact_black():
    for seed in range(20):
        picture = draw(seed, pit=0.5)
        assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8
        assert picture[..., 1].max() == 0 and 0.02 < (picture.max(axis=2) > 16).mean() < 0.6


def test_a_pit_adds_red_and_takes_blue():
    change = np.mean(
        [draw(seed, pit=1).astype(int) - draw(seed, pit=0) for seed in range(10)], axis=(0, 1, 2)
    )
    assert change[0] > 0 > change[2]


def test_a_frame_moves_the_cherry_whole():
    still, moved = (
        draw(8, pit=0.7, frame=Frame(noise=1)),
        draw(8, pit=0.7, frame=Frame(shift=(3, -2), noise=1)),
    )
    assert np.array_equal(np.roll(still, (-2, 3), axis=(0, 1)) > 16, moved > 16)


def test_an_unknown_project_names_those_that_exist(tmp_path):
    with pytest.raises(UserError, match=r"'cherries' has no sample data; there is one for: cherry"):
        make_sample("cherries", tmp_path)
