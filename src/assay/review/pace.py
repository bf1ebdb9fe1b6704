"""How long a decision takes: measured between people's answers, or assumed where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.review.decisions import Decision

BREAK = 120.0  # s: a longer gap is a pause, or the end of a session
LEAST = 5  # pairs of answers below which the assumption stays


@dataclass(frozen=True)
class Pace:
    """Seconds of one look."""

    seconds: float
    pairs: int  # of answers that it was measured from; 0: assumed


def pace(decisions: Sequence[Decision], *, assumed: float) -> Pace:
    """The mean time from one answer of a person to their next, on the page or in the terminal, pauses left out.

    A table holds no times, and what was answered with a near-duplicate took none of its own.

    Args:
        decisions: of all reviewers, in any order.
        assumed: s, where fewer than `LEAST` pairs of answers are there.
    """
    times: dict[str, list[float]] = {}
    for decision in decisions:
        if decision.kind == "human" and decision.via in ("page", "terminal") and not decision.covered_by:
            times.setdefault(decision.reviewer, []).append(decision.at.timestamp())
    gaps = [
        later - earlier
        for own in map(sorted, times.values())
        for earlier, later in pairwise(own)
        if later - earlier <= BREAK
    ]
    if len(gaps) < LEAST:
        return Pace(assumed, 0)
    return Pace(sum(gaps) / len(gaps), len(gaps))
