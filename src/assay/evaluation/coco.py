"""Average precision by COCO's protocol, from one scorer whatever family of detector drew the boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.boxes import CORNERS

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0, 1, 101)
MAX_BOXES = 100  # best boxes of a class that count in an image, COCO's own limit


@dataclass(frozen=True)
class CocoScores:
    """ap, recall: (classes, 10 IoU thresholds), 0-1; recall is the highest one that is reached.

    NaN for a class without an object in the scored images: such a class is no part of any mean.
    """

    ap: np.ndarray
    recall: np.ndarray

    @property
    def map50(self) -> float:
        """Mean over classes of AP at IoU 0.5; NaN where no class has an object."""
        return mean_of_scored(self.ap[:, 0])

    @property
    def map50_95(self) -> float:
        """Mean over classes and IoU thresholds 0.5, 0.55, ... 0.95."""
        return mean_of_scored(self.ap)

    @property
    def ar(self) -> float:
        """Average recall with at most 100 boxes, mean as `map50_95`."""
        return mean_of_scored(self.recall)


def mean_of_scored(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")


def coco_scores(
    found: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str], classes: Sequence[str]
) -> CocoScores:
    """Score boxes with faster-coco-eval (COCO's evaluation in C++), bounding boxes, all areas, 100 boxes.

    found: rows of `BoxPredictions.boxes` of one model. truth: rows of `BoxPredictions.truth`. Rows of images that
        are not in `images` are left out.

    Regions to ignore have no class: they are given to the scorer as COCO's crowd of every class, so that a box
    that lies on one with at least the IoU threshold of its own area counts neither way, unless it matches an
    object. Ultralytics' own mAP interpolates otherwise (trapezoids, not 101 points): it differs a little.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    number = {name: index + 1 for index, name in enumerate(images)}  # the scorer reads 0 as "no match"
    category = {name: index + 1 for index, name in enumerate(classes)}
    truth, found = truth[truth["image"].isin(number)], found[found["image"].isin(number)]
    annotations: list[dict[str, Any]] = []
    for one, label, crowd in zip(_annotations(truth, number), truth["label"], truth["ignore"], strict=True):
        for each in category.values() if crowd else [category[label]]:
            said = {"category_id": each, "id": len(annotations) + 1, "iscrowd": int(crowd)}
            annotations.append(one | said)
    results = [
        one | {"category_id": category[label], "score": score}
        for one, label, score in zip(
            _annotations(found, number), found["label"], found["score"].astype(float), strict=True
        )
    ]
    dataset = {
        "images": [{"id": index} for index in number.values()],
        "categories": [{"id": index, "name": name} for name, index in category.items()],
        "annotations": annotations,
    }
    expected = COCO(dataset)
    evaluation = COCOeval_faster(expected, expected.loadRes(results), "bbox")
    evaluation.params.maxDets = [MAX_BOXES]
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, 0]  # (10, 101, classes), -1: no object
    recall = np.asarray(evaluation.eval["recall"])[:, :, 0, 0]
    scored = np.asarray((recall > -1).all(axis=0))[:, None]
    return CocoScores(
        ap=np.where(scored, precision.mean(axis=1).T, np.nan), recall=np.where(scored, recall.T, np.nan)
    )


def _annotations(boxes: pd.DataFrame, number: dict[str, int]) -> list[dict[str, Any]]:
    """What the scorer wants of each row; by columns, for a row of a table at a time takes longer than the scoring."""
    corners = boxes[list(CORNERS)].to_numpy(np.float64)
    size = corners[:, 2:] - corners[:, :2]
    columns = (
        boxes["image"].map(number).tolist(),
        np.hstack([corners[:, :2], size]).tolist(),
        size.prod(axis=1).tolist(),
    )
    return [{"image_id": image, "bbox": box, "area": area} for image, box, area in zip(*columns, strict=True)]
