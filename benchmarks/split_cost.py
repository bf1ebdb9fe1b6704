"""What a leaking split is worth: one experiment trained on the published and on the grouped split, asked the same photos.

    python -m benchmarks.split_cost PUBLISHED GROUPED

Each folder is build/infrastructure/evaluation of a clone whose stages from prepare to evaluate ran with
`prepare.regroup.split=published` and `=grouped`, same experiment, profile and seed. Nothing is trained here.

Each split's own held-out photos differ, so their numbers stand side by side without a test. Photos that both splits
hold out were new to both models, but only the grouped one has seen nothing of their flights: there the
difference (published minus grouped) is paired, with intervals that draw whole groups of the grouped split.

Writes results/infrastructure/split-cost-<source>.csv.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from assay.environment import describe
from assay.errors import UserError
from assay.evaluation.boxes import BoxPredictions, read_boxes
from assay.evaluation.detection_comparison import compare
from assay.evaluation.stored import reading
from assay.files import read_json
from benchmarks.hardware import MADE_ON, made_on, write_table

WAYS = ("published", "grouped")
METRICS = ("map50", "map50_95")
SHARED = "both"
COLUMNS = (
    *("photos", "model", "images", "groups", "objects", *(f"{m}{end}" for m in METRICS for end in ("", "_low", "_high"))),
    *("p", "verdict", "experiment", "profile", *MADE_ON),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print and store; returns 2 for a mistake."""
    parser = argparse.ArgumentParser("python -m benchmarks.split_cost", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for way in WAYS:
        parser.add_argument(way, type=Path, metavar=way.upper())
    chosen = vars(parser.parse_args(arguments))
    try:
        rows, source = measure([chosen[way] for way in WAYS])
    except UserError as mistake:
        parser.error(str(mistake))
    target = Path(f"results/infrastructure/split-cost-{source}.csv")
    write_table(target, [row | made_on(describe(), ()) for row in rows], COLUMNS)
    for row in rows:
        print(", ".join(f"{key} {row[key]}" for key in COLUMNS if row.get(key, "") != ""))
    print(target)
    return 0


def measure(folders: Sequence[Path]) -> tuple[list[dict[str, Any]], str]:
    """The rows, published first, and the source of the data.

    Raises UserError for what can't be read, for other data, another experiment or profile, and where no photo is shared.
    """
    given = [_by_name(read_boxes(folder / "predictions.parquet")) for folder in folders]
    about = [one.models["model"] for one in given]
    for key in ("experiment", "profile"):
        if about[0][key] != about[1][key]:
            raise UserError(f"{folders[1]}: {key} {about[1][key]}, but {folders[0]} has {about[0][key]}")
    if given[0].data["content"] != given[1].data["content"]:
        raise UserError(
            f"{folders[1]}: evaluated on other data than {folders[0]}; prepare both from the same"
        )
    with reading(*(folder / "metrics.json" for folder in folders)):
        scores = [read_json(folder / "metrics.json") for folder in folders]
        limits = [read_json(folder / "thresholds.json")["thresholds"] for folder in folders]
    rows = [
        _row(f"{way} {split}", f"trained on {way}", parts["all"])
        for way, found in zip(WAYS, scores, strict=True)
        for split, parts in sorted(found.items(), reverse=True)
    ]
    found = compare(
        together(*given), *WAYS, split=SHARED, thresholds=limits[0], reference_thresholds=limits[1]
    )["all"]
    named = {name: found[f"{name}_difference"] for name in METRICS}
    shared = _row("held out by both", "published minus grouped", {**found, **named})
    rows.append(shared | {"p": found["p"], "verdict": found["verdict"]})
    same = {key: about[0][key] for key in ("experiment", "profile")}
    return [row | same for row in rows], str(given[0].data["source"]).split()[0]


def together(published: BoxPredictions, grouped: BoxPredictions) -> BoxPredictions:
    """Both models on the photos that both splits hold out, as one split. Images are named alike in both."""
    names = sorted(set(published.images["image"]) & set(grouped.images["image"]))
    if not names:
        raise UserError("no photo is held out by both splits")
    images = grouped.images[grouped.images["image"].isin(names)].assign(split=SHARED, leak=False)
    boxes = pd.concat(
        [
            one.of("model").assign(model=way)
            for way, one in zip(WAYS, (published, grouped), strict=True)
        ],
        ignore_index=True,
    )  # fmt: skip
    return replace(
        grouped,
        images=images,
        boxes=boxes[boxes["image"].isin(names)],
        truth=grouped.truth[grouped.truth["image"].isin(names)],
        models={way: one.models["model"] for way, one in zip(WAYS, (published, grouped), strict=True)},
    )


def _by_name(predictions: BoxPredictions) -> BoxPredictions:
    """Images by their file's name: the folder above it is the split, which differs."""

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(image=table["image"].str.rsplit("/", n=1).str[-1])

    return replace(
        predictions,
        **{name: renamed(getattr(predictions, name)) for name in ("boxes", "truth", "images")},
    )


def _row(photos: str, model: str, found: dict[str, Any]) -> dict[str, Any]:
    row = {"photos": photos, "model": model, "images": found["n"], "groups": found["groups"]}
    if "objects" in found:
        row["objects"] = sum(found["objects"].values())
    for name in METRICS:
        ends = (("value", ""), ("low", "_low"), ("high", "_high"))
        row |= {f"{name}{end}": round(found[name][key], 4) for key, end in ends}
    return row


if __name__ == "__main__":
    raise SystemExit(main())
