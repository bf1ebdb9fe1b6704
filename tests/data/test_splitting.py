"""Splits that keep groups whole."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from assay.data.items import POOL, Bad, Box, Item
from assay.data.splitting import choose, deal, fill, resplit, scored_only, with_groups
from assay.errors import UserError

CLASSES = ["rock_toe", "toe_drain"]


def photo(seed, shift=0):
    coarse = np.random.default_rng(seed).integers(30, 225, (6, 6, 3)).astype(np.uint8)
    picture = np.array(Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC)).astype(int) + shift
    stream = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def item(name, group="", split="train", labels=("rock_toe",), *, content=None, subset=""):
    return Item(
        source=name,
        name=name,
        split=split,
        subset=subset,
        group=group,
        width=90,
        height=60,
        boxes=tuple(Box(label, (0, 0, 9, 9), label) for label in labels),
        read=lambda: content if content is not None else photo(sum(map(ord, name))),
    )


def groups(entries):
    return [entry.group for entry in entries if isinstance(entry, Item)]


def grouped(entries, near=0.05, look=0.0):
    return with_groups(entries, near_duplicate_distance=near, look_distance=look)


def test_names_copies_and_near_copies_are_one_group():
    same = photo(1)
    entries = [
        item("a.png", "flight 1", content=same),
        item("b.png", "flight 2", content=same, split="val"),  # a copy joins two flights
        item("c.png", content=photo(1, shift=2)),  # nearly the same
        item("d.png", content=photo(7)),
        item("e.png", "flight 2", content=photo(9)),
    ]
    found = groups(grouped(entries))
    assert found == ["flight 1"] * 3 + ["d.png", "flight 1"]


def test_what_cannot_be_read_and_the_pool_stay_as_they_are():
    bad = Bad("x.txt", "not an image")
    entries = [item("a.png", content=b"torn"), bad, item("p.png", "pool's", POOL, ()), item("b.png")]
    found = grouped(entries, look=0.1)
    assert found[:3] == entries[:3] and found[3].group


def test_a_photo_of_the_pool_joins_a_flight_by_name_or_look_and_changes_none():
    same = photo(1)
    own = [
        item("a.png", "flight 1", content=same),
        item("b.png", "flight 2", content=same, split="test"),  # a copy joins two flights
        item("c.png", "flight 3", content=photo(5)),
    ]
    pool = [
        item("p.png", "flight 2", POOL, ()),  # the joined one's name is flight 1
        item("q.png", "", POOL, (), content=photo(5, shift=1)),
        item("r.png", "flight 9", POOL, ()),
    ]
    assert groups(grouped([*pool, *own], look=0.1)) == [
        *("flight 1", "flight 3", "flight 9"),
        *groups(grouped(own, look=0.1)),
    ]
    assert groups(grouped([*own, *pool])) == [
        *("flight 1", "flight 1", "flight 3"),
        "flight 1",
        "",
        "flight 9",
    ]


def world(flights=8, frames=5):
    """Flights of `frames` photos; every second flight has toe drains."""
    return [
        item(f"{flight}_{frame}.png", f"f{flight}", labels=("rock_toe", *("toe_drain",) * (flight % 2)))
        for flight in range(flights)
        for frame in range(frames)
    ]


def split(entries, how, **changes):
    settings = {"validation_share": 0.25, "test_share": 0.25, "minimum": {}, "folds": 4, "fold": 0, "seed": 0}
    return resplit(entries, how, classes=CLASSES, **settings | changes)


def parts(entries):
    found = {}
    for entry in entries:
        found.setdefault(entry.split, set()).add(entry.group)
    return found


def test_published_changes_nothing():
    entries = [*world(), Bad("x", "y")]
    assert split(entries, "published") == entries


def test_grouped_keeps_groups_whole_and_classes_balanced():
    found = parts(split(world(), "grouped"))
    assert {name: len(names) for name, names in found.items()} == {"train": 4, "val": 2, "test": 2}
    assert not found["train"] & found["val"] and not found["test"] & (found["train"] | found["val"])
    for name in ("val", "test"):
        odd = [int(group[1:]) % 2 for group in found[name]]
        assert sorted(odd) == [0, 1], "half of the flights have toe drains, half of each part too"
    assert parts(split(world(), "grouped")) == found


def test_another_seed_is_another_choice_where_no_two_groups_are_alike():
    """Groups of 1 to 12 photos, so that there are no ties; seed 0 is the choice that brings test nearest."""
    entries = [item(f"{k}_{n}.png", f"f{k}") for k in range(1, 13) for n in range(k)]
    found = {seed: parts(split(entries, "grouped", seed=seed, test_share=0.2)) for seed in range(6)}
    assert found[0]["test"] == {"f12", "f4"}  # 12 + 4 of 78, where 15.6 are wanted
    assert len({frozenset(one["test"]) for one in found.values()}) > 3
    for one in found.values():
        assert 12 <= sum(int(group[1:]) for group in one["test"]) <= 20


def test_validation_gets_the_toe_drains_it_needs_in_whole_groups():
    found = split(world(), "grouped", minimum={"toe_drain": 8})
    val = [entry for entry in found if entry.split == "val"]
    assert sum(box.label == "toe_drain" for entry in val for box in entry.boxes) >= 8
    assert all(count == 5 for count in Counter(entry.group for entry in val).values())
    with pytest.raises(UserError, match=r"prepare.regroup.minimum.toe_drain=90.* ask for") as refusal:
        split(world(), "grouped", minimum={"toe_drain": 90})
    assert "\n" not in str(refusal.value)


def test_over_all_folds_every_group_is_tested_once():
    tested = []
    for fold in range(4):
        found = parts(split(world(), "kfold", fold=fold))
        assert not found["val"] & found["test"] and len(found["train"]) == 4
        tested += found["test"]
    assert sorted(tested) == [f"f{k}" for k in range(8)]


def test_too_few_groups_are_refused():
    with pytest.raises(
        UserError,
        match=r"prepare.regroup.split=grouped: 2 groups of photos are too few for 3 parts; take prepare.regroup",
    ):
        split(world(flights=2), "grouped")
    with pytest.raises(UserError, match="too few for 4 parts"):
        split(world(flights=3), "kfold")


def test_the_pool_and_bad_files_keep_their_place():
    pool, bad = item("p.png", split=POOL, labels=()), Bad("x", "y")
    found = split([pool, bad, *world()], "grouped")
    assert found[:2] == [pool, bad]


def test_held_out_images_of_other_folders_are_spare_and_a_folder_that_is_not_there_is_refused():
    entries = [
        item(f"{subset}{split}", split=split, subset=subset)
        for subset in ("a", "b")
        for split in ("train", "val")
    ]
    assert [entry.split for entry in scored_only(entries, "b")] == ["train", "spare", "train", "val"]
    assert scored_only(entries, None) == entries
    alone = [item("x", split="val")]
    assert scored_only(alone, "merged_375") == alone  # one folder only, whatever its name
    with pytest.raises(
        UserError, match="scored_subset = 'merged_375': the data has the folders a, b; name one of them"
    ):
        scored_only(entries, "merged_375")


def counts(**groups):
    return {name: Counter({"": images, "toe_drain": toes}) for name, (images, toes) in groups.items()}


def test_the_smallest_group_that_helps_fills():
    there = counts(a=(10, 4), b=(2, 3), c=(9, 0), d=(4, 1))
    assert fill(there, {"c"}, {"toe_drain": 3}, seed=0) == {"b", "c"}
    assert fill(there, {"c"}, {"toe_drain": 4}, seed=0) == {"b", "c", "d"}
    assert choose(counts(a=(5, 0), b=(5, 0)), 0.5, ["toe_drain"], 0) in ({"a"}, {"b"})
    assert sorted(map(len, deal(counts(a=(6, 0), b=(3, 0), c=(3, 0)), 2, ["toe_drain"], 0))) == [1, 2]
