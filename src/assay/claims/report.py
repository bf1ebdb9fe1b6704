"""The report over all claims, for the documents' authors: results/claims/report.md and .html, no date inside."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.claims.book import Book
from assay.claims.check import findings
from assay.claims.listing import about, subject, verdicts
from assay.claims.measured import Measured, answers
from assay.claims.result import FINDINGS, MEANING, SEVERITY, Result
from assay.claims.statistics import wilson
from assay.files import fresh_folder


@dataclass(frozen=True)
class Figure:
    """A forest plot: file beside the Markdown, what it shows."""

    file: str
    caption: str


def write_report(folder: Path, book: Book, results: Sequence[Result], measured: Sequence[Measured]) -> Path:
    """Write report.md, report.html (self-contained) and the plots of both; returns the HTML file.

    Deterministic: the same claims and tables give the same bytes.
    """
    from assay.evaluation.report import page

    found = answers(book, list(measured))
    with fresh_folder(folder) as fresh:
        figures = _figures(fresh, book, found)
        content = _content(book, results, found, folder)
        for suffix in ("md", "html"):
            template = page(f"report.{suffix}.j2", "assay.claims")
            text = template.render(**content, figures=figures, folder=fresh)
            (fresh / f"report.{suffix}").write_text(text, "utf-8")
    return folder / "report.html"


def _content(
    book: Book, results: Sequence[Result], found: Mapping[str, list[Measured]], folder: Path
) -> dict[str, Any]:
    of_claim = verdicts(book, results)
    counts = Counter(of_claim.values())
    return {
        "meaning": {verdict: text for verdict, text in MEANING.items() if counts[verdict] or _has(results, verdict)},
        "counts": counts,
        "found_by": Counter(one.verdict for one in findings(list(results))),
        "claims": len(book.claims),
        "written": sum(claim.written is not None and bool(claim.lines) for claim in book.claims.values()),
        "sentences": len(book.statements),
        "agree": counts["consistent"],
        "differ": sum(counts[verdict] for verdict in FINDINGS),
        "findings": len(findings(list(results))),
        "documents": [_document(book, key, results, of_claim, found, folder=folder) for key in book.documents],
        "measured": [
            _measured(book, name, one, folder) for name, rows in found.items() for one in rows
        ],
    }  # fmt: skip


def _has(results: Sequence[Result], verdict: str) -> bool:
    return any(one.verdict == verdict for one in results)


def _document(
    book: Book,
    key: str,
    results: Sequence[Result],
    of_claim: Mapping[str, str],
    found: Mapping[str, list[Measured]],
    *,
    folder: Path,
) -> dict[str, Any]:
    ours = findings(list(results), key)
    names = [name for name in book.claims if name.startswith(f"{key}/")]
    reasons = _reasons(results)
    return {
        "key": key,
        "title": book.documents[key].title,
        "name": book.documents[key].name,
        "claims": len(names),
        "measured": any(name in found for name in names),
        "intervals": any(_interval(book, name) for name in names),
        "counts": Counter(of_claim[name] for name in names),
        "findings": [
            {"line": one.line or "", "verdict": one.verdict, "rule": one.rule.replace("_", " "),
             "about": subject(book, one), "text": one.text}
            for one in ours
        ],
        "rows": [
            {
                "id": name.partition("/")[2],
                "lines": ", ".join(map(str, book.claims[name].lines)) or book.claims[name].source,
                "written": _written(book, name),
                "about": about(book, name),
                "interval": _interval(book, name),
                "verdict": of_claim[name],
                "text": reasons.get(name, ""),
                "measured": [_measured(book, name, one, folder) for one in found.get(name, [])],
            }
            for name in names
        ],
        "sentences": [
            {"line": one.line, "written": subject(book, one), "rule": one.rule.replace("_", " "),
             "verdict": one.verdict, "text": one.text}
            for one in results if one.statement is not None and one.document == key
        ],
    }  # fmt: skip


def _reasons(results: Sequence[Result]) -> dict[str, str]:
    """Claim -> the arithmetic of its most severe verdict."""
    best: dict[str, Result] = {}
    for result in results:
        for name in result.subjects if result.of_numbers else ():
            if name not in best or SEVERITY[result.verdict] < SEVERITY[best[name].verdict]:
                best[name] = result
    return {name: result.text for name, result in best.items()}


def _written(book: Book, name: str) -> str:
    claim = book.claims[name]
    if claim.written is None:
        value = book.value(name)
        return f"{value.quantity.show()} (computed)"
    return f"{claim.written} {claim.unit}".strip()


def _interval(book: Book, name: str) -> str:
    """Of a published accuracy, or recall of one class, by the number of images it was counted on (Wilson)."""
    where, n = book.claims[name].set, book.counted(name)
    if not n or where is None or book.sets[book.full("sets", where, name)].n is None:
        return ""  # objects of one image are not independent, and how many images hold them is not given
    low, high = wilson(book.value(name).quantity.value * n, n)
    return f"{100 * low:.1f} to {100 * high:.1f} %, n = {n}"


def _measured(book: Book, name: str, one: Measured, folder: Path) -> dict[str, Any]:
    table = one.table.with_suffix(".md")
    link = Path("..") / table.relative_to(folder.parent) if table.is_relative_to(folder.parent) else table
    return {
        "claim": about(book, name),
        "published": book.claims[name].written,
        "value": {"value": one.value, "low": one.low, "high": one.high},
        "images": one.images,
        "source": one.source,
        "profile": one.profile,
        "weights": one.weights,
        "answer": one.answers(book.written[name]),
        "why": one.why_not,
        "link": link.as_posix(),
        "document": name[:3],
    }


def _figures(folder: Path, book: Book, found: Mapping[str, list[Measured]]) -> list[Figure]:
    """Published accuracies with the interval that their images give, and measured numbers by project."""
    from assay.evaluation.intervals import Interval
    from assay.evaluation.plots import ForestRow, plot_forest

    figures = []
    for key, where in book.sets.items():
        rows = [
            ForestRow(book.claims[name].experiment or "", Interval(value, *wilson(value * where.n, where.n)))
            for name, value in _accuracies(book, key) if where.n
        ]  # fmt: skip
        if len(rows) > 1:
            file = f"published-{key.replace('/', '-')}.png"
            plot_forest(
                folder / file, rows, label="accuracy", points="published, 95 % interval of so many images"
            )
            caption = (
                f"Document {key[:3]}: published accuracies on {where.title}, and the interval of so many"
            )
            figures.append(Figure(file, caption))
    by_project: dict[str, list[ForestRow]] = {}
    for name, measured in found.items():
        for one in (one for one in measured if not math.isnan(one.low)):
            published = book.written[name].value
            what = about(book, name).partition(" on ")[0].removeprefix(f"{one.experiment}, ")
            title = f"{one.job or one.experiment}, {what}\n{one.profile} profile"
            row = ForestRow(
                title, Interval(one.value, one.low, one.high), published, comparable=not one.why_not
            )
            by_project.setdefault(one.project, []).append(row)
    for project, rows in by_project.items():
        file = f"measured-{project}.png"
        plot_forest(folder / file, rows, label="measured value")
        caption = (
            f"{project}: what runs measured and what is published; grey where the two may not be compared, and the"
            " table says why"
        )
        figures.append(Figure(file, caption))
    return figures


def _accuracies(book: Book, key: str) -> list[tuple[str, float]]:
    """The first published accuracy of every experiment on the images of one set: its claim, its value."""
    names: dict[str, tuple[str, float]] = {}
    for name, written in book.written.items():
        claim = book.claims[name]
        final = claim.metric == "accuracy" and claim.epoch is None and claim.experiment and claim.set
        if (
            final
            and claim.experiment
            and book.counted(name)
            and book.full("sets", claim.set or "", name) == key
        ):
            names.setdefault(claim.experiment, (name, written.value))
    return list(names.values())
