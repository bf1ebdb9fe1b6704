"""Where a two-class model says pit, where maybe: thresholds searched on images that no model trained on.

A rule calls an image pit at or above `pit_at`, maybe at or above `maybe_at`, else clean. Recall alone asks for no
"maybe": with both thresholds at the same low value every pit is caught, and half the clean fruits are thrown away. So
the search keeps the false alarms (clean fruits called pit without a look) to a bound, that of production's rule on
the same images, and then asks for the recall at the fewest "maybe".
"""

import numpy as np

from assay.evaluation.calibration import fit_temperature, sharpen
from assay.evaluation.classification import Decisions
from assay.evaluation.intervals import wilson
from assay.evaluation.routing import CLEAN, PIT, Rule

NEVER = float(np.nextafter(1, 2))  # a threshold that no probability reaches
ORACLE = "these very images (an oracle: what it would cost, no rule to use)"
OUT_OF_FOLD = "out-of-fold training images"


def rules(
    *,
    val: Decisions,
    unseen: Decisions | None,
    production: tuple[float, float],
    recall: float,
) -> list[Rule]:
    """The rules to set side by side for one model, in this order.

    "most probable class"; "production" (`production` is its pit and maybe threshold). With out-of-fold
    answers `unseen` to the training images also: "production, calibrated" (its thresholds on probabilities that
    temperature scaling calibrated on them), "searched" (`search` for `recall`), and "oracle" (`oracle`), which looks
    at the validation images `val` themselves, and alone does so.

    The folds' models learnt from fewer images than the model the rules are applied to, so that its probabilities
    may be a little sharper than those the thresholds were chosen on.
    """
    pit_at, maybe_at = production
    found = [
        Rule("most probable class", 0.5, 0.5, "the usual way to decide"),
        Rule("production", pit_at, maybe_at, "as published"),
    ]
    if unseen is None:
        return found
    truth, pit, alone = unseen.truth, unseen.scores[:, PIT], np.arange(len(unseen.truth))
    # its interval is not asked for
    heat = float(fit_temperature(truth, unseen.scores, alone, draws=1)["temperature"])
    bound = _alarms_of(production, pit, truth)
    found += [
        Rule(
            "production, calibrated",
            _before_calibration(pit_at, heat),
            _before_calibration(maybe_at, heat),
            f"as published, temperature {heat:.2f} from {OUT_OF_FOLD}",
        ),
        searched(unseen, production=production, recall=recall),
    ]
    if ends := oracle(val.scores[:, PIT], val.truth, recall=recall, max_false_alarms=bound):
        found.append(Rule("oracle", *ends, ORACLE))
    return found


def searched(unseen: Decisions, *, production: tuple[float, float], recall: float) -> Rule:
    """The rule that out-of-fold answers ask for: `search` without more false alarms than production's rule on them."""
    truth, pit = unseen.truth, unseen.scores[:, PIT]
    ends = search(pit, truth, recall=recall, max_false_alarms=_alarms_of(production, pit, truth))
    return Rule("searched", *ends, OUT_OF_FOLD)


def search(
    pit: np.ndarray, truth: np.ndarray, *, recall: float, max_false_alarms: float
) -> tuple[float, float]:
    """(pit_at, maybe_at) with the fewest "maybe" among those that catch `recall` of the pits.

    pit: (rows,) probability of a pit. truth: (rows,) CLEAN or PIT. recall: share of the pits, above 0, called pit or
    maybe. max_false_alarms: share of the clean images that may be called pit.

    Both thresholds bound the "maybe" from one side each, so each is found by itself: the highest maybe_at that keeps
    the recall, then the lowest pit_at above it that keeps the false alarms. Raises ValueError without a pit.
    """
    pits = int((truth == PIT).sum())
    allowed = int(np.floor((1 - recall) * pits + 1e-9))
    return _fewest(pit, truth, misses=allowed, max_false_alarms=max_false_alarms)


def oracle(
    pit: np.ndarray, truth: np.ndarray, *, recall: float, max_false_alarms: float
) -> tuple[float, float] | None:
    """As `search`, but with a recall whose Wilson 95 % lower bound is `recall`; None where no recall has it.

    For 99 % and 566 pits that is one miss. Thresholds chosen on the images they are reported on: an oracle.
    """
    allowed = misses_allowed(int((truth == PIT).sum()), recall)
    if allowed is None:
        return None
    return _fewest(pit, truth, misses=allowed, max_false_alarms=max_false_alarms)


def misses_allowed(pits: int, recall: float) -> int | None:
    """The most misses among `pits` with which the recall's Wilson lower bound is still `recall`; None: not even 0."""
    fitting = None
    for misses in range(pits):
        if wilson(pits - misses, pits).low < recall:
            break
        fitting = misses
    return fitting


def false_alarms(pit: np.ndarray, truth: np.ndarray, pit_at: float) -> int:
    """How many clean images are called pit."""
    return int(((truth == CLEAN) & (pit >= pit_at)).sum())


def _alarms_of(production: tuple[float, float], pit: np.ndarray, truth: np.ndarray) -> float:
    """Share of the clean images that production's rule calls pit without a look."""
    return false_alarms(pit, truth, production[0]) / max(int((truth == CLEAN).sum()), 1)


def _before_calibration(threshold: float, heat: float) -> float:
    """The raw probability that a temperature turns into `threshold`: the reciprocal temperature undoes it."""
    return float(sharpen(np.array([[1 - threshold, threshold]]), 1 / heat)[0, PIT])


def _fewest(
    pit: np.ndarray, truth: np.ndarray, *, misses: int, max_false_alarms: float
) -> tuple[float, float]:
    pits, clean = np.sort(pit[truth == PIT]), np.sort(pit[truth == CLEAN])[::-1]
    if not len(pits):
        raise ValueError("no pit among the images: a recall has no meaning")
    maybe_at = float(pits[min(misses, len(pits) - 1)])  # `misses` pits lie below it, or fewer where some tie
    allowed = int(np.floor(max_false_alarms * len(clean) + 1e-9))
    above = clean[clean >= maybe_at]
    if len(above) <= allowed:
        return maybe_at, maybe_at
    higher = pit[pit > above[allowed]]  # this clean image, and its ties, must be a maybe
    return (float(higher.min()) if len(higher) else NEVER), maybe_at
