"""Rules that need no sentence: they look at every claim there is."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product

from assay.claims.book import Book
from assay.claims.quantity import Quantity
from assay.claims.result import Result, Verdict
from assay.claims.schema import SCORES, Claim, Expression
from assay.claims.statistics import whole
from assay.errors import UserError

# a metric says little without these, of the same experiment on the same images
NEEDS = {"false_positives": ("recall", "confidence")}
COMPARISONS = ("difference", "change", "reduction", "ratio")
_FP16 = 2  # bytes
_COPIED = 3  # equal numbers on two sets of images; one may be chance


def derivations(book: Book) -> Iterator[Result]:
    """A value that follows from others: does it, within the rounding of all of them?"""
    for name, claim in book.claims.items():
        if claim.equals is None or name not in book.written:
            continue
        stated, computed = book.written[name], book.evaluate(claim.equals, name)
        if stated.dimension != computed.quantity.dimension:
            raise UserError(
                f"{book.where(name)}: written in {stated.dimension or 'plain numbers'}, computed in "
                f"{computed.quantity.dimension or 'plain numbers'}; give it the right `unit`"
            )
        shown = f"{computed.text} = {computed.quantity.show(stated)}"
        if stated.meets(computed.quantity):
            yield _about(book, "derivation", "consistent", [name], shown)
        else:
            cut = " (cut off instead of rounded)" if _cut_off(stated, computed.quantity.value) else ""
            yield _about(
                book,
                "derivation",
                "inconsistent",
                [name],
                f"{shown}; written {claim.written}{cut}{book.hint(name)}",
            )


def comparisons(book: Book) -> Iterator[Result]:
    """A difference or ratio of one metric: are both of the same images?"""
    for name, claim in book.claims.items():
        for a, b in dict.fromkeys(_compared(book, claim.equals, name)):
            first, second = book.claims[a], book.claims[b]
            if (first.metric, first.label) == (second.metric, second.label):
                sets = [book.sets[book.full("sets", book.claims[one].set or "", one)] for one in (a, b)]
                if sets[0] != sets[1]:
                    text = ", ".join(
                        f"{_shown(book, one)} on {where.title}"
                        for one, where in zip((a, b), sets, strict=True)
                    )
                    yield _about(book, "same images", "not like for like", [name], text)


def _compared(book: Book, expression: Expression | None, home: str) -> Iterator[tuple[str, str]]:
    """Pairs of scores that an expression, or any call in it, holds against one another."""
    if not isinstance(expression, dict):
        return
    function, _, arguments = book.call(expression, home)
    if function in COMPARISONS:
        for one, other in combinations(arguments, 2):
            yield from product(_scores(book, one, home), _scores(book, other, home))
    for argument in arguments:
        yield from _compared(book, argument, home)


def _scores(book: Book, expression: Expression | None, home: str) -> list[str]:
    """The scores on a set of images that an expression rests on, also by way of other claims."""
    found = []
    for name in book.references(expression, home):
        claim = book.claims[name]
        measured = claim.metric in SCORES and claim.set
        found += [name] if measured else _scores(book, claim.equals, name)
    return found


def _shown(book: Book, name: str) -> str:
    return book.claims[name].written or book.value(name).quantity.show()


def same_quantity(book: Book) -> Iterator[Result]:
    """Values of one quantity, from two places: do they agree?"""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for name, claim in book.claims.items():
        if claim.kind in ("value", "setting", "estimate") and claim.source != "computed":
            where = claim.set and book.full("sets", claim.set, name)
            whose = claim.experiment or name.partition("/")[0]  # a date, say, is each document's own
            groups[(claim.metric, whose, claim.label, where, claim.epoch)].append(name)
    for names in groups.values():
        if len(names) > 1:
            yield _agreement(book, names)


def _agreement(book: Book, names: list[str]) -> Result:
    first = names[0]
    apart = [name for name in names[1:] if not _agree(book, first, name)]
    if not apart:
        return _about(
            book, "same quantity", "consistent", names, ", ".join(_said(book, name) for name in names)
        )
    text = f"{_said(book, first)}, but {' and '.join(_said(book, name) for name in apart)}{book.hint(first)}"
    return _about(book, "same quantity", "inconsistent", [first, *apart], text)


def _agree(book: Book, one: str, other: str) -> bool:
    if (one in book.written) != (other in book.written):
        raise UserError(f"{book.where(other)}: {one} is a number and this is text; give it another metric")
    if one not in book.written:
        return book.claims[one].means == book.claims[other].means
    a, b = book.written[one], book.written[other]
    if a.dimension != b.dimension:
        raise UserError(
            f"{book.where(other)}: another unit than {one}; give one of them `unit`, or another metric"
        )
    return a.meets(b)


def _said(book: Book, name: str) -> str:
    claim, document = book.claims[name], name.partition("/")[0]
    value = claim.written if claim.means is None else f"“{claim.written}” ({claim.means})"
    unit = f" {claim.unit}" if claim.unit and claim.means is None else ""
    place = f"document {document}, line {claim.lines[0]}" if claim.lines else f"{claim.source}: {claim.where}"
    return f"{value}{unit} [{place}]"


def collapses(book: Book) -> Iterator[Result]:
    """An accuracy that is, to the image, the share of one class."""
    for name, claim, n, classes in _counted(book):
        found = book.written[name]
        for label, count in classes.items() if claim.metric == "accuracy" else ():
            if found.low <= count / n <= found.high and found.high - found.low < 1 / n:
                most = ", the largest" if count == max(classes.values()) else ""
                chance = (
                    f"; chance among {len(classes)} classes is {1 / len(classes):.1%}"
                    if len(classes) > 2
                    else ""
                )
                text = f"{_fraction(count, n)}: exactly the share of {label}{most}{chance}"
                yield _about(book, "one class", "collapsed", [name], text)


def whole_numbers(book: Book) -> Iterator[Result]:
    """A share of n things must be a whole number of them (the GRIM test, Brown & Heathers 2017)."""
    for name, claim, of, _ in _counted(book):
        found = book.written[name]
        if counts := whole(found.low, found.high, of):
            nearest = min(counts, key=lambda count: abs(count / of - found.value))
            yield _about(book, "whole numbers", "consistent", [name], _fraction(nearest, of))
        else:
            below = int(found.value * of)
            text = f"{claim.written} of {of} is no whole number: {_fraction(below, of)}, {_fraction(below + 1, of)}"
            yield _about(book, "whole numbers", "inconsistent", [name], text)


def _fraction(part: int, whole: int) -> str:
    return f"{part}/{whole} = {100 * part / whole:.2f} %"


def _counted(book: Book) -> Iterator[tuple[str, Claim, int, dict[str, int]]]:
    """Written shares of a known number: name, claim, that number, and how many of each class there are."""
    for name, found in book.written.items():
        claim, of = book.claims[name], book.counted(name)
        if of and claim.set and not found.is_range and not (claim.written or "").startswith("~"):
            yield name, claim, of, book.sets[book.full("sets", claim.set, name)].classes


def copies(book: Book) -> Iterator[Result]:
    """Numbers said to be of one set of images that are, digit for digit, those of another."""
    values: dict[tuple[object, ...], dict[str, str]] = defaultdict(dict)
    for name, claim in book.claims.items():
        if claim.metric in SCORES and claim.set and name in book.written and claim.kind == "value":
            key = claim.experiment, claim.metric, claim.label, claim.epoch
            values[key].setdefault(book.full("sets", claim.set, name), name)
    pairs: dict[tuple[object, str, str], list[tuple[str, str]]] = defaultdict(list)
    for (experiment, *_), by_set in values.items():
        for a, b in combinations(by_set, 2):
            pairs[experiment, a, b].append((by_set[a], by_set[b]))
    for (_, a, b), both in pairs.items():
        equal = [(x, y) for x, y in both if book.written[x].value == book.written[y].value]
        if len(equal) >= _COPIED and len(equal) == len(both):
            text = f"all {len(both)} numbers of {book.sets[b].title} repeat those of {book.sets[a].title}: "
            text += ", ".join(f"{book.claims[y].written}" for _, y in equal)
            yield _about(book, "copied numbers", "inconsistent", [y for _, y in equal], text)


def chosen_on_the_reported(book: Book) -> Iterator[Result]:
    """A set of images that chooses the epoch, and is reported."""
    for key, where in book.sets.items():
        reported = _reported_on(book, key)
        others = {
            (claim.experiment, claim.metric)
            for name, claim in book.claims.items()
            if claim.set and not book.sets[book.full("sets", claim.set, name)].chooses
        }
        alone = [
            name
            for name in reported
            if (book.claims[name].experiment, book.claims[name].metric) not in others
        ]
        if where.chooses and alone:
            many = len({book.claims[name].experiment for name in alone})
            text = f"{where.title} choose {where.chooses}, and are what is reported; {many} "
            text += f"experiment{'s have' if many > 1 else ' has'} no number on other images"
            yield _biased(book, "selection", key, alone, text)


def overlaps(book: Book) -> Iterator[Result]:
    """A set of images some of which were trained on."""
    for key, where in book.sets.items():
        reported = _reported_on(book, key)
        if where.in_training and reported:
            text = f"{where.in_training} of {where.title} are training images as well ({where.where})"
            yield _biased(book, "overlap", key, reported, text)


def _biased(book: Book, rule: str, key: str, names: list[str], text: str) -> Result:
    """What is wrong with the set `key` itself, and so with every number on it."""
    line = _line(book, names[0])
    return Result(rule, "biased", tuple(names), text, key[:3], line, set=key, of_numbers=False)


def _reported_on(book: Book, key: str) -> list[str]:
    return [
        name for name, claim in book.claims.items()
        if claim.set and claim.metric in SCORES and claim.kind == "value" and book.full("sets", claim.set, name) == key
    ]  # fmt: skip


def incomplete(book: Book) -> Iterator[Result]:
    """A metric that says little without another one, which is not given for the same images."""
    for metric, needed in NEEDS.items():
        for name, claim in book.claims.items():
            if claim.metric != metric or claim.kind != "value" or name not in book.written:
                continue
            given = {
                other.metric for key, other in book.claims.items()
                if other.experiment == claim.experiment and other.set == claim.set and key[:3] == name[:3]
            }  # fmt: skip
            if missing := [one for one in needed if one not in given]:
                where = f" on {book.sets[book.full('sets', claim.set, name)].title}" if claim.set else ""
                text = f"{claim.written} {metric.replace('_', ' ')} of {claim.experiment}{where}: "
                text += f"{' and '.join(missing)} on the same images not given; no interval without counts by image"
                yield _about(book, "equal recall", "not testable", [name], text)


def bytes_a_parameter(book: Book) -> Iterator[Result]:
    """A file of floating-point weights has two bytes or more for each: fewer are a sign of mixed-up units."""
    for name, claim in book.claims.items():
        if claim.metric != "size" or not claim.lines or claim.experiment is None or name not in book.written:
            continue
        counts = [
            other for other, peer in book.claims.items()
            if (peer.metric, peer.experiment, peer.label) == ("parameters", claim.experiment, claim.label)
            and peer.lines and other in book.written and book.written[other].value
        ]  # fmt: skip
        if counts and (each := book.written[name].value / book.written[counts[0]].value) < _FP16 * 0.9:
            text = f"{claim.written} / {book.claims[counts[0]].written} = {each:.1f} bytes a parameter"
            found = _about(
                book, "bytes a parameter", "inconsistent", [name, counts[0]], f"{text}; fp16 has 2, fp32 4"
            )
            yield replace(found, of_numbers=False)  # one of the two is right


def best_epochs(book: Book) -> Iterator[Result]:
    """An epoch said to be the best: is there a better one in the same list?"""
    for name, claim in book.claims.items():
        if not claim.best or claim.epoch is None or claim.means is not None:
            continue
        rivals = {
            other: book.value(other).quantity for other, peer in book.claims.items()
            if peer.epoch is not None and peer.means is None
            and (peer.experiment, peer.metric, peer.label, peer.set)
            == (claim.experiment, claim.metric, claim.label, claim.set)
        }  # fmt: skip
        ours = rivals.pop(name)
        better = {other: one for other, one in rivals.items() if one.low > ours.high}
        said = f"epoch {claim.epoch}: {claim.written or ours.show()}"
        if better:
            listed = ", ".join(
                f"epoch {book.claims[other].epoch}: {book.claims[other].written or one.show()}"
                for other, one in sorted(better.items(), key=lambda item: book.claims[item[0]].epoch or 0)
            )
            yield _about(book, "best epoch", "inconsistent", [name], f"{said} is called best; {listed}")
        elif rivals:
            yield _about(
                book, "best epoch", "consistent", [name], f"{said}, the best of {len(rivals) + 1} given"
            )


def _cut_off(stated: Quantity, computed: float) -> bool:
    """Is the written number the computed one with its further decimals dropped?"""
    step = stated.scale * 10.0 ** -(stated.digits or 0)
    return int(computed / step) == round(stated.value / step)


def _about(book: Book, rule: str, verdict: Verdict, names: list[str], text: str) -> Result:
    home = next((name for name in names if book.claims[name].lines), names[0])
    return Result(rule, verdict, tuple(names), text, home.partition("/")[0], _line(book, home))


def _line(book: Book, name: str) -> int:
    claim = book.claims[name]
    used = [] if claim.lines else book.references(claim.equals, name)
    return next((book.claims[key].lines[0] for key in (name, *reversed(used)) if book.claims[key].lines), 0)


RULES: tuple[Callable[[Book], Iterator[Result]], ...] = (
    derivations, comparisons, same_quantity, collapses, whole_numbers, copies, chosen_on_the_reported, overlaps,
    incomplete, bytes_a_parameter, best_epochs,
)  # fmt: skip
