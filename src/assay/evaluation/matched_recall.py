"""False positives of a detector at the recall of another: fewer of them at fewer finds would be no gain."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from assay.evaluation.detection_metrics import counts_at, ratio
from assay.evaluation.matching import Matches

HOW = (
    "the candidate's class thresholds are moved together, by one step in log-odds, to the strictest ones at which "
    "its recall over all classes reaches the reference's at its own thresholds; in every bootstrap sample anew"
)
_CELLS = 2_000_000
_EDGE = 1e-6  # scores and thresholds of 0 and 1 have no log-odds


@dataclass(frozen=True)
class MatchedRecall:
    """difference: (1 + draws,) false positives per image, candidate at the matched recall minus reference; +inf
    in a sample where the candidate has no boxes left to reach the recall, NaN without an object.

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


def matched_recall(
    candidate: Matches,
    reference: Matches,
    candidate_thresholds: np.ndarray,
    reference_thresholds: np.ndarray,
    weights: Iterable[np.ndarray],
) -> MatchedRecall:
    """Match recalls as HOW says, at IoU 0.5. thresholds: (K,).

    weights: chunks of (draws, N); the first row of the first is the images themselves, every weight 1. With one
    threshold for all classes the step is simply another common threshold.
    """
    margin = _log_odds(candidate.score) - _log_odds(candidate_thresholds)[candidate.label]
    order = np.argsort(-margin, kind="stable")
    order = order[~candidate.ignored[order, 0]]
    sorted_margin = margin[order]
    ends = np.flatnonzero(np.diff(sorted_margin, append=-np.inf))  # equal margins come in together
    correct = candidate.correct[order, 0]
    images = candidate.image[order]
    right, wrong = (counts.sum(axis=1) for counts in counts_at(reference, reference_thresholds))

    differences, first = [], None
    step = max(1, _CELLS // max(len(order), 1))
    for chunk in weights:
        for start in range(0, len(chunk), step):
            part = chunk[start : start + step]
            drawn = part[:, images]
            true = np.cumsum(drawn * correct, axis=1)[:, ends]
            false = np.cumsum(drawn * ~correct, axis=1)[:, ends]
            # before the first box: nothing found, nothing wrong; that is enough where the reference finds nothing
            true, false = (np.pad(values, ((0, 0), (1, 0))) for values in (true, false))
            target = part @ right
            at = (true >= target[:, None]).argmax(axis=1)
            lines = np.arange(len(part))
            reached = true[lines, at] >= target
            total, objects = part.sum(axis=1), (part @ candidate.objects).sum(axis=1)
            rate = np.where(reached, ratio(false[lines, at], total), np.inf)
            theirs = ratio(part @ wrong, total)
            difference = np.where(objects > 0, rate - theirs, np.nan)
            differences.append(difference)
            if first is None:
                shift = np.concatenate([[np.inf], sorted_margin[ends]])[at[0]] if reached[0] else np.nan
                first = (
                    _probability(_log_odds(candidate_thresholds) + shift),
                    float(ratio(target, objects)[0]),
                    float(ratio(true[lines, at], objects)[0]) if reached[0] else float("nan"),
                    float(theirs[0]),
                    float(rate[0]) if reached[0] else float("nan"),
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
