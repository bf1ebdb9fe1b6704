"""The named derivations a claim file may use: plain functions of numbers, and how their arithmetic is written out."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """call: numbers -> number. text: the arguments' texts -> the arithmetic. dimension: of the arguments'.

    least, most: how many arguments it takes. rises: with every argument, whatever their signs; the others rise or
    fall with each as long as no denominator changes its sign.
    """

    call: Callable[..., float]
    text: Callable[[list[str]], str]
    dimension: Callable[[list[str]], str]
    least: int
    most: int
    about: str
    compound: bool = True
    rises: bool = False


def _same(dimensions: list[str]) -> str:
    if len(set(dimensions)) > 1:
        raise ValueError(f"mixes {' and '.join(sorted(one or 'a plain number' for one in set(dimensions)))}")
    return dimensions[0]


def _times(dimensions: list[str]) -> str:
    named = [one for one in dimensions if one]
    if len(named) > 1:
        raise ValueError(f"multiplies {' by '.join(named)}")
    return named[0] if named else ""


def _over(dimensions: list[str]) -> str:
    above, below = dimensions
    if above == below:
        return ""
    if below:
        raise ValueError(f"divides {above or 'a plain number'} by {below}")
    return above


def _plain(dimensions: list[str]) -> str:
    if any(dimensions):
        raise ValueError(f"takes plain numbers, not {', '.join(sorted(set(filter(None, dimensions))))}")
    return ""


def _bytes(dimensions: list[str]) -> str:
    _plain(dimensions)
    return "byte"


def _relative(dimensions: list[str]) -> str:
    _same(dimensions)
    return ""


def _joined(sign: str) -> Callable[[list[str]], str]:
    return f" {sign} ".join


def _called(name: str) -> Callable[[list[str]], str]:
    return lambda texts: f"{name}({', '.join(texts)})"


MANY = 99
FUNCTIONS: dict[str, Function] = {
    "sum": Function(lambda *v: math.fsum(v), _joined("+"), _same, 1, MANY, "a + b + …", rises=True),
    "difference": Function(lambda a, b: a - b, _joined("−"), _same, 2, 2, "a - b"),
    "product": Function(lambda *v: math.prod(v), _joined("×"), _times, 1, 9, "a × b × …"),
    "ratio": Function(lambda a, b: a / b, _joined("/"), _over, 2, 2, "a / b"),
    "mean": Function(
        lambda *v: math.fsum(v) / len(v), lambda t: f"({' + '.join(t)}) / {len(t)}", _same, 1, MANY, "(a + b + …) / n",
        rises=True,
    ),
    "change": Function(
        lambda new, old: new / old - 1, lambda t: f"{t[0]} / {t[1]} − 1", _relative, 2, 2, "new / old - 1"
    ),
    "reduction": Function(
        lambda new, old: 1 - new / old, lambda t: f"1 − {t[0]} / {t[1]}", _relative, 2, 2, "1 - new / old"
    ),
    "complement": Function(lambda a: 1 - a, lambda t: f"1 − {t[0]}", _plain, 1, 1, "1 - share"),
    "f1": Function(
        lambda p, r: 2 * p * r / (p + r), lambda t: f"2 × {t[0]} × {t[1]} / ({t[0]} + {t[1]})", _plain, 2, 2,
        "harmonic mean of precision and recall",
    ),
    "maximum": Function(max, _called("max"), _same, 1, MANY, "the greatest", False, rises=True),
    "minimum": Function(min, _called("min"), _same, 1, MANY, "the least", False, rises=True),
    "count": Function(
        lambda *v: float(len(v)), lambda t: f"number of ({', '.join(t)})", lambda _: "", 1, MANY, "how many", False,
        rises=True,
    ),
    "rounded": Function(lambda a: float(round(a)), _called("round"), _same, 1, 1, "to a whole number", False),
    "logistic": Function(
        lambda x: (1 + math.tanh(x / 2)) / 2, lambda t: f"1 / (1 + exp(−({t[0]})))", _plain, 1, 1, "1 / (1 + e^-x)"
    ),
    "bytes": Function(
        lambda n, each: n * each, lambda t: f"{t[0]} × {t[1]} bytes", _bytes, 2, 2, "parameters × bytes of each"
    ),
    "linear_parameters": Function(
        lambda i, o: i * o + o, lambda t: f"({t[0]} × {t[1]} + {t[1]})", _plain, 2, 2,
        "weights and biases of a layer", False,
    ),
    "steps": Function(
        lambda n, batch: float(math.ceil(n / batch)), lambda t: f"⌈{t[0]} / {t[1]}⌉", _plain, 2, 2,
        "batches an epoch", False,
    ),
    "auto_learning_rate": Function(  # ultralytics engine/trainer.py, build_optimizer, optimizer=auto
        lambda classes: round(0.002 * 5 / (4 + classes), 6), lambda t: f"0.002 × 5 / (4 + {t[0]})", _plain, 1, 1,
        "what ultralytics' optimizer=auto sets",
    ),
}  # fmt: skip
