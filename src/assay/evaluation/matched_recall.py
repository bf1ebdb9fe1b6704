"""False positives of a detector at the recall of another: fewer of them at fewer finds would be no gain."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from assay.evaluation.detection_metrics import counts_at, ratio
from assay.evaluation.matching import Matches

HOW = (
    "the target is the reference's recall over all classes at its own thresholds; each detector's class thresholds are "
    "moved together, by one step in log-odds, to the strictest ones that still reach it, in every bootstrap sample anew, "
    "so that a detector beside itself differs by nothing"
)
_CELLS = 2_000_000
_EDGE = 1e-6  # scores and thresholds of 0 and 1 have no log-odds


@dataclass(frozen=True)
class MatchedRecall:
    """difference: (1 + draws,) false positives per image, candidate minus reference, both at the target's recall; +inf
    in a sample where the candidate has no boxes left to reach it, NaN without an object.

    The rest is about the images themselves (the first weights): the candidate's class thresholds (K,) (NaN if
    unreached), recalls over all classes, false positives per image. unreached: share of +inf among the samples.
    """

    difference: np.ndarray
    thresholds: np.ndarray
    reference_recall: float
    candidate_recall: float
    reference_false_positives: float
    candidate_false_positives: float
    unreached: float


@dataclass(frozen=True)
class _Boxes:
    """A detector's boxes, the surest first, (D,) each: by how much in log-odds it passes its class's threshold.

    ends: (E,) places after which the margin changes; boxes of one margin come in together.
    """

    margin: np.ndarray
    image: np.ndarray
    correct: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, matches: Matches, thresholds: np.ndarray) -> "_Boxes":
        margin = _log_odds(matches.score) - _log_odds(thresholds)[matches.label]
        order = np.argsort(-margin, kind="stable")
        order = order[~matches.ignored[order, 0]]
        ends = np.flatnonzero(np.diff(margin[order], append=-np.inf))
        return cls(margin[order], matches.image[order], matches.correct[order, 0], ends)

    def reach(self, weights: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Found, wrong (+inf: unreached) and the step, (draws,) each, of the strictest that find `target` (draws,)."""
        drawn = weights[:, self.image]
        true = np.cumsum(drawn * self.correct, axis=1)[:, self.ends]
        false = np.cumsum(drawn * ~self.correct, axis=1)[:, self.ends]
        # before the first box: nothing found, nothing wrong; that is enough where the reference finds nothing
        true, false = (np.pad(values, ((0, 0), (1, 0))) for values in (true, false))
        at = (true >= target[:, None]).argmax(axis=1)
        lines = np.arange(len(weights))
        reached = true[lines, at] >= target
        steps = np.concatenate([[np.inf], self.margin[self.ends]])[at]
        return true[lines, at], np.where(reached, false[lines, at], np.inf), steps


def matched_recall(
    candidate: Matches,
    reference: Matches,
    candidate_thresholds: np.ndarray,
    reference_thresholds: np.ndarray,
    weights: Iterable[np.ndarray],
) -> MatchedRecall:
    """Match recalls as HOW says, at IoU 0.5. thresholds: (K,).

    The reference is moved, too: a threshold that could be stricter at the same recall would be beaten by anything.

    weights: chunks of (draws, N); the first row of the first is the images themselves, every weight 1. With one
    threshold for all classes the step is simply another common threshold.
    """
    ours, theirs = _Boxes.of(candidate, candidate_thresholds), _Boxes.of(reference, reference_thresholds)
    right = counts_at(reference, reference_thresholds)[0].sum(axis=1)
    differences, first = [], None
    step = max(1, _CELLS // max(len(ours.image), len(theirs.image), 1))
    for chunk in weights:
        for start in range(0, len(chunk), step):
            part = chunk[start : start + step]
            target, total = part @ right, part.sum(axis=1)
            objects = (part @ candidate.objects).sum(axis=1)
            found, wrong, steps = ours.reach(part, target)
            rate, reference_rate = (ratio(values, total) for values in (wrong, theirs.reach(part, target)[1]))
            differences.append(np.where(objects > 0, rate - reference_rate, np.nan))
            if first is None:
                reached = np.isfinite(wrong[0])
                shift = steps[0] if reached else np.nan
                first = (
                    _probability(_log_odds(candidate_thresholds) + shift),
                    float(ratio(target, objects)[0]),
                    float(ratio(found, objects)[0]) if reached else float("nan"),
                    float(reference_rate[0]),
                    float(rate[0]) if reached else float("nan"),
                )
    if first is None:
        raise ValueError("no weights: the first row must be the images themselves")
    everything = np.concatenate(differences)
    samples = everything[1:][~np.isnan(everything[1:])]
    return MatchedRecall(
        everything, *first, unreached=float(np.isinf(samples).mean()) if len(samples) else 0.0
    )


def _log_odds(share: np.ndarray) -> np.ndarray:
    clipped = np.clip(share, _EDGE, 1 - _EDGE)
    return np.log(clipped) - np.log1p(-clipped)


def _probability(log_odds: np.ndarray) -> np.ndarray:
    # a hair lower, so that rounding does not shut out the very box that reaches the recall
    return (1 - 1e-9) / (1 + np.exp(-log_odds))
