"""Whether two reviewers say the same: a sample for a second look, and Cohen's kappa with its interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from assay.evaluation.intervals import Interval, wilson
from assay.review.decisions import DRAWN, Decision

ADJUDICATION = (
    "disagreement"  # the order of pictures about which answers differ: whoever decides has seen them
)


@dataclass(frozen=True)
class Agreement:
    """Two reviewers on the pictures that both looked at."""

    first: str
    second: str
    n: int
    same: Interval  # share of equal answers, Wilson
    kappa: Interval  # NaN where it is not defined: nothing in common, or one answer only
    blind: int  # of the n, how many the one who looked later saw without scores and answers

    def __str__(self) -> str:
        """One line for people."""
        kappa = "not defined (one answer only)"
        if np.isfinite(self.kappa.value):
            ends = f"[{self.kappa.low:.2f}, {self.kappa.high:.2f}]"
            kappa = f"{self.kappa.value:.2f} {ends if np.isfinite(self.kappa.low) else '(too few for an interval)'}"
        return (
            f"{self.first} and {self.second}: {self.same.value:.0%} the same on {self.n} "
            f"[{self.same.low:.0%}, {self.same.high:.0%}], kappa {kappa}, {self.blind} of them blind"
        )


def second_sample(decisions: Sequence[Decision], *, reviewer: str, size: int, seed: int = 0) -> list[str]:
    """Ids of candidates that `reviewer` is to look at as well: a random sample of what other people looked at.

    The sample stays the same while `reviewer` works through it, as long as no others decide; those that `reviewer`
    decided before, not as a second look, are left out, and so is what somebody drew boxes in: no key answers that.

    Args:
        decisions: that stand, of all reviewers.
        reviewer: who looks a second time.
        size: of the sample.
        seed: of the sample.
    """
    own = {d.candidate for d in decisions if d.reviewer == reviewer and not d.second}
    others = {
        d.candidate
        for d in decisions
        if d.kind == "human" and d.reviewer != reviewer and not (d.second or d.covered_by or d.label == DRAWN)
    }
    # by a hash of each, so that a picture more or less leaves the others in their places
    order = sorted(others - own, key=lambda candidate: _rank(candidate, seed))
    return order[:size]


def agreements(
    decisions: Sequence[Decision], said: Callable[[Decision], str] = lambda decision: decision.label
) -> list[Agreement]:
    """Every two reviewers with pictures in common, by name.

    Each one's first answer that stands counts, and only about what was looked at. Who was shown the other answers, to
    decide between them, is left out.

    Args:
        decisions: that stand, oldest first.
        said: what is compared.
    """
    answers: dict[str, dict[str, Decision]] = {}
    for decision in decisions:
        if decision.kind != "sample-truth" and not decision.covered_by and decision.order != ADJUDICATION:
            own = answers.setdefault(f"{decision.reviewer} ({decision.kind})", {})
            own.setdefault(decision.candidate, decision)
    found = []
    for first, second in combinations(sorted(answers), 2):
        both = sorted(answers[first].keys() & answers[second].keys())
        if both:
            pairs = [(answers[first][one], answers[second][one]) for one in both]
            found.append(
                Agreement(
                    first,
                    second,
                    len(both),
                    wilson(sum(said(a) == said(b) for a, b in pairs), len(both)),
                    kappa([said(a) for a, _ in pairs], [said(b) for _, b in pairs]),
                    sum(max(pair, key=lambda d: d.at).blind for pair in pairs),
                )
            )
    return found


def kappa(first: Sequence[str], second: Sequence[str]) -> Interval:
    """Cohen's kappa with its 95 % interval from the asymptotic variance (Fleiss, Cohen and Everitt 1969; statsmodels).

    Args:
        first: the answers of one reviewer.
        second: the other's, about the same pictures.

    Returns:
        NaN where it is not defined: no answers, or both gave one and the same answer throughout.
    """
    from sklearn.metrics import confusion_matrix
    from statsmodels.stats.inter_rater import cohens_kappa

    names = sorted({*first, *second})
    if len(names) < 2:
        return Interval(np.nan, np.nan, np.nan)
    table = confusion_matrix(first, second, labels=names)
    with np.errstate(invalid="ignore"):  # few pictures may give a variance below 0: then there is no interval
        found = cohens_kappa(table)  # of 95 %
    low, high = np.clip([found.kappa_low, found.kappa_upp], -1, 1)
    return Interval(float(found.kappa), float(low), float(high))


def _rank(candidate: str, seed: int) -> bytes:
    import hashlib

    return hashlib.sha256(f"{seed} {candidate}".encode()).digest()
