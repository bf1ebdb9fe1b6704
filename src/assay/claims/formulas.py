"""Rules that test a sentence against a formula: bounds, bins, learning rates, ranges, units."""

from pydantic import Field

from assay.claims.book import Book
from assay.claims.result import Judgement
from assay.claims.schema import Expression, Schedule, Strict
from assay.claims.statistics import logged_rate


class Within(Strict):
    """`value` must lie between what the numbers behind it allow."""

    value: str
    low: Expression | None = None
    high: Expression | None = None
    because: str = ""


def within(book: Book, home: str, says: Within) -> Judgement:
    """Does it?"""
    value = book.evaluate(says.value, home)
    ends = [None if end is None else book.evaluate(end, home) for end in (says.low, says.high)]
    low, high = (None if end is None else end.quantity for end in ends)
    texts = [f"{word} {end.text} = {end.quantity.show(value.quantity)}" for word, end in
             zip(("at least", "at most"), ends, strict=True) if end is not None]  # fmt: skip
    inside = (low is None or value.quantity.high >= low.low) and (
        high is None or value.quantity.low <= high.high
    )
    text = f"{value.text}; {', '.join(texts)}{f' ({says.because})' if says.because else ''}"
    return "consistent" if inside else "inconsistent", text, book.references(says.value, home)


class Bin(Strict):
    """`count` cases of `first` to `last` each; last = None: and more."""

    count: str
    first: int
    last: int | None = None


class MeanInBins(Strict):
    """A mean, and the histogram of the same cases."""

    mean: str
    bins: list[Bin] = Field(min_length=1)


def mean_in_bins(book: Book, home: str, says: MeanInBins) -> Judgement:
    """Is the mean between the least and the greatest that the bins allow?"""
    mean = book.evaluate(says.mean, home).quantity
    counts = [book.evaluate(one.count, home).quantity.value for one in says.bins]
    total = sum(counts)
    least = sum(count * one.first for count, one in zip(counts, says.bins, strict=True)) / total
    terms = " + ".join(f"{count:,.0f} × {one.first}" for count, one in zip(counts, says.bins, strict=True))
    text = f"least mean of the bins ({terms}) / {total:,.0f} = {least:.3f}; written {mean.show(extra=0)}"
    fits = mean.high >= least
    if all(one.last is not None for one in says.bins):
        most = sum(count * (one.last or 0) for count, one in zip(counts, says.bins, strict=True)) / total
        text, fits = f"{text}; greatest {most:.3f}", fits and mean.low <= most
    return "consistent" if fits else "inconsistent", text, book.references(says.mean, home)


class Rates(Strict):
    """Learning rates by epoch, the schedule said to have made them, and others that might have."""

    rates: dict[int, str] = Field(min_length=1)
    stated: str
    instead: tuple[str, ...] = ()


def rates(book: Book, home: str, says: Rates) -> Judgement:
    """How many of the rates does each schedule give?"""
    names = {epoch: book.full("claims", name, home) for epoch, name in says.rates.items()}
    texts, all_fit = [], {}
    for key in (says.stated, *says.instead):
        schedule = book.schedules[book.full("schedules", key, home)]
        given = {epoch: _rate(book, home, schedule, epoch) for epoch in names}
        written = {epoch: book.value(name).quantity for epoch, name in names.items()}
        wrong = [
            e for e, rate in given.items() if not written[e].low * 0.999 <= rate <= written[e].high * 1.001
        ]
        example = ""
        if wrong:
            worst = max(wrong, key=lambda e: abs(given[e] - written[e].value))
            example = f" (epoch {worst}: {given[worst]:.6f}, written {book.value(names[worst]).text})"
        texts.append(f"{schedule.title}: {len(names) - len(wrong)} of {len(names)} fit{example}")
        all_fit[key] = not wrong
    return "consistent" if all_fit[says.stated] else "inconsistent", "; ".join(texts), list(names.values())


def _rate(book: Book, home: str, schedule: Schedule, epoch: int) -> float:
    def number(expression: Expression | None) -> float:
        return 0.0 if expression is None else book.evaluate(expression, home).quantity.value

    steps = number(schedule.steps_per_epoch)
    warmup = number(schedule.warmup_steps) or number(schedule.warmup_epochs) * steps
    return logged_rate(
        epoch, decay=schedule.decay, lr0=number(schedule.lr0), lrf=number(schedule.lrf),
        epochs=round(number(schedule.epochs)), warmup_steps=warmup, steps_per_epoch=round(steps),
    )  # fmt: skip


class FormulaRange(Strict):
    """A range is reported as if it were observed; least, most: what its formula can give at all."""

    low: str
    high: str
    least: Expression
    most: Expression


def formula_range(book: Book, home: str, says: FormulaRange) -> Judgement:
    """Is the reported range that of the formula?"""
    pairs = [(book.evaluate(a, home), book.evaluate(b, home))
             for a, b in ((says.low, says.least), (says.high, says.most))]  # fmt: skip
    names = [book.full("claims", name, home) for name in (says.low, says.high)]
    text = "; ".join(f"{end.text} = {end.quantity.value:.3f}, written {said.text}" for said, end in pairs)
    if all(said.quantity.meets(end.quantity) for said, end in pairs):
        return "uninformative", f"the formula cannot leave its range: {text}", names
    inside = (
        pairs[0][0].quantity.high >= pairs[0][1].quantity.low
        and pairs[1][0].quantity.low <= pairs[1][1].quantity.high
    )
    return "consistent" if inside else "inconsistent", f"range of the formula: {text}", names


class Binds(Strict):
    """A bound is set; seen: the most extreme value reported. upper: what it is a bound from."""

    bound: str
    seen: str
    upper: bool = True


def binds(book: Book, home: str, says: Binds) -> Judgement:
    """Does the bound leave anything out?"""
    bound, seen = book.evaluate(says.bound, home), book.evaluate(says.seen, home)
    names = [book.full("claims", name, home) for name in (says.bound, says.seen)]
    sign = 1 if says.upper else -1
    idle = sign * (bound.quantity.value - seen.quantity.value) > 0
    text = f"bound {bound.text}, most extreme value {seen.text}: it leaves out {'nothing' if idle else 'something'}"
    return "uninformative" if idle else "consistent", text, names


class Undecided(Strict):
    """A score is read as agreement; neutral: what it is when it has seen nothing either way."""

    value: Expression
    neutral: float
    because: str


def undecided(book: Book, home: str, says: Undecided) -> Judgement:
    """Is the score more than neutral?"""
    value = book.evaluate(says.value, home)
    idle = value.quantity.low <= says.neutral <= value.quantity.high
    text = f"{value.text} = {value.quantity.value:.3f}; {says.neutral:g} is {says.because}"
    return "uninformative" if idle else "consistent", text, book.references(says.value, home)


class Sized(Strict):
    """A file size and the exact number of parameters it must hold."""

    size: str
    parameters: str


class SameUnit(Strict):
    """File sizes are compared."""

    sizes: list[Sized] = Field(min_length=2)
    bytes_each: int = 4


def same_unit(book: Book, home: str, says: SameUnit) -> Judgement:
    """Is every size in the same unit, MB of 10^6 or MiB of 2^20 bytes?"""
    texts, units = [], set()
    for one in says.sizes:
        size, parameters = book.evaluate(one.size, home), book.evaluate(one.parameters, home)
        content = parameters.quantity.value * says.bytes_each
        written, slack = size.quantity.value / 1e6, (size.quantity.high - size.quantity.low) / 2e6
        off = {unit: abs(content / factor - written) for unit, factor in (("MB", 1e6), ("MiB", 2.0**20))}
        unit = min(off, key=lambda name: off[name])
        units.add(unit if off[unit] <= slack + 0.01 * written else "neither")
        texts.append(
            f"{parameters.text} × {says.bytes_each} bytes = {content / 1e6:.1f} MB = {content / 2**20:.1f} MiB, "
            f"written {size.text}: {unit}"
        )
    names = [book.full("claims", one.size, home) for one in says.sizes]
    return "consistent" if len(units) == 1 else "inconsistent", "; ".join(texts), names
