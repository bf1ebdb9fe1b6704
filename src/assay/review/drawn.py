"""Boxes as a person corrected them, a row per object, become decisions: label `drawn`, every object of a picture."""

import csv
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay.errors import UserError
from assay.review.decisions import DRAWN, Decision, Drawn, Kind
from assay.review.offered import Offered

COLUMNS = ("image", "label", "x1", "y1", "x2", "y2")
_OVERSHOOT = 1.0  # px beyond an edge that rounding explains: clipped, more is a mistake


@dataclass(frozen=True)
class Picture:
    """What boxes may be drawn in."""

    image: str  # as a decision names it
    candidate: str  # first 12 hex digits of the file's SHA-256
    width: int  # px
    height: int


def read_drawn(
    table: Path, *, classes: Collection[str], conditions: Collection[str] | None
) -> dict[str, list[tuple[int, Drawn]]]:
    """The objects of each picture that a CSV file lists, with their line: columns `COLUMNS`, in px.

    Also read, where they are there: condition (one of `conditions`, or empty where not said; left alone where
    `conditions` is None) and confidence (of the detector whose box it was). Others are left alone, so that objects.csv of
    `assay inspect`, corrected, is such a file.

    Raises:
        UserError: no file, no CSV, a column or row is missing or makes no sense; names the line.
    """
    if not table.is_file():
        raise UserError(f"{table}: no such file; name a CSV file with the columns {', '.join(COLUMNS)}")
    found: dict[str, list[tuple[int, Drawn]]] = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if absent := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise UserError(
                    f"{table}: no column {', '.join(absent)}; expected {', '.join(COLUMNS)} and, if said, condition"
                )
            for row in reader:
                where = f"{table}, line {reader.line_num}"
                drawn = _object(row, where, classes, conditions)
                found.setdefault(row["image"], []).append((reader.line_num, drawn))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one") from None
    if not found:
        raise UserError(f"{table}: no rows; expected one per object")
    return found


def drawn_decisions(
    table: Path,
    objects: Mapping[str, Sequence[tuple[int, Drawn]]],
    pictures: Mapping[str, Picture],
    *,
    reviewer: str,
    kind: Kind,
) -> list[Decision]:
    """One decision per picture: these are all of its objects, clipped to it.

    Args:
        table: file that lists them, for messages.
        objects: of `read_drawn`.
        pictures: name in the table -> picture, see `find_pictures`.
        reviewer: who drew them.
        kind: what the reviewer is.

    Raises:
        UserError: a box that lies outside its picture, or has no area in it.
    """
    now, decisions = datetime.now(UTC), []
    for name, listed in objects.items():
        picture = pictures[name]
        clipped = []
        for line, one in listed:
            where, size = f"{table}, line {line}", f"{picture.width}x{picture.height}"
            left, top, right, bottom = one.box
            outside = max(-left, -top, right - picture.width, bottom - picture.height)
            if outside > _OVERSHOOT:
                raise UserError(f"{where}: the box ends {outside:g} px outside {name} ({size} px)")
            box = (max(left, 0.0), max(top, 0.0), min(right, picture.width), min(bottom, picture.height))
            if box[2] - box[0] < 1 or box[3] - box[1] < 1:
                raise UserError(f"{where}: the box is less than a pixel of {name} ({size} px)")
            clipped.append(one.model_copy(update={"box": box}))
        decisions.append(
            Decision(
                candidate=picture.candidate,
                image=picture.image,
                label=DRAWN,
                reviewer=reviewer,
                kind=kind,
                at=now,
                objects=True,
                via="table",
                boxes=len(clipped),
                drawn=tuple(clipped),
            )
        )
    return decisions


def find_pictures(offered: Offered, names: Collection[str], table: Path) -> dict[str, Picture]:
    """Name in a table -> the picture it means: a path below the data or the prepared set, or the end of one.

    Only pictures that may teach are found: of the training set and the pool, and showing nothing held out; frames of
    clips only where they are candidates.

    Args:
        offered: the project.
        names: as the table has them; "__" stands for "/" as in what `assay inspect` writes.
        table: the file, for messages.

    Raises:
        UserError: a name that is none's, or several's, or of a picture that is evaluated on.
    """
    known, held_out = _pictures(offered)
    return {name: _one(name, known, held_out, table) for name in names}


@dataclass(frozen=True)
class _Known:
    """A picture that a table may name, by any of `names`."""

    image: str
    candidate: str
    names: tuple[str, ...]
    size: tuple[int, int] | None  # px; None: look into the file
    path: Path


def _pictures(offered: Offered) -> tuple[list[_Known], list[_Known]]:
    """Pictures that may teach, and those that are held out."""
    if offered.what == "clips":
        rows = offered.table()[["image", "candidate"]].itertuples(index=False)
        return [_Known(image, one, (image,), None, offered.picture(image)) for image, one in rows], []
    from assay.data.classification import read_manifest
    from assay.mining.images import minable

    # stage 2 of the inspection has no photos of its own: those of its data's project
    dataset = Path(offered.build if offered.boxes else f"build/{Path(offered.data).name}") / "dataset"
    manifest = read_manifest(dataset)
    teach = minable(manifest)
    teaching = set(teach.loc[teach["split"].isin(("train", "pool")), "image"])
    known: list[_Known] = []
    held_out: list[_Known] = []
    for row in manifest.to_dict("records"):
        image, source = str(row["image"]), str(row["source"])
        one = _Known(
            image if offered.boxes else source,  # crops are cut from the data's own files
            str(row["sha256"])[:12],
            (image, source),
            (int(row["width"]), int(row["height"])),
            dataset / image,
        )
        (known if image in teaching else held_out).append(one)
    return known, held_out


def _one(name: str, known: Sequence[_Known], held_out: Sequence[_Known], table: Path) -> Picture:
    found = [one for one in known if _means(name, one.names)]
    found = [one for one in found if name in one.names] or found
    if len({one.candidate for one in found}) > 1:
        several = ", ".join(one.image for one in found[:3])
        raise UserError(f"{table}: image {name!r} may be {several}; write the whole path")
    if not found:
        if any(_means(name, one.names) for one in held_out):
            raise UserError(
                f"{table}: image {name!r} is held out, or shows what a held-out one shows: it must not teach; "
                "leave its rows out"
            )
        raise UserError(
            f"{table}: no image {name!r} among the training and pool pictures; see manifest.parquet"
        )
    from assay.data.infrastructure import picture_size

    return Picture(found[0].image, found[0].candidate, *(found[0].size or picture_size(found[0].path)))


def _means(name: str, names: Sequence[str]) -> bool:
    end = name.replace("__", "/")
    return any(f"/{one.replace('__', '/')}".endswith(f"/{end}") for one in names)


def _object(
    row: Mapping[str, str | None], where: str, classes: Collection[str], conditions: Collection[str] | None
) -> Drawn:
    label = row["label"] or ""
    condition = "" if conditions is None else (row.get("condition") or "").strip()
    if not row["image"]:
        raise UserError(f"{where}: no image named")
    if label not in classes:
        raise UserError(f"{where}: label {label!r} is none of {', '.join(classes)}")
    if condition and condition not in (conditions or ()):
        raise UserError(f"{where}: condition {condition!r} is none of {', '.join(conditions or ())}")
    left, top, right, bottom = (_number(row[side], side, where) for side in COLUMNS[2:])
    if right <= left or bottom <= top:
        raise UserError(
            f"{where}: the box has no area; x1 y1 is its upper left, x2 y2 its lower right corner"
        )
    confidence = _number(row["confidence"], "confidence", where) if row.get("confidence") else None
    if confidence is not None and not 0 <= confidence <= 1:
        raise UserError(f"{where}: confidence {confidence:g}: expected 0 to 1")
    return Drawn(label=label, box=(left, top, right, bottom), condition=condition, confidence=confidence)


def _number(text: str | None, name: str, where: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: {name} {text!r} is no number")
    return number
