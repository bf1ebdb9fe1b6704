"""The peer of benchmarks.scoring: pycocotools where it is installed, else its algorithm, for boxes and all areas.

After pycocotools/cocoeval.py (Piotr Dollar and Tsung-Yi Lin, BSD licence): evaluateImg for each image and class, a
Python loop over thresholds, boxes and objects; accumulate for each class. pycocotools computes IoU in C, here numpy does.
"""

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.boxes import CORNERS
from assay.evaluation.coco import IOU_THRESHOLDS, MAX_BOXES, RECALL_THRESHOLDS
from assay.evaluation.matching import overlap


def reference_scores(
    found: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str], classes: Sequence[str]
) -> tuple[str, np.ndarray]:
    """(who answered, AP by class and IoU threshold). Tables as `assay.evaluation.coco.coco_scores`, nothing to ignore."""
    try:
        return "pycocotools", _pycocotools(found, truth, images, classes)
    except ImportError:
        return "pycocotools' algorithm, written again", _again(found, truth, classes)


def _pycocotools(
    found: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str], classes: Sequence[str]
) -> np.ndarray:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    number = {name: index + 1 for index, name in enumerate(images)}
    category = {name: index + 1 for index, name in enumerate(classes)}

    def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
        boxes = table[list(CORNERS)].to_numpy(float)
        boxes[:, 2:] -= boxes[:, :2]
        return [
            {"id": k + 1, "image_id": number[image], "category_id": category[label], "bbox": box}
            | {"area": box[2] * box[3], "iscrowd": 0}
            for k, (image, label, box) in enumerate(
                zip(table["image"], table["label"], boxes.tolist(), strict=True)
            )
        ]

    with redirect_stdout(StringIO()):
        expected = COCO()
        expected.dataset = {
            "images": [{"id": index} for index in number.values()],
            "categories": [{"id": index, "name": name} for name, index in category.items()],
            "annotations": rows(truth),
        }
        expected.createIndex()
        scored = zip(rows(found), found["score"].tolist(), strict=True)
        given = expected.loadRes([row | {"score": score} for row, score in scored])
        evaluation = COCOeval(expected, given, "bbox")
        evaluation.params.maxDets = [MAX_BOXES]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision: np.ndarray = evaluation.eval["precision"][:, :, :, 0, 0]
    return np.where((precision > -1).all(axis=(0, 1))[:, None], precision.mean(axis=1).T, np.nan)


def _again(found: pd.DataFrame, truth: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    objects = _by_cell(truth)
    cells: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in classes}
    wanted = dict.fromkeys(classes, 0)
    for (_, label), boxes in objects.items():
        wanted[label] += len(boxes)
    for (image, label), boxes in _by_cell(found, "score").items():
        cells[label].append(_evaluate_image(boxes, objects.get((image, label), np.empty((0, 4)))))
    return np.array([_accumulate(cells[name], wanted[name]) for name in classes])


def _by_cell(table: pd.DataFrame, *more: str) -> dict[tuple[str, str], np.ndarray]:
    cells: dict[tuple[str, str], list[list[float]]] = {}
    values = table[[*CORNERS, *more]].to_numpy(float).tolist()
    for image, label, row in zip(table["image"], table["label"], values, strict=True):
        cells.setdefault((image, label), []).append(row)
    return {key: np.array(rows) for key, rows in cells.items()}


def _evaluate_image(boxes: np.ndarray, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (D,) and what was matched (10, D), of one image and class."""
    boxes = boxes[np.argsort(-boxes[:, 4], kind="mergesort")][:MAX_BOXES]
    matched = np.zeros((len(IOU_THRESHOLDS), len(boxes)), bool)
    if len(objects):
        ious = overlap(boxes[:, :4], objects, np.zeros(len(objects), bool))
        for index, threshold in enumerate(IOU_THRESHOLDS):
            taken = np.zeros(len(objects), bool)
            for box in range(len(boxes)):
                best, match = min(threshold, 1 - 1e-10), -1
                for one in range(len(objects)):
                    if taken[one] or ious[box, one] < best:
                        continue
                    best, match = ious[box, one], one
                if match >= 0:
                    taken[match] = matched[index, box] = True
    return boxes[:, 4], matched


def _accumulate(cells: Sequence[tuple[np.ndarray, np.ndarray]], objects: int) -> list[float]:
    """AP at the ten thresholds; NaN without an object."""
    if not objects:
        return [float("nan")] * len(IOU_THRESHOLDS)
    if not cells:
        return [0.0] * len(IOU_THRESHOLDS)
    order = np.argsort(-np.concatenate([scores for scores, _ in cells]), kind="mergesort")
    matched = np.concatenate([hits for _, hits in cells], axis=1)[:, order]
    values = []
    for hits in matched:
        true, false = np.cumsum(hits, dtype=float), np.cumsum(~hits, dtype=float)
        recall, precision = true / objects, (true / (true + false + np.spacing(1))).tolist()
        for index in range(len(precision) - 1, 0, -1):
            precision[index - 1] = max(precision[index - 1], precision[index])
        at = np.searchsorted(recall, RECALL_THRESHOLDS, side="left")
        values.append(sum(precision[k] for k in at if k < len(precision)) / len(RECALL_THRESHOLDS))
    return values
