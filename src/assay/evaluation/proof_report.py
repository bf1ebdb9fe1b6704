"""The table of `proof` for people: Markdown, HTML and CSV, the published number beside it, an answer in words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd

from assay.evaluation.intervals import Interval
from assay.evaluation.proof import MATCHED, VIDEO
from assay.evaluation.sections import Section, interval_of, number, share, to_markdown
from assay.files import atomic_write

HEADER = (
    *("where", "model", "at (confidence)", "negatives reviewed by", "false positives", "per image or minute"),
    *("exact Poisson", "change against the baseline", "recall", "mAP50", "mAP50-95", "note"),
)  # fmt: skip
NOTE = (
    "A false positive is a wrong box on an image (IoU 0.5), and on video without an object an alarm: a run of looked-at "
    "frames that show any box. Every model stands at the stated threshold and at the strictest one that gives it the "
    "recall that the baseline has at the stated one, on the same images; the baseline, too. Intervals in brackets draw "
    "whole groups, on video whole recordings; with one group there is none. Exact Poisson: of the alarms as independent "
    "events. Change: relative, of the false positives, beside the baseline at the same."
)


def sections_of(table: pd.DataFrame, *, source: str, published: Mapping[str, Any] | None) -> list[Section]:
    """The table as a section, and what was published as another, never in the same table.

    Args:
        table: `proof.proof_table`.
        source: of the data: sample, original or own.
        published: false_positives, before, images, change, source; None: nothing.
    """
    found = [
        Section(
            "False positives at the stated threshold and at the baseline's recall", NOTE, HEADER, _rows(table)
        )
    ]
    if published is not None:
        why = (
            "its 37 images are not public"
            if source == "original"
            else f"{source} data cannot be set beside it"
        )
        found.append(
            Section(
                "As published",
                f"{published['source']}. No threshold, recall or mAP is published with it: it cannot be set at equal "
                f"recall, and is not comparable with this table: {why}.",
                ("images", "false positives before", "after", "change"),
                [
                    [
                        str(published["images"]),
                        str(published["before"]),
                        str(published["false_positives"]),
                        f"{100 * published['change']:+.1f} %",
                    ]
                ],
            )
        )
    return found


def share_section(table: pd.DataFrame, shares: Mapping[str, float]) -> Section:
    """The curve over the share of hard negatives, and the answer in words. shares: model -> share, 0-1."""
    rows = [
        [
            f"{100 * shares[row['model']]:.1f} %",
            str(int(row["negatives"])),
            row["where"],
            _count(row),
            _change(row),
            share(interval_of(row, "recall")),
            share(interval_of(row, "map50")),
        ]
        for row in _at_equal_recall(table, shares)
    ]
    return Section(
        "How many background images?",
        " ".join(answer(table, shares)),
        (
            "share",
            "negatives",
            "where",
            "false positives at the recall without any",
            "change",
            "recall",
            "mAP50",
        ),
        rows,
    )


def answer(table: pd.DataFrame, shares: Mapping[str, float]) -> list[str]:
    """Sentences that follow from the table by rule; a difference is claimed only where its interval leaves 0 out."""
    rows = [
        row for row in _at_equal_recall(table, shares) if row["unit"] == "image" and shares[row["model"]] > 0
    ]
    if not rows:
        return ["No share was trained that reaches the recall without negatives: the question stays open."]
    sentences = []
    for where in dict.fromkeys(row["where"] for row in rows):
        own = [row for row in rows if row["where"] == where]
        best = min(own, key=lambda row: (row["false_positives"], shares[row["model"]]))
        sure = [row for row in own if row["change_high"] < 0]
        worse = [row for row in own if row["change_low"] > 0]
        said = ", ".join(f"{100 * shares[row['model']]:.0f} %: {row['false_positives']:.0f}" for row in own)
        sentence = f"On the {where}, at the recall without negatives, false positives are {said}. "
        if sure:
            least = min(sure, key=lambda row: shares[row["model"]])
            sentence += (
                f"From {100 * shares[least['model']]:.0f} % on they are fewer beyond noise ({_change(least)}); "
                f"fewest at {100 * shares[best['model']]:.0f} %."
            )
        else:
            sentence += (
                f"Fewest at {100 * shares[best['model']]:.0f} %, but no share is better than none beyond noise: these "
                "data do not say how many are needed."
            )
        if worse:
            named = ", ".join(f"{100 * shares[row['model']]:.0f} %" for row in worse)
            sentence += f" More beyond noise: {named}."
        sentences.append(sentence)
    return sentences


def write_proof(folder: Path, table: pd.DataFrame, sections: Sequence[Section], *, title: str) -> None:
    """Write proof.csv, proof.md, proof.png (numbers, no picture) and proof.html, which opens by double click."""
    from assay.evaluation.plots import ForestRow, plot_forest
    from assay.evaluation.report import page

    images = [row for row in _records(table) if row["unit"] == "image"]
    where = images[0]["where"]
    drawn = [
        ForestRow(f"{row['model']}, {row['at']}", Interval(**interval_of(row, "rate")))
        for row in images
        if row["where"] == where
    ]
    plot_forest(folder / "proof.png", drawn, label=f"false positives per image, {where}")
    last = replace(
        sections[-1], figures=[*sections[-1].figures, ("The same as a picture", folder / "proof.png")]
    )
    sections = [*sections[:-1], last]
    with atomic_write(folder / "proof.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    text = "\n".join([f"# {title}", "", *map(to_markdown, sections)])
    with atomic_write(folder / "proof.md") as temporary:
        temporary.write_text(text, "utf-8")
    with atomic_write(folder / "proof.html") as temporary:
        temporary.write_text(page("ledger.html.j2").render(title=title, sections=sections), "utf-8")


def _at_equal_recall(table: pd.DataFrame, shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """Rows on images and held-out video at the baseline's recall, the baseline's own first; by share."""
    wanted = table["where"].str.endswith("images") | (table["where"] == VIDEO)
    rows = _records(table[wanted & (table["at"] == MATCHED) & table["model"].isin(list(shares))])
    order = list(dict.fromkeys(row["where"] for row in rows))
    return sorted(rows, key=lambda row: (order.index(row["where"]), shares[row["model"]]))


def _rows(table: pd.DataFrame) -> list[list[str]]:
    return [
        [
            row["where"] + (f": {row['category']}" if row["category"] else ""),
            row["model"],
            f"{row['at']} ({row['confidence']})",
            row["reviewed_by"] or "none used",
            _count(row),
            number(interval_of(row, "rate")),
            "" if isnan(row["exact_high"]) else f"{row['exact_low']:.3f} to {row['exact_high']:.3f}",
            _change(row),
            *(
                share(interval_of(row, name)) if row["unit"] == "image" else ""
                for name in ("recall", "map50", "map50_95")
            ),
            row["note"],
        ]
        for row in _records(table)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _count(row: Mapping[Any, Any]) -> str:
    """`5 on 40 images`, `2 in 0.4 minutes`."""
    if row["unit"] == "image":
        return f"{row['false_positives']:.0f} on {row['n']:.0f} images"
    return f"{row['false_positives']:.0f} in {row['exposure']:.2f} minutes"


def _change(row: Mapping[Any, Any]) -> str:
    if isnan(row["change"]):
        return ""
    value = f"{100 * row['change']:+.1f} %"
    if isnan(row["change_low"]):
        return f"{value} (no interval)"
    return f"{value} ({100 * row['change_low']:+.1f} to {100 * row['change_high']:+.1f})"
