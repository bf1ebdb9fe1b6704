"""Another split than the published one: whole groups in one split, classes balanced, over k folds if wanted."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.data.detection import THUMBNAIL, photo_bits
from assay.data.document_split import in_order
from assay.data.duplicates import groups, near_pairs
from assay.data.images import BadImage, Pixels, decode
from assay.data.items import HELD_OUT, POOL, SPARE, Bad, Item
from assay.data.visual_groups import look, name_by_look
from assay.errors import UserError

Split = Literal["published", "grouped", "kfold"]
_IMAGES = ""  # among the counts of classes: the images themselves


@dataclass(frozen=True)
class Looked:
    """What grouping needs of one readable image."""

    thumbnail: Pixels
    bits: NDArray[np.bool_]
    pixels: str  # hash of the decoded picture
    look: NDArray[np.float32]


def with_groups(
    entries: Iterable[Item | Bad], *, near_duplicate_distance: float, look_distance: float
) -> list[Item | Bad]:
    """The entries, every image with the group that no split may tear apart.

    Together are: images of one flight by their names, photos that look like a flight or each other where names tell
    none (`look_distance` > 0, see `visual_groups.name_by_look`), identical and nearly identical pictures. Images that
    cannot be read keep what they have: prepare sets them aside. Images of the pool join the others' groups by name and
    look, and change none of them.
    """
    entries = list(entries)
    seen: dict[int, Looked] = {}
    for k, entry in enumerate(entries):
        if isinstance(entry, Item) and (looked := _look_at(entry)) is not None:
            seen[k] = looked
    known = [k for k in seen if _item(entries[k]).split != POOL]
    if not known:
        return entries
    told = names = [_item(entries[k]).group for k in known]
    if look_distance > 0:
        names = name_by_look(names, np.stack([seen[k].look for k in known]), look_distance)
    linked = [pair for same in (names, [seen[k].pixels for k in known]) for pair in _together(same)]
    if near_duplicate_distance > 0:
        thumbnails, bits = [seen[k].thumbnail for k in known], np.stack([seen[k].bits for k in known])
        linked += [
            (pair.first, pair.second) for pair in near_pairs(thumbnails, bits, near_duplicate_distance)
        ]
    for k, first in zip(known, groups(len(known), linked).tolist(), strict=True):
        item = _item(entries[k])
        entries[k] = replace(item, group=names[first] or _item(entries[known[first]]).source)
    found = [_item(entries[k]).group for k in known]
    pool = [k for k in seen if _item(entries[k]).split == POOL]
    joined = dict(zip(told, found, strict=True)) | {"": ""}
    names = [*found, *(joined.get(name, name) for name in (_item(entries[k]).group for k in pool))]
    if look_distance > 0:
        names = name_by_look(names, np.stack([seen[k].look for k in (*known, *pool)]), look_distance)
    for k, name in zip(pool, names[len(known) :], strict=True):
        entries[k] = replace(_item(entries[k]), group=name)
    return entries


def resplit(
    entries: Sequence[Item | Bad],
    how: Split,
    *,
    classes: Sequence[str],
    validation_share: float,
    test_share: float,
    minimum: Mapping[str, int],
    folds: int,
    fold: int,
    seed: int,
) -> list[Item | Bad]:
    """Assign train, val and test anew, whole groups each; "published" leaves everything as it is.

    "grouped": about `test_share` and `validation_share` of the images, chosen group by group so that every class has
    about the same share; validation then takes further groups until it has the `minimum` boxes of a class.
    "kfold": fold `fold` of `folds` is test, the next one validation; over all folds every image is tested once.

    Args:
        entries: what `with_groups` gave.
        how: which split.
        classes: the classes to balance.
        validation_share: of the images, 0 to 1.
        test_share: of the images, 0 to 1.
        minimum: class -> boxes that validation needs at least.
        folds: number of folds.
        fold: which one is tested, from 0.
        seed: another seed, another choice: see `choose`.

    Raises:
        UserError: fewer groups than parts, or the minimum cannot be had with whole groups.
    """
    if how == "published":
        return list(entries)
    members: dict[str, list[Item]] = {}
    for entry in entries:
        if isinstance(entry, Item) and entry.split != POOL:
            members.setdefault(entry.group or entry.source, []).append(entry)
    counts = {name: _counts(items) for name, items in members.items()}
    if len(members) < max(3, folds if how == "kfold" else 3):
        raise UserError(
            f"prepare.regroup.split={how}: {len(members)} groups of photos are too few for "
            f"{folds if how == 'kfold' else 3} parts; take prepare.regroup.split=published, or more data"
        )
    if how == "kfold":
        parts = deal(counts, folds, classes, seed)
        chosen = {"test": parts[fold % folds], "val": parts[(fold + 1) % folds]}
    else:
        test = choose(counts, test_share, classes, seed)
        rest = {name: found for name, found in counts.items() if name not in test}
        val = choose(rest, validation_share / (1 - test_share), classes, seed)
        chosen = {"test": test, "val": fill(rest, val, minimum, seed)}
    split_of = {name: split for split, names in chosen.items() for name in names}
    return [
        replace(entry, split=split_of.get(entry.group or entry.source, "train"))
        if isinstance(entry, Item) and entry.split != POOL
        else entry
        for entry in entries
    ]


def scored_only(entries: Iterable[Item | Bad], subset: str | None) -> list[Item | Bad]:
    """The entries, held-out images of other subsets than the scored one as spare: described, never used.

    subset: folder whose held-out images are scored; None: all. Where the data is one subset only (""), that one is.

    Raises:
        UserError: no image lies in that folder.
    """
    entries = list(entries)
    there = sorted({entry.subset for entry in entries if isinstance(entry, Item) and entry.subset})
    if subset and there and subset not in there:
        raise UserError(
            f"prepare.scored_subset = {subset!r}: the data has the folders {', '.join(there)}; name one of them, or null "
            "to score all"
        )
    return [
        replace(entry, split=SPARE)
        if subset and isinstance(entry, Item) and entry.split in HELD_OUT and entry.subset not in ("", subset)
        else entry
        for entry in entries
    ]


def choose(counts: Mapping[str, Counter[str]], share: float, classes: Sequence[str], seed: int) -> set[str]:
    """Groups with about `share` of the images and of each class: the one that brings it nearest, until none does.

    Seed 0 begins with none. Any other begins with a group of its own that is no larger than what is wanted: real counts
    have no ties that a seed could decide.
    """
    total = sum(counts.values(), Counter[str]())
    wanted = {name: share * total[name] for name in (_IMAGES, *classes) if total[name]}
    fitting = [name for name in in_order(counts, seed) if counts[name][_IMAGES] <= share * total[_IMAGES]]
    chosen = set(fitting[:1] if seed else [])
    held = sum((counts[name] for name in chosen), Counter[str]())

    def error(one: Counter[str]) -> float:
        return sum(((held[name] + one[name] - goal) / goal) ** 2 for name, goal in wanted.items())

    while free := [name for name in in_order(counts, seed) if name not in chosen]:
        best = min(free, key=lambda name: error(counts[name]))  # the first of the best
        if len(free) == 1 or (chosen and error(counts[best]) >= error(Counter())):
            break
        chosen.add(best)
        held += counts[best]
    return chosen


def fill(
    counts: Mapping[str, Counter[str]], chosen: set[str], minimum: Mapping[str, int], seed: int
) -> set[str]:
    """`chosen` with further groups, the smallest that help, until it has `minimum` boxes of each class named there.

    Raises:
        UserError: all groups but one together have too few.
    """
    chosen = set(chosen)
    for name, least in minimum.items():
        while (there := sum(counts[group][name] for group in chosen)) < least:
            free = [group for group in in_order(counts, seed) if group not in chosen and counts[group][name]]
            if not free or len(chosen) + 1 >= len(counts):
                raise UserError(
                    f"prepare.regroup.minimum.{name}={least}: whole groups bring {there} into validation and leave none "
                    f"to train on; ask for {there} at most"
                )
            chosen.add(
                min(free, key=lambda group: counts[group][_IMAGES] / min(counts[group][name], least - there))
            )
    return chosen


def deal(counts: Mapping[str, Counter[str]], folds: int, classes: Sequence[str], seed: int) -> list[set[str]]:
    """`folds` parts of about equal images and classes: largest groups first, each to the part that needs it most."""
    total = sum(counts.values(), Counter[str]())
    names = [name for name in (_IMAGES, *classes) if total[name]]
    parts: list[set[str]] = [set() for _ in range(folds)]
    held: list[Counter[str]] = [Counter() for _ in range(folds)]
    for group in sorted(in_order(counts, seed), key=lambda group: -counts[group][_IMAGES]):
        load = [sum((held[k] + counts[group])[name] / total[name] for name in names) for k in range(folds)]
        best = load.index(min(load))
        parts[best].add(group)
        held[best] += counts[group]
    return parts


def _counts(items: Sequence[Item]) -> Counter[str]:
    boxes = Counter(box.label for item in items for box in item.boxes if not box.ignore)
    return boxes + Counter({_IMAGES: len(items)})


def _look_at(entry: Any) -> Looked | None:
    try:
        picture = decode(entry.read())
    except (BadImage, OSError):
        return None
    small = Image.fromarray(picture).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    thumbnail = np.array(small)
    return Looked(thumbnail, photo_bits(picture), _digest(picture), look(thumbnail))


def _digest(picture: Pixels) -> str:
    return hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).hexdigest()


def _item(entry: Item | Bad) -> Item:
    assert isinstance(entry, Item)  # noqa: S101 - only images are looked at
    return entry


def _together(names: Sequence[Any]) -> list[tuple[int, int]]:
    """Neighbouring members of each name that occurs twice; "" is no name."""
    members: dict[Any, list[int]] = {}
    for k, name in enumerate(names):
        if name:
            members.setdefault(name, []).append(k)
    return [pair for same in members.values() for pair in pairwise(same)]
