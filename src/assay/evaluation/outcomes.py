"""What became of every box and every object at the confidence a model is used with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from assay.evaluation.boxes import CORNERS, BoxPredictions
from assay.evaluation.detection_metrics import class_thresholds
from assay.evaluation.matching import Matches, match, overlap


@dataclass(frozen=True)
class Outcomes:
    """found: the boxes that reach their class's threshold, best first inside a class, columns of
        `BoxPredictions.boxes` and outcome ("right", "wrong", or "ignored": on a region to ignore) and instead
        (for a wrong box, the label of the object it lies on, else "").
    truth: columns of `BoxPredictions.truth` and outcome ("found", "missed" or "ignore") and instead (for a missed
        object, the label of the box that lies on it, else "").

    A box lies on an object from IoU 0.5. Right boxes are COCO's matches; what is left over is paired across
    classes, the surest box first, so that the diagonal of the confusion matrix counts the true positives.
    """

    found: pd.DataFrame
    truth: pd.DataFrame


def outcomes(
    predictions: BoxPredictions, model: str, images: Sequence[str], thresholds: Mapping[str, float]
) -> Outcomes:
    """Outcomes of one model on `images`. thresholds: a confidence for every class (ValueError if one lacks)."""
    found = predictions.of(model)
    truth = predictions.truth[predictions.truth["image"].isin(images)].reset_index(drop=True)
    matches = match(found, truth, images, predictions.classes)
    return judge(matches, found, truth, class_thresholds(thresholds, predictions.classes))


def judge(matches: Matches, found: pd.DataFrame, truth: pd.DataFrame, thresholds: np.ndarray) -> Outcomes:
    """Outcomes from matches of `found` and `truth`, whose rows they index. thresholds: (K,)."""
    shown = matches.score >= thresholds[matches.label]
    hit, ignored = matches.hit[shown, 0], matches.ignored[shown, 0]
    boxes = found.iloc[matches.row[shown]].reset_index(drop=True)
    boxes["outcome"] = np.select([hit >= 0, ignored], ["right", "ignored"], "wrong")
    boxes["instead"] = ""
    objects = truth.reset_index(drop=True)
    objects["outcome"] = np.where(objects["ignore"].to_numpy(bool), "ignore", "missed")
    objects["instead"] = ""
    objects.loc[hit[hit >= 0], "outcome"] = "found"

    missed_in = objects[objects["outcome"] == "missed"].groupby("image").indices
    missed = np.flatnonzero(objects["outcome"] == "missed")
    wrong = boxes[boxes["outcome"] == "wrong"].sort_values("score", ascending=False, kind="stable")
    for image, rows in wrong.groupby("image", sort=True):
        if image not in missed_in:
            continue
        left = missed[missed_in[image]]
        corners = objects.loc[left, list(CORNERS)].to_numpy(np.float64)
        ious = overlap(rows[list(CORNERS)].to_numpy(np.float64), corners, np.zeros(len(left), bool))
        for row, values in zip(rows.index, ious, strict=True):
            best = int(values.argmax())
            if values[best] >= 0.5:
                boxes.loc[row, "instead"] = objects.loc[left[best], "label"]
                objects.loc[left[best], "instead"] = boxes.loc[row, "label"]
                ious[:, best] = -1
    return Outcomes(boxes, objects)


def confusion(result: Outcomes, classes: Sequence[str]) -> np.ndarray:
    """Counts (K + 1, K + 1): rows what is there, columns what was found, last row and column the background.

    The last row counts boxes on nothing, the last column objects that no box lies on. Ignored boxes are left out.
    """
    number = {name: index for index, name in enumerate(classes)}
    background = len(classes)
    counts = np.zeros((background + 1, background + 1), int)
    found = result.found
    for label, outcome, instead in zip(found["label"], found["outcome"], found["instead"], strict=True):
        if outcome == "right":
            counts[number[label], number[label]] += 1
        elif outcome == "wrong":
            counts[number.get(instead, background), number[label]] += 1
    truth = result.truth
    unseen = truth[(truth["outcome"] == "missed") & (truth["instead"] == "")]
    for label in unseen["label"]:
        counts[number[label], background] += 1
    return counts
