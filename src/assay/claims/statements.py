"""The rules a claim file can name for a sentence, and their verdict."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from assay.claims import comparisons, formulas
from assay.claims.book import Book
from assay.claims.result import Judgement, Result
from assay.errors import UserError

Rule = tuple[type[BaseModel], Callable[[Book, str, Any], Judgement]]
STATEMENTS: dict[str, Rule] = {
    "better": (comparisons.Better, comparisons.better),
    "at_least": (comparisons.AtLeast, comparisons.at_least),
    "similar": (comparisons.Similar, comparisons.similar),
    "minority": (comparisons.Minority, comparisons.minority),
    "within": (formulas.Within, formulas.within),
    "mean_in_bins": (formulas.MeanInBins, formulas.mean_in_bins),
    "left_over": (comparisons.LeftOver, comparisons.left_over),
    "empty_labels": (comparisons.EmptyLabels, comparisons.empty_labels),
    "rates": (formulas.Rates, formulas.rates),
    "formula_range": (formulas.FormulaRange, formulas.formula_range),
    "binds": (formulas.Binds, formulas.binds),
    "undecided": (formulas.Undecided, formulas.undecided),
    "gap": (comparisons.Gap, comparisons.gap),
    "same_unit": (formulas.SameUnit, formulas.same_unit),
    "confounded": (comparisons.Confounded, comparisons.confounded),
    "needs": (comparisons.Needs, comparisons.needs),
}


# these find fault with a number; the others with what is made of it
_OF_NUMBERS = ("within", "mean_in_bins", "rates", "formula_range", "binds", "undecided")


def judge(book: Book, name: str) -> Result:
    """The verdict on one statement.

    Raises UserError: an unknown rule or argument, or a claim that does not exist.
    """
    statement = book.statements[name]
    ((rule, arguments),) = statement.says.items()
    if rule not in STATEMENTS:
        from assay.config.messages import nearest

        raise UserError(f"{book.where(name)}: {rule}: no such rule{nearest(rule, STATEMENTS)}")
    model, function = STATEMENTS[rule]
    try:
        says = model.model_validate(arguments)
    except ValidationError as error:
        from assay.config.messages import describe

        raise UserError(f"{book.where(name)}: {rule}: {describe(error, model)}") from None
    try:
        verdict, text, subjects = function(book, name, says)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise UserError(f"{book.where(name)}: {rule}: cannot be computed from its values ({error})") from None
    return Result(
        rule, verdict, tuple(subjects), text, name.partition("/")[0], statement.line,
        statement=name, of_numbers=rule in _OF_NUMBERS,
    )  # fmt: skip
