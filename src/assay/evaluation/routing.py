"""Three answers for two classes: clean, pit, or "maybe" for a person to look at."""

from dataclasses import dataclass

import numpy as np

from assay.evaluation.intervals import Interval, wilson

CLEAN, PIT, MAYBE = 0, 1, -1


@dataclass(frozen=True)
class Rule:
    """Thresholds on the probability of a pit, by name. chosen_on: what they were chosen on, in words."""

    name: str
    pit_at: float
    maybe_at: float
    chosen_on: str

    def routes(self, pit: np.ndarray) -> np.ndarray:
        """(rows,) the rule's answers to (rows,) probabilities of a pit."""
        return route(pit, pit_at=self.pit_at, maybe_at=self.maybe_at)


def route(pit: np.ndarray, *, pit_at: float = 0.75, maybe_at: float = 0.5) -> np.ndarray:
    """Production's rule: PIT at or above `pit_at`, MAYBE at or above `maybe_at`, else CLEAN.

    pit: (rows,) probability of a pit, 0-1. The defaults are production's thresholds (document 004,
    confidence_routing). Above 1, `pit_at` means that no image is called a pit without a look. Raises ValueError when
    the thresholds are not ordered.
    """
    if not 0 <= maybe_at <= pit_at:
        raise ValueError(f"thresholds must satisfy 0 <= maybe {maybe_at} <= pit {pit_at}")
    return np.where(pit >= pit_at, PIT, np.where(pit >= maybe_at, MAYBE, CLEAN))


def route_three_class(scores: np.ndarray, maybe: np.ndarray) -> np.ndarray:
    """The most probable answer of a three-class model; on a tie the true class goes before MAYBE.

    scores: (rows, 2) probabilities of clean and pit; maybe: (rows,) of "maybe".
    """
    return np.where(maybe > scores.max(axis=1), MAYBE, scores.argmax(axis=1))


def score_routes(truth: np.ndarray, routes: np.ndarray) -> dict[str, Interval]:
    """What a routing costs and misses, each a share with its Wilson interval.

    truth: (rows,) CLEAN or PIT; routes: (rows,) CLEAN, PIT or MAYBE.

    maybe_share: images sent to a person, among all images.
    accuracy_decided: answers that equal the truth, among the images that are not sent to a person.
    pit_missed: pits called clean, among all pits. A pit called maybe is not missed: the person finds it.
    pit_caught: pits called pit or maybe, among all pits; 1 - pit_missed. "Pit recall" of every rule here.
    false_alarms: clean ones called pit without a look, among all clean ones.
    A share of nothing (no pit among the images, nothing decided) is NaN.
    """
    decided = routes != MAYBE
    pits = truth == PIT
    missed = int((routes[pits] == CLEAN).sum())
    return {
        "maybe_share": wilson(int((~decided).sum()), len(routes)),
        "accuracy_decided": wilson(int((routes == truth)[decided].sum()), int(decided.sum())),
        "pit_missed": wilson(missed, int(pits.sum())),
        "pit_caught": wilson(int(pits.sum()) - missed, int(pits.sum())),
        "false_alarms": wilson(int((routes[~pits] == PIT).sum()), int((~pits).sum())),
    }
