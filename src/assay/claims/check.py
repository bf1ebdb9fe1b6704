"""Every rule over every claim: what holds, what does not, and the arithmetic of it."""

from assay.claims.book import Book
from assay.claims.result import FINDINGS, Result
from assay.claims.rules import RULES
from assay.claims.statements import judge


def check(book: Book) -> list[Result]:
    """Results of all rules, by document and rule; the findings are those whose verdict is in `FINDINGS`.

    Raises UserError where the claim files are at fault, never because a document is.
    """
    found = [result for rule in RULES for result in rule(book)]
    found += [judge(book, name) for name in book.statements]
    return sorted(found, key=lambda result: (result.document, result.order))


def findings(results: list[Result], document: str | None = None) -> list[Result]:
    """The results that say something does not hold, of one document or of all."""
    return [one for one in results if one.verdict in FINDINGS and document in (None, one.document)]
