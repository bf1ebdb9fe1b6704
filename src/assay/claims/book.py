"""Claim files -> one book: read strictly, every reference resolved, no claim that rests on itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from assay.claims.functions import FUNCTIONS, Function
from assay.claims.quantity import Quantity, exactly, parse
from assay.claims.schema import Claim, Document, EvaluationSet, Expression, Schedule, Statement
from assay.errors import UserError

FOLDER = Path("conf/claims")
_ENDLESS = 1e300  # for an open end: infinity less infinity would be no number


@dataclass(frozen=True)
class Value:
    """An expression's quantity and its arithmetic in words; compound: it needs brackets inside another."""

    quantity: Quantity
    text: str
    compound: bool = False


@dataclass
class Book:
    """Every claim, set, schedule and statement by its full name, `<document>/<id>`."""

    folder: Path = FOLDER
    documents: dict[str, Document] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    sets: dict[str, EvaluationSet] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    statements: dict[str, Statement] = field(default_factory=dict)
    written: dict[str, Quantity] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def full(self, kind: str, name: str, home: str) -> str:
        """The full name of a claim, set or schedule that a document's file calls `name`.

        Raises UserError where there is none.
        """
        known: dict[str, Any] = getattr(self, kind)
        for found in (f"{home.split('/', maxsplit=1)[0]}/{name}", name):
            if found in known:
                return found
        from assay.config.messages import nearest

        local = [key.removeprefix(f"{home.split('/', maxsplit=1)[0]}/") for key in known]
        raise UserError(f"{self.where(home)}: {name}: no such {kind[:-1]}{nearest(name, local)[:200]}")

    def where(self, name: str) -> str:
        """File and key of a claim or statement, for messages."""
        document, _, key = name.partition("/")
        path = self.folder / f"{document}.yaml"
        return f"{path}: {key}" if key else str(path)

    def value(self, name: str) -> Value:
        """A claim's quantity: as written, or computed where it is not written.

        Raises UserError: the claim is text, or rests on itself.
        """
        if name in self._values:
            return self._values[name]
        claim = self.claims[name]
        if name in self._open:
            round_trip = " -> ".join(
                key.partition("/")[2] for key in [*self._open[self._open.index(name) :], name]
            )
            raise UserError(f"{self.where(name)}: rests on itself: {round_trip}; take one `equals` out")
        if claim.means is not None:
            raise UserError(f"{self.where(name)}: is text ({claim.means!r}), and no number to compute with")
        if name in self.written:
            unit = f" {claim.unit}" if claim.unit else ""
            found = Value(self.written[name], (claim.written or "") + unit)
        else:
            self._open.append(name)
            assert claim.equals is not None  # noqa: S101 - the schema sees to it
            found = self.evaluate(claim.equals, name)
            self._open.pop()
        self._values[name] = found
        return found

    def evaluate(self, expression: Expression, home: str) -> Value:
        """An expression's quantity, with every argument's rounding carried through, and its arithmetic.

        Raises UserError: an unknown function or claim, too many or few arguments, or units that do not go together.
        """
        if isinstance(expression, str):
            return self.value(self.full("claims", expression, home))
        if isinstance(expression, int | float):
            return Value(exactly(float(expression)), f"{expression:g}")
        name, function, arguments = self.call(expression, home)
        values = [self.evaluate(argument, home) for argument in arguments]
        try:
            dimension = function.dimension([value.quantity.dimension for value in values])
            result = function.call(*(value.quantity.value for value in values))
            low, high = _ends(function, [value.quantity for value in values])
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise UserError(f"{self.where(home)}: {name}: {error}") from None
        texts = [f"({value.text})" if value.compound and len(values) > 1 else value.text for value in values]
        return Value(Quantity(result, low, high, dimension), function.text(texts), function.compound)

    def call(self, expression: dict[str, Any], home: str) -> tuple[str, Function, list[Expression]]:
        """Name, function and arguments of {function: arguments}.

        Raises UserError: no such function, or too many or few arguments.
        """
        if len(expression) != 1:
            raise UserError(f"{self.where(home)}: {expression}: expected one {{function: arguments}}")
        ((name, arguments),) = expression.items()
        if name not in FUNCTIONS:
            from assay.config.messages import nearest

            raise UserError(f"{self.where(home)}: {name}: no such function{nearest(name, FUNCTIONS)}")
        function = FUNCTIONS[name]
        arguments = arguments if isinstance(arguments, list) else [arguments]
        if not function.least <= len(arguments) <= function.most or any(a is None for a in arguments):
            expected = function.least if function.least == function.most else f"{function.least} or more"
            raise UserError(
                f"{self.where(home)}: {name}: {len([a for a in arguments if a is not None])} values given, "
                f"expected {expected} ({function.about})"
            )
        return name, function, arguments

    def hint(self, name: str) -> str:
        """How a claim's number would follow, where its file says so (`instead`) and it does."""
        claim = self.claims[name]
        if claim.instead is None or name not in self.written:
            return ""
        value = self.evaluate(claim.instead, name)
        if not self.written[name].meets(value.quantity):
            raise UserError(
                f"{self.where(name)}: instead: {value.text} = {value.quantity.show(self.written[name])} is not it either"
            )
        return f"; {claim.written} would be {value.text}"

    def references(self, expression: Any, home: str) -> list[str]:
        """Full names of the claims an expression rests on directly, in order."""
        if isinstance(expression, str):
            return [self.full("claims", expression, home)]
        if isinstance(expression, dict):
            return [name for _, _, arguments in [self.call(expression, home)] for a in arguments
                    for name in self.references(a, home)]  # fmt: skip
        return []

    def counted(self, name: str) -> int | None:
        """How many images or instances a claim's accuracy, or recall of one class, is a share of.

        None where it is neither, or where that is not given.
        """
        claim = self.claims[name]
        if claim.set is None or claim.kind != "value":
            return None
        where = self.sets[self.full("sets", claim.set, name)]
        if claim.metric == "recall" and claim.label is not None:
            return where.classes.get(claim.label)
        return where.n if claim.metric == "accuracy" and claim.label is None else None


def load(folder: Path = FOLDER) -> Book:
    """Read every claim file of `folder`.

    Raises UserError, one line that names file and key: not YAML, a key given twice, an unknown key, a value
    that is no number, a reference to nothing, a claim that rests on itself.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise UserError(f"{folder}: no claim files (*.yaml)")
    book = Book(folder)
    for path in paths:
        document = _read(path)
        if document.document != path.stem:
            raise UserError(f"{path}: document {document.document!r}: the file is named {path.stem}")
        book.documents[path.stem] = document
        for kind in ("claims", "sets", "schedules", "statements"):
            for key, entry in getattr(document, kind).items():
                getattr(book, kind)[f"{path.stem}/{key}"] = entry
    for name, claim in book.claims.items():
        if claim.set is not None:
            book.full("sets", claim.set, name)
        if claim.written is not None and claim.means is None:
            try:
                book.written[name] = _quantity(claim)
            except ValueError as error:
                raise UserError(f"{book.where(name)}: {error}") from None
    for name, schedule in book.schedules.items():
        for expression in schedule.model_dump(exclude={"title", "decay"}).values():
            book.references(expression, name)
    _refuse_circles(book)
    return book


def _read(path: Path) -> Document:
    try:
        with path.open(encoding="utf-8") as stream:
            content = yaml.load(stream, _Loader)  # noqa: S506 - the safe loader, told to refuse doubled keys
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        keys = ", ".join(name for name, key in Document.model_fields.items() if key.is_required())
        raise UserError(f"{path}: {'a list or text' if content else 'empty'}; expected the keys {keys}")
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        from assay.config.messages import describe  # Hydra comes with it, which a good file need not wait for

        raise UserError(f"{path}: {describe(error, Document)}") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe loader; a key given twice is a mistake, not a correction."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """As the safe loader does it, but refuse doubled keys."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(
                    f"line {key.start_mark.line + 1}: a key is a list or mapping; expected a name"
                )
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _quantity(claim: Claim) -> Quantity:
    found = parse(claim.written or "", claim.unit)
    if claim.kind == "setting" and found.low < found.value < found.high and not found.is_range:
        return replace(found, low=found.value, high=found.value)  # what is set is not rounded
    return found


def _refuse_circles(book: Book) -> None:
    """Follow `equals` and `instead`, also where a value is written: evidence that rests on itself proves nothing."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join(key.partition("/")[2] for key in [*path[path.index(name) :], name])
            raise UserError(
                f"{book.where(name)}: rests on itself: {circle}; take one `equals` or `instead` out"
            )
        if name not in done:
            claim = book.claims[name]
            for other in (*book.references(claim.equals, name), *book.references(claim.instead, name)):
                visit(other, (*path, name))
            done.add(name)

    for name in book.claims:
        visit(name, ())


def _ends(function: Function, quantities: Sequence[Quantity]) -> tuple[float, float]:
    """Least and greatest result: a function that rises or falls with each argument has both at its arguments' ends."""
    lows = [max(one.low, -_ENDLESS) for one in quantities]
    highs = [min(one.high, _ENDLESS) for one in quantities]
    if function.rises:
        return function.call(*lows), function.call(*highs)
    open_ends = [dict.fromkeys(pair) for pair in zip(lows, highs, strict=True)]
    found = [function.call(*corner) for corner in product(*open_ends)]
    return min(found), max(found)
