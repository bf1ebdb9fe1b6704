"""The infrastructure sample: about 250 drawn drone photos with the faults that real data has, in known numbers."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image

from assay.data.conditions_table import COLUMNS
from assay.data.source import write_source
from assay.files import fresh_folder
from assay.sample.infrastructure_picture import KINDS, Pixels, Shown, Strip, strip, view
from assay.sample.infrastructure_tables import NAMES, PLAIN_NAMES, condition_rows, kind_of, label_lines

MERGED, FIRST = "merged_375", "original_120"  # the original's names, which experiments name too
FLIGHTS = {
    "train": (
        *("Lagoon1_R5", "Lagoon1_R6", "Lagoon1_B0", "Lagoon2and3_R5", "Lagoon2and3_B1"),
        *("Stage1-Lagoon1_R3-Berm-114", "Stage1-Lagoon1_R5-Berm-108", "DJI", "Lagoon3_R2", "Lagoon3_B2"),
    ),
    "val": ("Lagoon1_B2", "Lagoon2and3_R6"),
    "test": ("Lagoon2and3_B0",),
}
FRAMES = {"train": 12, "val": 11, "test": 12}  # of each flight
MISLABELLED = 30  # training rows of conditions.csv whose label is the other one
STEP = 56  # pixels from one frame to the next: they overlap by four fifths
WITH_TOE_DRAIN = 2  # of the training flights, the first ones: toe drains are the rare class
SINGLE = {"train": 26, "val": 3, "test": 10, "pool": 14}  # photos of no flight
TOE_DRAINS_IN_VAL = 3  # boxes, each in a photo of its own
NEIGHBOURS = {"val": 8, "test": 2, "pool": 4}  # frames half a step from one of a training flight
IDENTICAL = {
    ("train", "train"): 6,
    ("train", "val"): 4,
    ("val", "pool"): 2,
}  # (split of the first, of the copy)
LOOKALIKES, UNUSABLE = (
    16,
    4,
)  # of the pool: paths, ruts and shadows without any object; blurred and dark photos
LEFT_OUT = 6  # training photos whose labels lack one object
CLIPPED, WITHOUT_AREA = 2, 2  # training photos with a label that is mended
DAMAGED = {"train": ("truncated", "empty", "text"), "val": ("truncated",), "pool": ("empty",)}
BAD_LABELS = ("nan", "outside", "unknown class", "two points", "no label", "no image")  # one each, in train
BAD_CONDITIONS = ("nan", "outside", "unknown type", "label", "no image")  # one row each
FIRST_120 = {"train": 60, "valid": 16}  # photos of MERGED that make up FIRST
_RARE_FIRST = ("toe_drain", "vegetation", "rock_toe", "slope_drain")
_FLIGHT_KINDS = {"rock_toe": 0.9, "slope_drain": 1.0, "vegetation": 0.55, "toe_drain": 0.0}


@dataclass(frozen=True)
class _Photo:
    """One picture to be written."""

    split: str
    name: str
    content: bytes
    shown: tuple[Shown, ...] = ()
    truth: str = ""  # a review label, or "" for what its objects say
    note: str = ""
    labelled: tuple[Shown, ...] | None = None  # if other than what shows
    added: str = ""  # lines that stand in the label file too
    labels: bool = field(default=True)  # whether there is a label file

    @property
    def answer(self) -> str:
        kinds = {kind_of(thing.raw) for thing in self.shown}
        return self.truth or next((kind for kind in _RARE_FIRST if kind in kinds), "no_object")


def make(folder: Path, *, seed: int = 1) -> None:
    """Write the sample to `folder`, replacing what is there; the same seed gives the same bytes.

    The layout is the original's: merged_375/{train,val,test} and original_120/{train,valid} with images/, labels/
    and data.yaml, and conditions.csv; plus unlabelled pool/images, truth.csv (image, truth: a review label, note)
    for the training photos and the pool, truth_conditions.csv (instance, truth, note) for the training rows of
    conditions.csv, and SOURCE.yaml.
    """
    photos = _distinct(seed)
    photos += _copies(photos, np.random.default_rng([seed, 10**6]))
    photos = _with_faulty_labels(photos)
    damaged = _damaged(np.random.default_rng([seed, 10**6 + 1]))
    bad = _bad_labels(np.random.default_rng([seed, 10**6 + 2]))
    rng = np.random.default_rng([seed, 10**6 + 3])
    with fresh_folder(folder) as target:
        for photo in [*photos, *damaged, *bad]:
            _write(target, photo, rng)
        first = list(_first_120(photos))
        for subset, split, photo in first:
            _put(target / subset / split / "images" / photo.name, photo.content)
            labels = label_lines(photo.shown).encode()
            _put(target / subset / split / "labels" / f"{Path(photo.name).stem}.txt", labels)
        for subset, splits, names in (
            (MERGED, ("train", "val", "test"), NAMES),
            (FIRST, ("train", "valid"), PLAIN_NAMES),
        ):
            about: dict[str, Any] = {split.removesuffix("id"): f"./{split}/images" for split in splits}
            about |= {"nc": len(names), "names": names}
            _put(target / subset / "data.yaml", yaml.safe_dump(about, sort_keys=False).encode())
        conditions, truth_of = _mislabelled(_conditions(photos, rng), rng)
        _write_table(target / "conditions.csv", COLUMNS, conditions)
        _write_table(target / "truth_conditions.csv", ("instance", "truth", "note"), truth_of)
        truth = [
            {"image": _path(photo), "truth": photo.answer, "note": photo.note}
            for photo in photos
            if photo.split in ("train", "pool")
        ] + [
            {"image": f"{subset}/{split}/images/{photo.name}", "truth": photo.answer, "note": ""}
            for subset, split, photo in first
            if split == "train"
        ]
        _write_table(
            target / "truth.csv", ("image", "truth", "note"), sorted(truth, key=lambda row: row["image"])
        )
        write_source(
            target,
            project="infrastructure",
            kind="sample",
            note=f"generated by assay.sample.infrastructure, seed {seed}",
        )


def _distinct(seed: int) -> list[_Photo]:
    """Frames of flights and single photos, each with random numbers of its own."""
    photos = []
    number = 0
    for split, flights in FLIGHTS.items():
        for k, flight in enumerate(flights):
            number += 1
            rng = np.random.default_rng([seed, number])
            toe = float(split == "test" or (split == "train" and k < WITH_TOE_DRAIN))
            drawn = strip(rng, 364 + STEP * FRAMES[split], kinds=_FLIGHT_KINDS | {"toe_drain": toe})
            for frame in range(FRAMES[split]):
                photos.append(_frame(rng, drawn, split, f"{flight}_{2 * frame + 1:04d}_V.jpg", STEP * frame))
            if split == "train" and k >= WITH_TOE_DRAIN:
                photos += _neighbours(rng, drawn, flight, k - WITH_TOE_DRAIN)
    for split, count in SINGLE.items():
        for _ in range(count):
            number += 1
            kinds = dict(KINDS) | {"toe_drain": 0.0 if split == "val" else 0.2}
            photos.append(_single(np.random.default_rng([seed, number]), split, kinds))
    found = 0
    while found < TOE_DRAINS_IN_VAL:
        number += 1
        photo = _single(np.random.default_rng([seed, number]), "val", dict(KINDS) | {"toe_drain": 1.0})
        if sum(kind_of(thing.raw) == "toe_drain" for thing in photo.shown) == 1:
            photos.append(photo)
            found += 1
    for k in range(LOOKALIKES + UNUSABLE):
        number += 1
        rng = np.random.default_rng([seed, number])
        if k < LOOKALIKES:
            photo = _single(rng, "pool", {}, lookalikes=0.9)
            photos.append(replace(photo, truth="no_object", note="paths, ruts or shadows only"))
        else:
            photos.append(_single(rng, "pool", dict(KINDS), blurred=True))
    return photos


def _neighbours(rng: np.random.Generator, drawn: Strip, flight: str, place: int) -> Iterator[_Photo]:
    """Frames between two of a training flight that lie in another split; spread over the flights without toe drains."""
    turns = [split for split, count in NEIGHBOURS.items() for _ in range(count)]
    for k, split in list(enumerate(turns))[place :: len(FLIGHTS["train"]) - WITH_TOE_DRAIN]:
        frame = 1 + (3 * k) % (FRAMES["train"] - 2)
        name = f"{flight}_{2 * frame + 2:04d}_V.jpg"
        photo = _frame(rng, drawn, split, name, STEP * (frame + 0.5))
        yield replace(photo, note=f"between two frames of the training flight {flight}")


def _frame(rng: np.random.Generator, drawn: Strip, split: str, name: str, x: float) -> _Photo:
    image, shown = view(rng, drawn, x=26 + x, steady=True)
    return _Photo(split, name, _jpeg(image), tuple(shown))


def _single(
    rng: np.random.Generator,
    split: str,
    kinds: Mapping[str, float],
    *,
    lookalikes: float = 0.35,
    blurred: bool = False,
) -> _Photo:
    name = f"{int(rng.integers(2**63)):016x}.jpg"
    image, shown = view(rng, strip(rng, 364, kinds=kinds, lookalikes=lookalikes), x=26)
    if not blurred:
        return _Photo(split, name, _jpeg(image), tuple(shown))
    streak = cv2.blur(image, (int(rng.integers(50, 80)), int(rng.integers(9, 20))))
    dark = (streak * rng.uniform(0.2, 0.45)).astype(np.uint8)
    return _Photo(split, name, _jpeg(dark), tuple(shown), truth="unusable", note="blurred and dark")


def _copies(photos: list[_Photo], rng: np.random.Generator) -> list[_Photo]:
    copies: list[_Photo] = []
    for (split, other), count in IDENTICAL.items():
        # not of the rare class, whose boxes in val are counted
        plain = [
            photo
            for photo in photos
            if photo.split == split and photo.shown and not photo.note and photo.answer != "toe_drain"
        ]
        for k in rng.choice(len(plain), count, replace=False):
            first = plain[int(k)]
            name = f"{Path(first.name).stem}_dup{len(copies)}.jpg"
            copies.append(replace(first, split=other, name=name, note=f"copy of {_path(first)}"))
    return copies


def _with_faulty_labels(photos: list[_Photo]) -> list[_Photo]:
    """Leave one object out of some labels, and put in others what has to be mended."""
    jobs = ["left out"] * LEFT_OUT + ["clipped"] * CLIPPED + ["no area"] * WITHOUT_AREA
    changed = list(photos)
    fit = [
        k
        for k, photo in enumerate(photos)
        if photo.split == "train" and not photo.note and len(photo.shown) > 2
    ]
    for job, k in zip(jobs, fit[:: max(len(fit) // len(jobs), 1)], strict=False):
        photo = photos[k]
        if job == "left out":
            largest = max(photo.shown, key=lambda thing: float(np.prod(np.ptp(thing.polygon, axis=0))))
            rest = tuple(thing for thing in photo.shown if thing is not largest)
            truth, note = kind_of(largest.raw), f"label left out: {largest.raw}"
            changed[k] = replace(photo, labelled=rest, truth=truth, note=note)
        else:
            line = "8 0.045000 0.500000 0.100000 0.080000\n" if job == "clipped" else "3 0.5 0.5 0 0.1\n"
            changed[k] = replace(photo, added=line)
    return changed


def _damaged(rng: np.random.Generator) -> list[_Photo]:
    photos = []
    for split, kinds in DAMAGED.items():
        for damage in kinds:
            photo = _single(rng, split, dict(KINDS) | {"toe_drain": 0.0})
            content = {"truncated": photo.content[: len(photo.content) // 3], "empty": b""}.get(
                damage, b"This is a text that somebody has named .jpg\n"
            )
            photos.append(replace(photo, content=content))
    return photos


def _bad_labels(rng: np.random.Generator) -> list[_Photo]:
    """One photo for every way a label can be wrong; their files say nothing but the truth otherwise."""
    lines = {
        "nan": "3 nan 0.5 0.1 0.1\n",
        "outside": "3 0.5 1.7 0.1 0.1\n",
        "unknown class": f"{len(NAMES)} 0.5 0.5 0.1 0.1\n",
        "two points": "3 0.2 0.2 0.6 0.6 0.2 0.2\n",
    }
    photos = []
    for kind in BAD_LABELS:
        photo = _single(rng, "train", KINDS)
        photos.append(
            replace(
                photo,
                added=lines.get(kind, ""),
                labels=kind != "no label",
                content=b"" if kind == "no image" else photo.content,
                note=kind,
            )
        )
    return photos


def _first_120(photos: list[_Photo]) -> Iterator[tuple[str, str, _Photo]]:
    """The pictures of the smaller subset: every toe drain of val among them, and none with a fault in its labels."""
    for split, count in FIRST_120.items():
        of = "val" if split == "valid" else split
        good = [photo for photo in photos if photo.split == of and not photo.note and photo.labelled is None]
        good = [photo for photo in good if not photo.added]
        rare = [photo for photo in good if of == "val" and photo.answer == "toe_drain"]
        rest = [photo for photo in good if photo not in rare]
        chosen = rare + rest[:: max(len(rest) // (count - len(rare)), 1)][: count - len(rare)]
        for photo in sorted(chosen, key=lambda photo: photo.name):
            yield FIRST, split, photo


def _conditions(photos: list[_Photo], rng: np.random.Generator) -> list[dict[str, Any]]:
    """As in the original: train and val are its training rows; then the bad ones."""
    rows: list[dict[str, Any]] = []
    for photo in sorted(photos, key=lambda photo: (photo.split == "test", _path(photo))):
        if photo.split != "pool":
            split = "test" if photo.split == "test" else "train"
            rows += condition_rows(split, _path(photo), photo.shown, rng)
    changes: dict[str, dict[str, Any]] = {
        "nan": {"x1": "nan"},
        "outside": {"y2": 1.42},
        "unknown type": {"object_type": "culvert"},
        "label": {"label": 2},
        "no image": {"image": f"{MERGED}/train/images/gone.jpg"},
    }
    places = np.linspace(5, len(rows) - 5, len(BAD_CONDITIONS)).astype(int).tolist()
    for place, kind in zip(reversed(places), BAD_CONDITIONS, strict=True):
        rows.insert(place, rows[place] | changes[kind])
    return rows


def _mislabelled(
    rows: list[dict[str, Any]], rng: np.random.Generator
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Turn the label of some training rows round; returns the rows, and the truth about every good training row.

    An instance is <photo>#<line of the table>, the line of the column names being the first.
    """
    good = [
        k
        for k, row in enumerate(rows)
        if row["split"] == "train" and row["label"] in (0, 1) and _is_whole(row)
    ]
    turned = set(rng.choice(good, MISLABELLED, replace=False).tolist())
    truth = [
        {
            "instance": f"{rows[k]['image']}#{k + 2}",
            "truth": "conditional" if rows[k]["label"] else "normal",
            "note": "labelled otherwise" if k in turned else "",
        }
        for k in good
    ]
    for k in turned:
        label = 1 - rows[k]["label"]
        rows[k] |= {"label": label, "condition": "blocked" if label else "normal"}
    return rows, truth


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether the row is none of the faulty ones."""
    inside = all(isinstance(row[key], float) and 0 <= row[key] <= 1 for key in ("x1", "y1", "x2", "y2"))
    return inside and row["object_type"] in KINDS and not row["image"].endswith("gone.jpg")


def _path(photo: _Photo) -> str:
    """Of its image, below the data folder."""
    folder = "pool" if photo.split == "pool" else f"{MERGED}/{photo.split}"
    return f"{folder}/images/{photo.name}"


def _write(target: Path, photo: _Photo, rng: np.random.Generator) -> None:
    if photo.note != "no image":
        _put(target / _path(photo), photo.content)
    if photo.split != "pool" and photo.labels:
        shown = photo.shown if photo.labelled is None else photo.labelled
        lines = label_lines(shown, rng) + photo.added
        _put(target / MERGED / photo.split / "labels" / f"{Path(photo.name).stem}.txt", lines.encode())


def _write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _jpeg(image: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=86, subsampling=2, optimize=False)
    return stream.getvalue()
