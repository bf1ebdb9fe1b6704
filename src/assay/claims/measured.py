"""What runs measured: the tables of results/, and which published number each row answers."""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

from assay.claims.book import Book
from assay.claims.quantity import Quantity
from assay.claims.statistics import wilson
from assay.errors import UserError

DETECTION = ("map50", "map50_95", "precision", "recall")
Answer = str  # "reproduced", "not reproduced", or "not comparable"


@dataclass(frozen=True)
class Measured:
    """One measured number. low, high: NaN where its table has no interval.

    comparable: "" where it may be compared with the published one, else why not.
    """

    project: str
    experiment: str
    metric: str
    label: str | None
    split: str
    value: float
    low: float
    high: float
    images: int
    source: str
    profile: str
    weights: str
    job: str
    table: Path
    comparable: str

    @property
    def why_not(self) -> str:
        """Why it cannot be held against the published number; "" where it can."""
        no_interval = math.isnan(self.low) or math.isnan(self.high)
        return "; ".join(filter(None, (self.comparable, "no interval" if no_interval else "")))

    def answers(self, published: Quantity) -> Answer:
        """Does the interval hold a value that was rounded to the published one, where the two may be compared?"""
        if self.why_not:
            return "not comparable"
        held = self.low <= published.high and published.low <= self.high
        return "reproduced" if held else "not reproduced"


def read_results(folder: Path) -> list[Measured]:
    """Every row of <folder>/<project>/*.csv that names an experiment: of sweeps, and of one detector by its file's name.

    Other tables hold other things.

    Raises UserError: a table that cannot be read, a number that is none.
    """
    found: list[Measured] = []
    for path in sorted(folder.glob("*/*.csv")):
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                # a sweep's variant of an experiment is not what a document reports
                rows = [row for row in csv.DictReader(stream) if not row.get("changed")]
            if rows and {"experiment", "accuracy", "low", "high"} <= rows[0].keys():
                found += [one for row in rows if row.get("accuracy") for one in _classifier(path, row)]
            elif rows and {"experiment", "split", "map50", "map50_low"} <= rows[0].keys():
                found += [one for row in rows for one in _detection_job(path, row)]
            elif rows and {"split", "class", "map50", "map50_low"} <= rows[0].keys():
                found += [one for row in rows for one in _detector(path, row)]
        except (ValueError, csv.Error, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a table of results ({error}); git knows how it was") from None
    return found


def _number(row: dict[str, str], name: str) -> float:
    """NaN where the cell is empty: one group alone gives no interval."""
    return float(row.get(name) or "nan")


def _classifier(path: Path, row: dict[str, str]) -> list[Measured]:
    n = int(float(row["n"]))
    value, low, high = (_number(row, name) for name in ("accuracy", "low", "high"))
    if row.get(
        "as_published"
    ):  # the epoch chosen as its authors chose it is what their number is compared with
        value = float(row["as_published"])
        ends = [row.get(f"as_published_{end}") for end in ("low", "high")]
        low, high = (float(ends[0]), float(ends[1])) if ends[0] and ends[1] else wilson(value * n, n)
    split = row.get("split") or ("test" if path.parent.name == "conditions" else "val")
    accuracy = Measured(
        path.parent.name, row["experiment"], "accuracy", None, split, value, low, high, n,
        row["source"], row["profile"], row["weights"], row.get("job", ""), path,
        _why_not(row["source"], _said(row)),
    )  # fmt: skip
    if not row.get("f1_macro"):
        return [accuracy]
    # the table has it without an interval, and of the epoch that was chosen on images kept back from training
    other = row.get("as_published") and row.get("as_published_epoch") != row.get("epoch")
    reasons = "; ".join(
        filter(None, (accuracy.comparable, "of another epoch than the published" if other else ""))
    )
    f1 = replace(accuracy, metric="f1", value=float(row["f1_macro"]), low=math.nan, high=math.nan)
    return [accuracy, replace(f1, comparable=reasons)]


def _said(row: dict[str, str]) -> str:
    """Why a job of a sweep may not be compared, as its table says; "" where it may, or where its data say it all."""
    if not row["source"].startswith("original"):
        return ""
    said = row.get("comparable") or "no: " + (
        "no published number" if not row.get("published") else "not said"
    )
    return "" if said == "yes" else said.removeprefix("no: ")


def _detection_job(path: Path, row: dict[str, str]) -> list[Measured]:
    """What one job of a detection sweep measured on the images that chose its epoch, and on test."""
    weights = row.get("weights_root") or row["weights"]
    return [
        Measured(
            path.parent.name, row["experiment"], metric, None, split, float(row[f"{part}{metric}"]),
            _number(row, f"{part}{metric}_low"), _number(row, f"{part}{metric}_high"), int(float(row[f"{part}n"])),
            row["source"], row["profile"], weights, row["job"], path, _why_not(row["source"], _said(row)),
        )
        for part, split in (("", row["split"]), ("test_", "test"))
        for metric in DETECTION if row.get(f"{part}{metric}")
    ]  # fmt: skip


def _detector(path: Path, row: dict[str, str]) -> list[Measured]:
    experiment, profile, *changes, source = path.stem.split("-")  # as `assay.publish` names it
    split = "-".join(changes)
    model = _line(path.with_suffix(".md"), "- model: ")
    weights = model.partition("weights: ")[2]
    reasons = (
        [] if profile == "full" else [f"{profile} profile, {model.partition(', seed')[0]}".removesuffix(", ")]
    )
    if not weights.startswith("download"):
        reasons.append(f"weights: {weights.partition(',')[0] or 'not said'}, not the official ones")
    if split:
        reasons.append(f"another split: {split}")
    why = _why_not(source, "; ".join(reasons))
    return [
        Measured(
            path.parent.name, experiment, metric, None if row["class"] == "all" else row["class"], row["split"],
            float(row[metric]), _number(row, f"{metric}_low"), _number(row, f"{metric}_high"), int(row["images"]),
            source, profile, weights, f"{experiment}, {split} split" if split else "", path, why,
        )
        for metric in DETECTION if row[metric]
    ]  # fmt: skip


def _why_not(source: str, reason: str) -> str:
    if not source.startswith("original"):
        return f"{source} data" + (f"; {reason}" if reason else "")
    return reason


def _line(path: Path, start: str) -> str:
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return next((line.removeprefix(start) for line in lines if line.startswith(start)), "")


def answers(book: Book, measured: list[Measured]) -> dict[str, list[Measured]]:
    """Claim -> what was measured of it: the same experiment, metric and class, on the images of the same name.

    A number of other images than the claim's, or of images that the document does not name, is not comparable.
    """
    found: dict[str, list[Measured]] = {}
    for name, claim in book.claims.items():
        if claim.experiment is None or claim.kind != "value" or claim.epoch is not None or not claim.lines:
            continue
        where = book.sets[book.full("sets", claim.set, name)] if claim.set else None
        rows = [
            one for one in measured
            if (one.experiment, one.metric, one.label) == (claim.experiment, claim.metric, claim.label)
            and one.split == ((where.split if where else None) or "val")
        ]  # fmt: skip
        images = (where.images or where.n) if where else None
        if rows and name in book.written:
            found[name] = [_on_images(one, images) for one in rows]
    return found


def _on_images(one: Measured, images: int | None) -> Measured:
    if images is None:
        other = "the document does not say on which images"
    elif images != one.images:
        other = f"{one.images} other images"
    else:
        return one
    return replace(one, comparable="; ".join(filter(None, (one.comparable, other))))
