"""Rules that test a sentence against counts: is it better, does it reach the target, can so few images tell?"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from assay.claims.book import Book, Value
from assay.claims.result import Judgement, Verdict
from assay.claims.schema import SCORES, Expression, Strict
from assay.claims.statistics import CONFIDENCE, Z, p_range, whole, wilson
from assay.errors import UserError


class Better(Strict):
    """`value` is said to be better than `than`; claimed: worse = said to be worse. Of a metric of `SCORES`."""

    value: str
    than: str
    claimed: Literal["better", "worse"] = "better"


def better(book: Book, home: str, says: Better) -> Judgement:
    """Is the difference there, of the same images, and more than chance makes of so many?

    Evidence is there if every way to share the right answers makes the difference significant, none if no way does;
    in between only the predictions, which were not published, could tell.
    """
    names = [book.full("claims", name, home) for name in (says.value, says.than)]
    (a, b), claims = (book.value(name) for name in names), [book.claims[name] for name in names]
    if not claims[0].metric == claims[1].metric in SCORES:
        raise UserError(
            f"{book.where(home)}: better: compares {claims[0].metric} with {claims[1].metric}; "
            f"both must be the same one of {', '.join(SCORES)}, of which more is better"
        )
    sets = [one.set and book.full("sets", one.set, name) for one, name in zip(claims, names, strict=True)]
    written = f"{a.text} against {b.text}"
    sign = 1 if says.claimed == "better" else -1
    if sets[0] and sets[1] and book.sets[sets[0]] != book.sets[sets[1]]:
        where = " and ".join(book.sets[key or ""].title for key in sets)
        return "not like for like", f"{written}: of different images ({where})", names
    n = book.counted(names[0]) if sets[0] == sets[1] and claims[0].label == claims[1].label else None
    counts = [_right(one, n) for one in (a, b)] if n else []
    right = f"{' and '.join(_count(one) for one in counts)} of {n} right" if n else ""
    if sign * (a.quantity.value - b.quantity.value) <= 0:
        shown = f"{100 * (a.quantity.value - b.quantity.value):+.2f} points"
        text = f"{written}: {shown}{f' ({right})' if n else ''}, not {says.claimed}"
        return "inconsistent", text, names
    if not n:
        text = f"{written}: no number of the same images that a test could be computed from"
        return "not testable", text, names
    ends = [wilson(one.quantity.value * n, n) for one in (a, b)]
    text = (
        f"{right}; 95 % intervals {', '.join(f'{100 * low:.1f} to {100 * high:.1f}' for low, high in ends)}"
    )
    more, fewer = counts[::sign]
    least, _ = p_range(more[-1], fewer[0], n)
    most = p_range(more[0], fewer[-1], n)[1] if more[0] > fewer[-1] else 1.0
    ends_of_p = " to ".join(dict.fromkeys(f"{p:.2g}" for p in (least, most)))
    text += f"; McNemar's exact p is {ends_of_p}, whichever images both have right"
    if least >= 1 - CONFIDENCE:
        return "no evidence", text, names
    if most < 1 - CONFIDENCE:
        return "consistent", text, names
    return "not testable", text + "; only the predictions could tell", names


def _right(value: Value, n: int) -> range:
    """How many of n a share can stand for; the nearest number where it is none of n."""
    nearest = round(value.quantity.value * n)
    if nearest > n:
        raise ValueError(f"{value.text} of {n}")
    return whole(value.quantity.low, value.quantity.high, n) or range(nearest, nearest + 1)


def _count(counts: range) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


class AtLeast(Strict):
    """`value` is said to reach `target`; elsewhere: the same metric on other images."""

    value: str
    target: Expression
    elsewhere: tuple[str, ...] = ()


def at_least(book: Book, home: str, says: AtLeast) -> Judgement:
    """Is the target reached, beyond chance, and on other images too?"""
    names = [book.full("claims", name, home) for name in (says.value, *says.elsewhere)]
    value, *others = (book.value(name) for name in names)
    target = book.evaluate(says.target, home)
    goal = target.quantity.value
    if target.quantity.low < goal == target.quantity.high:
        raise UserError(
            f"{book.where(home)}: at_least: {target.text} is a bound from above, and not to be reached"
        )
    text = f"{value.text} against a target of {target.text}"
    if value.quantity.high < goal:
        return "inconsistent", f"{text}: {_gap(value, goal)}", names
    missed = [one.text for one in others if one.quantity.high < goal]
    n = book.counted(names[0])
    low, high = wilson(value.quantity.value * n, n) if n else (goal, 1.0)
    if missed or low < goal:
        text += f"; 95 % interval {100 * low:.1f} to {100 * high:.1f} (n = {n})" if n else ""
        text += f"; on other images {', '.join(missed)}" if missed else ""
        return "no evidence", text, names
    return "consistent", text, names


def _gap(value: Value, goal: float) -> str:
    unit = "points" if value.quantity.unit == "%" else value.quantity.unit
    return f"{(value.quantity.value - goal) / value.quantity.scale:+.2f} {unit}".strip()


class Similar(Strict):
    """Two values are said to be about the same."""

    a: Expression
    b: Expression
    factor: float = Field(default=1.5, gt=1, description="the larger may be so many times the smaller")


def similar(book: Book, home: str, says: Similar) -> Judgement:
    """Is the larger less than `factor` times the smaller?"""
    a, b = book.evaluate(says.a, home), book.evaluate(says.b, home)
    large, small = sorted((a, b), key=lambda one: -one.quantity.value)
    ratio = large.quantity.value / small.quantity.value
    names = book.references(says.a, home) + book.references(says.b, home)
    verdict: Verdict = "consistent" if ratio <= says.factor else "inconsistent"
    return verdict, f"{large.text} / {small.text} = {ratio:.2f}", names


class Minority(Strict):
    """`count` is said to be of the rarer class."""

    count: str
    other: str


def minority(book: Book, home: str, says: Minority) -> Judgement:
    """Is it?"""
    a, b = book.evaluate(says.count, home), book.evaluate(says.other, home)
    names = book.references(says.count, home) + book.references(says.other, home)
    fewer = a.quantity.value < b.quantity.value
    relation = "<" if fewer else "≥"
    text = f"{a.text} {relation} {b.text}: it is the {'minority' if fewer else 'majority'}"
    return "consistent" if fewer else "inconsistent", text, names


class LeftOver(Strict):
    """Something is said to exist beside the parts of a total."""

    total: str
    parts: list[str] = Field(min_length=1)
    what: str


def left_over(book: Book, home: str, says: LeftOver) -> Judgement:
    """Is anything left for it?"""
    total = book.evaluate(says.total, home)
    parts = [book.evaluate(part, home) for part in says.parts]
    rest = total.quantity.value - sum(part.quantity.value for part in parts)
    text = f"{total.text} − {' − '.join(part.text for part in parts)} = {rest:g} left for {says.what}"
    return "consistent" if rest > 0 else "inconsistent", text, [book.full("claims", says.total, home)]


class EmptyLabels(Strict):
    """Images are said to become negatives; objects: how many of them show an object of the classes."""

    images: str
    objects: Expression


def empty_labels(book: Book, home: str, says: EmptyLabels) -> Judgement:
    """Do the images hold nothing?"""
    images, objects = book.evaluate(says.images, home), book.evaluate(says.objects, home)
    names = [*book.references(says.images, home), *book.references(says.objects, home)]
    share = objects.quantity.value / images.quantity.value
    text = f"{objects.text} = {objects.quantity.value:,.0f} of {images.text} ({share:.1%}) show an object; "
    text += "an empty label would teach the detector to miss it"
    return ("inconsistent" if share > 0 else "consistent"), text, list(dict.fromkeys(names))


class Gap(Strict):
    """Means over `n` pages, images or clips are compared; each lies between 0 and 1."""

    value: str
    others: list[str] = Field(min_length=1)
    n: str


def gap(book: Book, home: str, says: Gap) -> Judgement:
    """Could n cases tell so small a difference?"""
    value, n = book.evaluate(says.value, home), round(book.evaluate(says.n, home).quantity.value)
    others = [book.evaluate(name, home) for name in says.others]
    low, high = wilson(value.quantity.value * n, n)
    nearest = min(others, key=lambda one: abs(one.quantity.value - value.quantity.value))
    difference = abs(value.quantity.value - nearest.quantity.value)
    spread = difference * n**0.5 / Z
    text = f"n = {n}: the 95 % interval of such a mean is {100 * low:.0f} to {100 * high:.0f} at most; "
    text += f"a gap of {100 * difference:.2f} points "
    text += f"({value.text} to {nearest.text}) is within the interval as soon as the {n} vary by more than "
    text += f"{100 * difference:.2f} × √{n} / {Z:.2f} = {100 * spread:.1f} points (standard deviation)"
    names = [book.full("claims", name, home) for name in (says.value, *says.others)]
    within = low <= nearest.quantity.value <= high
    return "not testable" if within else "consistent", text, names


class Confounded(Strict):
    """A difference of two experiments is credited to one setting."""

    a: str
    b: str
    credited: str


def confounded(book: Book, home: str, says: Confounded) -> Judgement:
    """Do they differ in other settings as well?"""
    _used(book, home, "experiment", (says.a, says.b))
    _used(book, home, "metric", (says.credited,))
    settings: dict[str, dict[str, str]] = {says.a: {}, says.b: {}}
    for name, claim in book.claims.items():
        if claim.kind == "setting" and claim.experiment in settings and claim.metric != says.credited:
            settings[claim.experiment].setdefault(claim.metric, name)
    shared = [metric for metric in settings[says.a] if metric in settings[says.b]]
    differ = []
    for metric in shared:
        ours, theirs = (settings[key][metric] for key in (says.a, says.b))
        if book.claims[ours].means or not book.written[ours].meets(book.written[theirs]):
            differ.append((metric, ours, theirs))
    text = ", ".join(
        f"{metric} {book.claims[ours].written} against {book.claims[theirs].written}"
        for metric, ours, theirs in differ
    )
    if not shared:
        return "not testable", f"no setting is given for both {says.a} and {says.b}", []
    if differ:
        return (
            "not like for like",
            f"credited to {says.credited}, but {text}",
            [ours for _, ours, _ in differ],
        )
    return "consistent", f"{len(shared)} settings given for both, all equal", []


class New(Strict):
    """A metric or experiment that no claim has: a setting that was not tried, say."""

    new: str


class Needs(Strict):
    """A sentence that these metrics of these experiments would have to show."""

    metrics: list[str | New] = Field(min_length=1)
    experiments: list[str | New] = Field(min_length=1)


def needs(book: Book, home: str, says: Needs) -> Judgement:
    """Are they given?"""
    metrics = _used(book, home, "metric", says.metrics)
    experiments = _used(book, home, "experiment", says.experiments)
    given = {(claim.metric, claim.experiment) for claim in book.claims.values() if claim.kind == "value"}
    missing = [
        f"{metric.replace('_', ' ')} of {experiment}"
        for metric in metrics for experiment in experiments if (metric, experiment) not in given
    ]  # fmt: skip
    if missing:
        return "not testable", f"not given: {', '.join(missing)}", []
    return "consistent", "what it needs is given", []


def _used(
    book: Book, home: str, key: Literal["metric", "experiment"], names: Sequence[str | New]
) -> list[str]:
    """The names of metrics or experiments, as plain words.

    Raises UserError: one that no claim has, and that is not said to be new; or one said to be new that a claim has.
    """
    known = {str(name) for claim in book.claims.values() if (name := getattr(claim, key)) is not None}
    known |= set(SCORES) if key == "metric" else set()
    for name in names:
        if isinstance(name, str) and name not in known:
            from assay.config.messages import nearest

            close = nearest(name, sorted(known))
            raise UserError(
                f"{book.where(home)}: {name}: no claim has this {key}{close if 'mean' in close else ''}; "
                f"write {{new: {name}}} for one that is given nowhere"
            )
        if isinstance(name, New) and name.new in known:
            raise UserError(
                f"{book.where(home)}: {{new: {name.new}}}: claims have this {key}; write {name.new}"
            )
    return [name if isinstance(name, str) else name.new for name in names]
