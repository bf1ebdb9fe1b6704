"""Which box found which object, by COCO's rules.

The scorer (`coco.py`) gives one number per run; an interval needs a thousand. Matching happens inside an image, so it
is done once, and a bootstrap sample is only a weight per image (`detection_metrics.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.evaluation.boxes import CORNERS
from assay.evaluation.coco import IOU_THRESHOLDS, MAX_BOXES

_NEEDED = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)  # as the scorer: identical boxes match whatever rounding does
_PAIRS = 2_000_000  # compared at once


@dataclass(frozen=True)
class Matches:
    """Boxes of one model on N images of K classes, the best first inside a class, and what they found.

    row: (D,) index into the table of found boxes. image: (D,) index into the images. label: (D,) class index.
    score: (D,) 0-1. hit: (D, 10) index into the table of truth of the object found at each of the ten IoU
    thresholds, -1 for none. ignored: (D, 10) bool, the box counts neither way. objects: (N, K) int, how many
    there are to find.
    """

    row: np.ndarray
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """(D, 10) bool: the box found an object."""
        return self.hit >= 0

    @property
    def scored(self) -> np.ndarray:
        """(K,) bool: the class has an object."""
        return np.asarray(self.objects.any(axis=0))


def overlap(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """(D, G) IoU of boxes (D, 4) and (G, 4) x1 y1 x2 y2; share of the found box's own area where crowd (G,)."""
    return _shares(found[:, None], truth[None], crowd[None])


def match(found: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str], classes: Sequence[str]) -> Matches:
    """Match one model's boxes to the truth as COCO does; arguments as `coco.coco_scores`.

    In every image and class: the 100 boxes of highest score, the highest first, each take the free object they
    overlap most, if the IoU reaches the threshold; else a region to ignore, which any number of boxes may share.
    """
    place = {name: index for index, name in enumerate(images)}
    number = {name: index for index, name in enumerate(classes)}
    truth_place = truth["image"].map(place).fillna(-1).to_numpy(int)
    truth_label = truth["label"].map(number).fillna(-1).to_numpy(int)
    region = truth["ignore"].to_numpy(bool)
    truth_box = truth[list(CORNERS)].to_numpy(np.float64)
    objects = np.zeros((len(images), len(classes)), int)
    real = (truth_place >= 0) & ~region
    np.add.at(objects, (truth_place[real], truth_label[real]), 1)

    box = found[list(CORNERS)].to_numpy(np.float64)
    score = found["score"].to_numpy(np.float64)
    found_place = found["image"].map(place).fillna(-1).to_numpy(int)
    found_label = found["label"].map(number).to_numpy(int)
    cell = np.where(found_place >= 0, found_place * len(classes) + found_label, -1)

    best = np.lexsort((-score, cell))  # stable: equal scores stay in the table's order
    best = best[cell[best] >= 0]
    best = best[_turn(cell[best]) < MAX_BOXES]
    truth_cell = np.where(real, truth_place * len(classes) + truth_label, -1)
    taken = _assign(box[best], cell[best], truth_box, truth_cell)
    aside = _on_region(box[best], found_place[best], truth_box[region], truth_place[region]) & (taken < 0)
    order = np.lexsort((-score[best], found_label[best]))
    row = best[order]
    return Matches(
        row=row,
        image=found_place[row],
        label=found_label[row],
        score=score[row],
        hit=taken[order],
        ignored=aside[order],
        objects=objects,
    )


def _assign(box: np.ndarray, cell: np.ndarray, truth: np.ndarray, truth_cell: np.ndarray) -> np.ndarray:
    """(D, 10) row of `truth` that each box takes, -1 for none.

    All cells, an image and a class each, take turns together: first the surest box of every cell, then the second. Only
    overlaps that reach the lowest threshold are looked at, and of boxes that have none there is no turn.

    box, cell: (D, 4) and (D,), by cell, the surest first. truth, truth_cell: (G, 4) and (G,), -1 for none of them.
    """
    taken = np.full((len(box), len(IOU_THRESHOLDS)), -1)
    parts: list[tuple[np.ndarray, ...]] = [(np.empty(0, int), np.empty(0, int), np.empty(0))]
    for mine, theirs in _pairs(cell, truth_cell):
        iou = _shares(box[mine], truth[theirs], np.zeros(len(mine), bool))
        kept = iou >= _NEEDED[0]
        parts.append((mine[kept], theirs[kept], iou[kept]))
    mine, theirs, iou = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(mine):
        return taken
    boxes, of_box = np.unique(mine, return_inverse=True)
    turn = _turn(cell[boxes])[of_box]
    by_turn = np.argsort(turn, kind="stable")
    free = np.ones((len(truth), len(IOU_THRESHOLDS)), bool)
    for now in np.split(by_turn, np.flatnonzero(np.diff(turn[by_turn])) + 1):
        who, what = mine[now], theirs[now]
        starts = np.flatnonzero(np.diff(who, prepend=-1))
        candidates = np.where(free[what], iou[now, None], -1.0)
        most = np.maximum.reduceat(candidates, starts)
        reached = candidates == np.repeat(most, np.diff(starts, append=len(who)), axis=0)
        # of equal overlaps the last one, as the scorer's loop has it
        last = np.maximum.reduceat(np.where(reached, np.arange(len(who))[:, None], -1), starts)
        won = most >= _NEEDED
        chosen = what[last]
        taken[who[starts]] = np.where(won, chosen, -1)
        one, threshold = np.nonzero(won)
        free[chosen[one, threshold], threshold] = False
    return taken


def _on_region(box: np.ndarray, place: np.ndarray, regions: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(D, 10) whether a box lies on a region of its image with at least the threshold of its own area."""
    nearest = np.full(len(box), -1.0)
    for mine, theirs in _pairs(place, there):
        share = _shares(box[mine], regions[theirs], np.ones(len(mine), bool))
        np.maximum.at(nearest, mine, share)
    return np.asarray(nearest[:, None] >= _NEEDED)


def _pairs(mine: np.ndarray, theirs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every pair of places with equal keys of 0 or more: the first ascending, the second in order; in bounded blocks."""
    order = np.argsort(theirs, kind="stable")
    start, end = (np.searchsorted(theirs[order], mine, side) for side in ("left", "right"))
    count = np.where(mine >= 0, end - start, 0)
    total = np.cumsum(count)
    first = 0
    while first < len(mine):
        before = total[first - 1] if first else 0
        after = max(first + 1, int(np.searchsorted(total, before + _PAIRS, side="right")))
        some = count[first:after]
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        yield (
            np.repeat(np.arange(first, after), some),
            order[np.repeat(start[first:after], some) + within],
        )
        first = after


def _turn(key: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... inside every stretch of equal neighbours."""
    first = np.flatnonzero(np.diff(key, prepend=-1 if len(key) else 0))
    return np.arange(len(key)) - np.repeat(first, np.diff(first, append=len(key)))


def _shares(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU of boxes (..., 4) and (..., 4), broadcast; share of the found box's own area where crowd (...)."""
    low, high = np.maximum(found[..., :2], truth[..., :2]), np.minimum(found[..., 2:], truth[..., 2:])
    side = np.clip(high - low, 0, None)
    common = side[..., 0] * side[..., 1]
    mine, theirs = _area(found), _area(truth)
    return np.asarray(common / np.where(crowd, mine, mine + theirs - common))


def _area(box: np.ndarray) -> np.ndarray:
    return np.asarray((box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]))
