"""The verdicts as text for a terminal, and as JSON for a program."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from assay.claims.book import Book
from assay.claims.check import findings
from assay.claims.result import MEANING, SEVERITY, Result

_WIDTH = 118


def verdicts(book: Book, results: Sequence[Result]) -> dict[str, str]:
    """Claim -> the most severe verdict of a rule on it; "stated" where none applies.

    What is no document's number is "evidence". A verdict on a sentence or on a whole set of
    images is none on each of their numbers.
    """
    found = {name: "stated" if claim.lines else "evidence" for name, claim in book.claims.items()}
    for result in results:
        for name in result.subjects if result.of_numbers else ():
            if found[name] != "evidence" and SEVERITY[result.verdict] < SEVERITY[found[name]]:
                found[name] = result.verdict
    return found


def listing(book: Book, results: Sequence[Result], document: str | None = None) -> Iterator[str]:
    """Lines for a terminal: how the claims of each document fared, then every finding with its arithmetic."""
    chosen = [document] if document else list(book.documents)
    yield from counted(book, results, chosen)
    listed = findings(list(results), document)
    for key in chosen:
        ours = [one for one in listed if one.document == key]
        yield ""
        yield f"{key} {book.documents[key].title}: {len(ours)} findings"
        for one in ours:
            place = f"line {one.line}" if one.line else "no line"
            head = f"  {place}: {one.verdict} ({one.rule}): {subject(book, one)}"
            yield textwrap.fill(head, _WIDTH, subsequent_indent="    ")
            yield textwrap.fill(one.text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def counted(book: Book, results: Sequence[Result], chosen: Sequence[str]) -> Iterator[str]:
    """A table for a terminal: how many claims of each of the chosen documents got which verdict."""
    of_claim = verdicts(book, results)
    columns = [one for one in MEANING if any(of_claim[name] == one for name in book.claims)]
    yield "  ".join(["document", "claims", *columns])
    for key in chosen:
        names = [name for name in book.claims if name.startswith(f"{key}/")]
        counts = Counter(of_claim[name] for name in names)
        numbers = [f"{counts[column]:>{len(column)}}" for column in columns]
        yield "  ".join([f"{key:8}", f"{len(names):6}", *numbers])


def subject(book: Book, result: Result) -> str:
    """What a result is about, in a few words."""
    if result.statement is not None:
        return f"“{book.statements[result.statement].written.replace('**', '')}”"
    if result.set is not None:
        return book.sets[result.set].title
    return about(book, result.subjects[0])


def about(book: Book, name: str) -> str:
    """What a claim is a value of: experiment, metric, class, epoch, images."""
    claim = book.claims[name]
    metric = {"map50": "mAP50", "map50_95": "mAP50-95"}.get(claim.metric, claim.metric.replace("_", " "))
    text = ", ".join(filter(None, (claim.experiment, metric, claim.label)))
    if claim.epoch is not None:
        text += f", epoch {claim.epoch}"
    if claim.set is not None:
        text += f" on {book.sets[book.full('sets', claim.set, name)].title}"
    return text if claim.kind in ("value", "setting") else f"{text} ({claim.kind})"


def as_json(book: Book, results: Sequence[Result], document: str | None = None) -> dict[str, Any]:
    """{"documents", "claims", "verdicts": {verdict: count}, "findings": [...]}; findings in the order of lines."""
    names = [name for name in book.claims if document is None or name.startswith(f"{document}/")]
    of_claim = verdicts(book, results)
    counts = Counter(of_claim[name] for name in names)
    return {
        "documents": [document] if document else list(book.documents),
        "claims": len(names),
        "verdicts": {verdict: counts[verdict] for verdict in MEANING if counts[verdict]},
        "findings": [
            {
                "document": one.document,
                "line": one.line or None,
                "verdict": one.verdict,
                "rule": one.rule,
                "about": subject(book, one),
                "claims": list(one.subjects),
                "statement": one.statement,
                "arithmetic": one.text,
            }
            for one in findings(list(results), document)
        ],
    }
