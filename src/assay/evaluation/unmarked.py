"""False positives per page where nothing is to be found: pages that bear no mark."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from assay.evaluation.alarms import per_unit
from assay.evaluation.grouping import GroupingRule, group_table
from assay.evaluation.sections import Section

TAUGHT, UNSEEN = "of documents it was taught with", "of other documents"


def count_on_pages(
    boxes: pd.DataFrame,
    pages: pd.DataFrame,
    *,
    thresholds: Mapping[str, float],
    rule: GroupingRule | None,
) -> pd.DataFrame:
    """What one detector shows on each page.

    Args:
        boxes: of one model, with the columns of `evaluation.boxes.BOX_COLUMNS`.
        pages: image, group (document), width, height (px) and whatever else.
        thresholds: class -> confidence from which a box is shown.
        rule: of grouping; None: there are raw boxes only.

    Returns:
        `pages` with a column for every way and class: raw_stamp, grouped_stamp, …, and raw and grouped, their sums.
    """
    shown = boxes[boxes["score"].to_numpy(float) >= boxes["label"].map(dict(thresholds)).to_numpy(float)]
    ways = {"raw": shown}
    if rule is not None:
        ways["grouped"] = group_table(boxes, pages, thresholds=thresholds, rule=rule)
    counted = pages.reset_index(drop=True)
    for way, table in ways.items():
        found = table.groupby(["image", "label"]).size()
        for label in thresholds:
            counted[f"{way}_{label}"] = [int(found.get((image, label), 0)) for image in counted["image"]]
        counted[way] = counted[[f"{way}_{label}" for label in thresholds]].sum(axis=1)
    return counted


def rates(counted: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each kind of page and way: how many boxes, and per page with the exact Poisson interval.

    counted: of `count_on_pages`, with a column `taught`: whether training saw a page of its document.
    """
    rows = []
    for taught, part in counted.groupby("taught"):
        for way in (name for name in ("raw", "grouped") if name in part):
            rows.append(
                {
                    "pages": TAUGHT if taught else UNSEEN,
                    "n": len(part),
                    "documents": int(part["group"].nunique()),
                    "boxes": way,
                    "false_positives": int(part[way].sum()),
                    **per_unit(int(part[way].sum()), len(part)).as_dict(),
                    "pages_with_any": int((part[way] > 0).sum()),
                    "by_class": {label: int(part[f"{way}_{label}"].sum()) for label in classes},
                }
            )
    return rows


def unmarked_section(found: Mapping[str, Any]) -> Section:
    """found: unmarked.json, `rows` of `rates` and `left_out`: pages on which a reviewer saw something."""
    rows = [
        [
            row["pages"],
            str(row["n"]),
            str(row["documents"]),
            row["boxes"],
            str(row["false_positives"]),
            f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})",
            str(row["pages_with_any"]),
            ", ".join(f"{label} {count}" for label, count in row["by_class"].items() if count) or "none",
        ]
        for row in found["rows"]
    ]
    left = found["left_out"]
    said = (
        f" {left} more {'is' if left == 1 else 'are'} left out: a reviewer saw a mark there." if left else ""
    )
    return Section(
        "Pages without marks",
        "Pages of which their publisher says that they bear no mark, at the thresholds used: every box shown is a false "
        f"positive. Interval: exact Poisson, as if pages of one document were independent.{said}",
        ("pages", "n", "documents", "boxes", "shown", "per page", "pages with any", "by class"),
        rows,
    )
