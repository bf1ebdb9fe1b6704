"""Parts of a page that any stage can add: a title, a note, a table, pictures; and numbers as people read them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NUMBER = ("+", "-", ".", *"0123456789")


@dataclass(frozen=True)
class Section:
    """One part of a page, shown in this order: title, note, table, figures.

    header, rows: the table's cells as text, one header per column. figures: (caption, PNG).
    """

    title: str
    note: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Sequence[tuple[str, Path]] = ()


def share(found: Mapping[str, float]) -> str:
    """{"value": 0.942, "low": 0.928, "high": 0.954} -> "94.2 % (92.8 to 95.4)"."""
    return _with_ends(found, "{:.1f}", scale=100, unit=" %")


def points(found: Mapping[str, float]) -> str:
    """A difference of shares in percentage points: "+1.2 points (-0.3 to +2.7)"."""
    return _with_ends(found, "{:+.1f}", scale=100, unit=" points")


def number(found: Mapping[str, float]) -> str:
    """A number that is no share, such as a log loss: "0.213 (0.180 to 0.251)"."""
    return _with_ends(found, "{:.3f}")


def _with_ends(found: Mapping[str, float], form: str, *, scale: float = 1, unit: str = "") -> str:
    value, low, high = (form.format(scale * found[name]) for name in ("value", "low", "high"))
    if math.isnan(found["value"]):
        return "undefined"
    return f"{value}{unit} (no interval)" if math.isnan(found["low"]) else f"{value}{unit} ({low} to {high})"


def interval_of(row: Mapping[str, float], name: str, low: str = "", high: str = "") -> dict[str, float]:
    """An interval from three cells of a table's row; the ends are <name>_low and <name>_high unless named."""
    ends = (
        row.get(low or f"{name}_low", math.nan),
        row.get(high or f"{name}_high", math.nan),
    )  # one group has no interval
    return {"value": row[name], "low": ends[0], "high": ends[1]}


def to_markdown(section: Section) -> str:
    """A section as Markdown; figures are left out."""
    lines = [f"## {section.title}", ""]
    if section.note:
        lines += [section.note, ""]
    if section.rows:
        cells = [section.header, ["---"] * len(section.header), *section.rows]
        lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in cells] + [""]
    return "\n".join(lines)


def is_number(cell: str) -> bool:
    """The cell starts as a number does: pages set it to the right."""
    return cell.startswith(_NUMBER)
