"""Three answers for two classes: clean, pit, or "maybe" for a person to look at."""

import numpy as np

from assay.evaluation.intervals import Interval, wilson

CLEAN, PIT, MAYBE = 0, 1, -1


def route(pit: np.ndarray, *, pit_at: float = 0.75, maybe_at: float = 0.5) -> np.ndarray:
    """Production's rule: PIT at or above `pit_at`, MAYBE at or above `maybe_at`, else CLEAN.

    pit: (rows,) probability of a pit, 0-1. The defaults are production's thresholds (experiments ledger,
    confidence_routing). Raises ValueError when the thresholds are not ordered within 0-1.
    """
    if not 0 <= maybe_at <= pit_at <= 1:
        raise ValueError(f"thresholds must satisfy 0 <= maybe {maybe_at} <= pit {pit_at} <= 1")
    return np.where(pit >= pit_at, PIT, np.where(pit >= maybe_at, MAYBE, CLEAN))


def route_three_class(scores: np.ndarray, maybe: np.ndarray) -> np.ndarray:
    """The most probable answer of a three-class model; on a tie the true class goes before MAYBE.

    scores: (rows, 2) probabilities of clean and pit; maybe: (rows,) of "maybe".
    """
    return np.where(maybe > scores.max(axis=1), MAYBE, scores.argmax(axis=1))


def score_routes(truth: np.ndarray, routes: np.ndarray) -> dict[str, Interval]:
    """What a routing costs and misses, each a share with its Wilson interval.

    truth: (rows,) CLEAN or PIT; routes: (rows,) CLEAN, PIT or MAYBE.
    maybe_share: images sent to a person. accuracy_decided: right among the others. pit_missed: pits called
    clean, among all pits.
    """
    decided = routes != MAYBE
    pits = truth == PIT
    return {
        "maybe_share": wilson(int((~decided).sum()), len(routes)),
        "accuracy_decided": wilson(int((routes == truth)[decided].sum()), int(decided.sum())),
        "pit_missed": wilson(int((routes[pits] == CLEAN).sum()), int(pits.sum())),
    }
