"""What document 004 asks about "maybe", answered in words that follow from the numbers by rule.

No sentence is written by hand: a difference is claimed only where its 95 % interval leaves 0 out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from assay.evaluation.costs import LOOK, cheapest
from assay.evaluation.intervals import Interval, wilson
from assay.evaluation.routing import CLEAN, MAYBE, PIT
from assay.evaluation.sections import points, share
from assay.evaluation.thresholds import misses_allowed
from assay.evaluation.ways import THIRD_CLASS, Judged, Way, differences

REACHES = "Do searched thresholds bring the pit recall to {recall:g} %? (004 deploys only then)"
REPLACES = "Do thresholds on a two-class model replace the third class of two-stage training?"
AS_GOOD = "Is one training on reviewed 'maybe' labels as good as two stages?"
RISK = (
    "Is the two-stage way a risk: does it call more pits clean than production's rule on a two-class model?"
)
CHEAPEST = "Which way costs least?"


@dataclass(frozen=True)
class Answer:
    """One question and its answer, in words."""

    question: str
    answer: str


def answers(
    ways: Sequence[Way],
    images: Judged,
    *,
    roles: Mapping[str, str],
    absent: Mapping[str, str],
    costs: pd.DataFrame,
    recall: float,
    draws: int = 1000,
    seed: int = 0,
) -> list[Answer]:
    """Every question with its answer.

    ways: of all models. roles: "two_stage", "direct", "routing" -> the model that plays it. absent: for a role without
    a model, why. costs: `costs.expected_costs` of the ways. recall: what the searched rule was to reach, 0-1.
    """

    def way(role: str, rule: str) -> Way | str:
        """The way, or why there is none."""
        if role not in roles:
            return absent.get(role, f"no job of this sweep is {role}")
        found = [one for one in ways if one.model == roles[role] and one.rule.name == rule]
        return (
            found[0] if found else f"{roles[role]} has no rule {rule!r}: it was trained without train.folds"
        )

    def against(one: Way | str, other: Way | str) -> str:
        missing = [reason for reason in (one, other) if isinstance(reason, str)]
        if isinstance(one, str) or isinstance(other, str):
            return f"Not answered: {'; '.join(dict.fromkeys(missing))}."
        return compare_in_words(one, other, images, draws=draws, seed=seed)

    searched, two_stage = way("routing", "searched"), way("two_stage", THIRD_CLASS)
    return [
        Answer(
            REACHES.format(recall=100 * recall),
            f"Not answered: {searched}."
            if isinstance(searched, str)
            else recall_in_words(searched, way("routing", "oracle"), images, recall),
        ),
        Answer(REPLACES, against(searched, two_stage)),
        Answer(AS_GOOD, against(way("direct", THIRD_CLASS), two_stage)),
        Answer(RISK, against(two_stage, way("routing", "production"))),
        Answer(CHEAPEST, cheapest_in_words(costs[~costs["way"].str.endswith(": oracle")])),
    ]


def recall_in_words(searched: Way, oracle: Way | str, images: Judged, recall: float) -> str:
    """Whether the recall is reached beyond noise, what it costs, and what a lower bound of it would cost."""
    caught, pits = _caught(searched, images)
    found, looks = wilson(caught, pits), _looks(searched)
    if found.low >= recall:
        verdict = "Yes, the whole interval lies there"
    elif found.high < recall:
        verdict = "No, the whole interval lies below"
    else:
        verdict = f"No evidence either way, {100 * recall:g} % lies in the interval"
    said = (
        f"{verdict}: {searched.name} catches {caught} of {pits} pits, {share(found.as_dict())}, and sends "
        f"{share(looks.as_dict())} of the images to a person."
    )
    allowed = misses_allowed(pits, recall)
    if allowed is None:
        return f"{said} With {pits} pits no result can have a lower bound of {100 * recall:g} %."
    if isinstance(oracle, str):
        return said
    bound = (
        f" A lower bound of {100 * recall:g} % allows {allowed} missed of {pits}: thresholds chosen on these very "
        f"images, an oracle, would send {share(_looks(oracle).as_dict())} to a person for it."
    )
    return said + bound


def compare_in_words(one: Way, other: Way, images: Judged, *, draws: int, seed: int) -> str:
    """One verdict, then the three differences with their intervals."""
    found = differences(one, other, images, draws=draws, seed=seed)
    missed, looks = _sign(found["pit_missed"]), _sign(found["maybe_share"])
    verdict = _VERDICTS[missed, looks]
    missed_of = {way.name: _caught(way, images)[1] - _caught(way, images)[0] for way in (one, other)}
    counts = " against ".join(f"{count} ({name})" for name, count in missed_of.items())
    return (
        f"{verdict} Pits called clean: {counts} of {_caught(one, images)[1]}, {points(found['pit_missed'].as_dict())}; "
        f"images for a person: {points(found['maybe_share'].as_dict())}; accuracy of what is decided: "
        f"{points(found['accuracy_decided'].as_dict())}."
    )


# sign of (pits missed, images for a person), first way minus second; 0 = the interval holds 0
_VERDICTS = {
    (-1, -1): "Better beyond noise: the first misses fewer pits and sends fewer images to a person.",
    (-1, 0): "Safer beyond noise: the first misses fewer pits, with no evidence of more images for a person.",
    (-1, 1): "A trade: the first misses fewer pits and sends more images to a person, both beyond noise.",
    (
        0,
        -1,
    ): "Cheaper beyond noise: the first sends fewer images to a person, with no evidence that it misses more.",
    (0, 0): "No evidence of a difference in missed pits or in images for a person.",
    (
        0,
        1,
    ): "Dearer beyond noise: the first sends more images to a person, with no evidence that it misses fewer.",
    (1, -1): "A trade: the first misses more pits and sends fewer images to a person, both beyond noise.",
    (
        1,
        0,
    ): "Less safe beyond noise: the first misses more pits, with no evidence of fewer images for a person.",
    (1, 1): "Worse beyond noise: the first misses more pits and sends more images to a person.",
}


def cheapest_in_words(costs: pd.DataFrame) -> str:
    """The cheapest way by the price of a missed pit, at the middle price of a look."""
    look = LOOK[len(LOOK) // 2]
    parts = [
        f"{way} where a missed pit weighs " + (f"{low:g} to {high:g}" if high > low else f"{low:g}")
        for way, low, high in cheapest(costs, look)
    ]
    return f"By expected cost alone, a false alarm weighing 1 and a look {look:g}: {'; '.join(parts)}."


def _sign(found: Interval) -> int:
    return (found.low > 0) - (found.high < 0)  # NaN: 0


def _caught(way: Way, images: Judged) -> tuple[int, int]:
    pits = images.truth == PIT
    return int((way.routes[pits] != CLEAN).sum()), int(pits.sum())


def _looks(way: Way) -> Interval:
    return wilson(int((way.routes == MAYBE).sum()), len(way.routes))
