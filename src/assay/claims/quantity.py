"""A number as somebody wrote it: "94.21%", "~8-10ms", "30+" -> value, unit, and what its decimals leave open."""

import math
import re
from dataclasses import dataclass

_UNITS: dict[str, tuple[float, str]] = {  # as written -> (factor, dimension); a share is a plain number
    "": (1, ""), "%": (0.01, ""), "K": (1e3, ""), "M": (1e6, ""), "B": (1e9, ""), "x": (1, ""), "×": (1, ""),
    "ms": (1e-3, "s"), "s": (1, "s"), "min": (60, "s"), "minutes": (60, "s"), "hour": (3600, "s"), "hours": (3600, "s"),
    "kB": (1e3, "byte"), "MB": (1e6, "byte"), "GB": (1e9, "byte"), "MiB": (2.0**20, "byte"),
    "px": (1, "px"), "°": (1, "°"), "DPI": (1, "DPI"), "FPS": (1, "FPS"),
}  # fmt: skip
UNITS = tuple(unit for unit in _UNITS if unit)
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_ONE = re.compile(
    rf"(?P<about>[~≈]?)(?P<bound>[≥≤<>]?)(?P<sign>[+\-−±]?)(?P<number>{_NUMBER})(?P<more>\+?)\s?(?P<unit>{_UNIT})?\+?"
)
_SQUARE = re.compile(r"(\d+)\s?[×x]\s?\1(?:px)?")
_RANGE = re.compile(r"(.*?[\d%smBxKM])\s?(?:–|-|→| to )\s?([\d.].*)")
_ABOVE_ZERO = math.ulp(
    0.0
)  # the least end of a number without a minus: what is divided by it has no upper end
EPSILON = 1e-13  # relative; sums and ratios of decimal numbers differ from the binary ones by less


@dataclass(frozen=True)
class Quantity:
    """A value with the least and the greatest number that would have been written the same way.

    value, low, high: in the dimension's base unit: s, byte, px, °, DPI, FPS, or plain (a share, a count).
    scale: base units of one written unit; digits: decimals as written, None where nothing was written.
    """

    value: float
    low: float
    high: float
    dimension: str = ""
    unit: str = ""
    digits: int | None = None
    is_range: bool = False

    @property
    def scale(self) -> float:
        """Base units in one written unit."""
        return _UNITS[self.unit][0]

    def meets(self, other: "Quantity") -> bool:
        """Could both be the same number, written with different decimals?"""
        slack = EPSILON * max(abs(self.value), abs(other.value), 1e-12)
        return self.low <= other.high + slack and other.low <= self.high + slack

    def show(self, like: "Quantity | None" = None, extra: int = 1) -> str:
        """In the unit of `like` (or its own), with `extra` decimals more than were written."""
        form = like or self
        if form.digits is None:
            return f"{self.value:.6g}"
        number = self.value / form.scale
        whole = form.digits <= 0 and abs(number - round(number)) < 1e-6
        space = " " if form.unit not in ("", "x", "×", "°") else ""
        return f"{number:,.{0 if whole else max(form.digits, 0) + extra}f}{space}{form.unit}"


def exactly(value: float, dimension: str = "") -> Quantity:
    """A number that no rounding touched."""
    return Quantity(value, value, value, dimension)


def parse(written: str, unit: str = "") -> Quantity:
    """What a written number means. unit: said elsewhere, such as in a table's head.

    A number stands for everything that rounds to it: half a unit of its last written digit to both sides; an
    approximate one ("~90") for a whole unit; a whole number without a unit is a count, and exact. "a-b" is a range;
    "30+", ">= 95" and "< 50" are open to one side, as far as zero where no minus is written.

    Raises ValueError: no number is to be seen, or the unit is unknown.
    """
    text = written.strip()
    if square := _SQUARE.fullmatch(text):
        return parse(square[1], "px")
    one = _ONE.fullmatch(text)
    if one:
        return _one(one, unit)
    if parts := _RANGE.fullmatch(text):
        last = parse(parts[2], unit)
        first = parse(parts[1], last.unit)
        if first.dimension != last.dimension:
            raise ValueError(f"{written!r}: its ends have different units")
        if parts[1][0] in "~≈±":  # "~8-10ms": both ends are approximate
            last = parse(parts[1][0] + parts[2], unit)
        ends = sorted([first.low, first.high, last.low, last.high])
        middle = (first.value + last.value) / 2
        return Quantity(middle, ends[0], ends[-1], last.dimension, last.unit, last.digits, True)
    raise ValueError(f"{written!r}: no number with a known unit ({', '.join(UNITS)}); text needs `means`")


def _one(found: re.Match[str], unit: str) -> Quantity:
    unit = found["unit"] or unit
    if unit not in _UNITS:
        raise ValueError(f"unit {unit!r}: unknown; known: {', '.join(UNITS)}")
    factor, dimension = _UNITS[unit]
    mantissa, _, exponent = found["number"].lower().replace(",", "").partition("e")
    digits = len(mantissa.partition(".")[2]) - int(exponent or 0)
    sign = -1 if found["sign"] in ("-", "−") else 1
    value = sign * float(found["number"].replace(",", "")) * factor
    slack = (1.0 if found["about"] else 0.5) * 10.0**-digits * factor
    if not unit and not found["about"] and found["number"].replace(",", "").isdigit():
        slack = 0.0  # a count
    low, high = value - slack, value + slack
    if value > 0:
        low = max(low, _ABOVE_ZERO)
    if found["bound"] in ("≥", ">") or found["more"] or found[0].endswith("+"):
        low, high = value, math.inf
    elif found["bound"] in ("≤", "<"):
        low, high = _ABOVE_ZERO if value > 0 else -math.inf, value
    return Quantity(value, low, high, dimension, unit, digits)
