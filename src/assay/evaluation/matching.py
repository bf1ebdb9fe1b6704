"""Which box found which object, by COCO's rules.

The scorer (`coco.py`) gives one number per run; an interval needs a thousand. Matching happens inside an image, so it
is done once, and a bootstrap sample is only a weight per image (`detection_metrics.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.evaluation.boxes import CORNERS
from assay.evaluation.coco import IOU_THRESHOLDS, MAX_BOXES


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
    width = np.minimum(found[:, None, 2], truth[None, :, 2]) - np.maximum(
        found[:, None, 0], truth[None, :, 0]
    )
    height = np.minimum(found[:, None, 3], truth[None, :, 3]) - np.maximum(
        found[:, None, 1], truth[None, :, 1]
    )
    common = np.clip(width, 0, None) * np.clip(height, 0, None)
    mine, theirs = _area(found)[:, None], _area(truth)[None, :]
    return common / np.where(crowd[None, :], mine, mine + theirs - common)


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

    truth_in = _rows_by(truth_place)
    kept, hits, ignored = [], [], []
    for key, rows in sorted(_rows_by(cell).items()):
        if key < 0:
            continue
        image, label = divmod(key, len(classes))
        best = rows[np.argsort(-score[rows], kind="stable")][:MAX_BOXES]
        there = truth_in.get(image, np.empty(0, int))
        there = there[(truth_label[there] == label) | region[there]]
        there = there[np.argsort(region[there], kind="stable")]
        ious = overlap(box[best], truth_box[there], region[there])
        taken, aside = _assign(ious, region[there])
        kept.append(best)
        hits.append(np.where(taken >= 0, there[taken] if len(there) else -1, -1))
        ignored.append(aside)

    row = np.concatenate([np.empty(0, int), *kept])
    order = np.lexsort((-score[row], found_label[row]))  # stable: equal scores stay in the images' order
    row = row[order]
    return Matches(
        row=row,
        image=found_place[row],
        label=found_label[row],
        score=score[row],
        hit=np.concatenate([np.empty((0, len(IOU_THRESHOLDS)), int), *hits])[order],
        ignored=np.concatenate([np.empty((0, len(IOU_THRESHOLDS)), bool), *ignored])[order],
        objects=objects,
    )


def _assign(ious: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D, 10) column of `ious` taken, -1 for none, and (D, 10) bool, on a region. Columns: objects, then regions."""
    number, objects = len(ious), int((~region).sum())
    taken = np.full((number, len(IOU_THRESHOLDS)), -1)
    aside = np.zeros((number, len(IOU_THRESHOLDS)), bool)
    needed = np.minimum(
        IOU_THRESHOLDS, 1 - 1e-10
    )  # as the scorer: identical boxes match whatever rounding does
    if objects:
        free = np.ones((len(IOU_THRESHOLDS), objects), bool)
        thresholds = np.arange(len(IOU_THRESHOLDS))
        for index in range(number):
            candidates = np.where(free, ious[index, :objects], -1.0)
            # of equal overlaps the last one, as the scorer's loop has it
            last = objects - 1 - candidates[:, ::-1].argmax(axis=1)
            won = candidates[thresholds, last] >= needed
            taken[index, won] = last[won]
            free[thresholds[won], last[won]] = False
    if objects < len(region):
        nearest = ious[:, objects:].max(axis=1)
        aside = (taken < 0) & (nearest[:, None] >= needed)
    return taken, aside


def _rows_by(key: np.ndarray) -> dict[int, np.ndarray]:
    """key -> its rows, in order."""
    order = np.argsort(key, kind="stable")
    names, starts = np.unique(key[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True)) if len(names) else {}


def _area(box: np.ndarray) -> np.ndarray:
    return (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
