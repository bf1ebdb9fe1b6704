"""The peer of benchmarks.scoring: pycocotools (Dollar and Lin, BSD licence), from the same tables, boxes of all areas."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from assay.evaluation.boxes import CORNERS
from assay.evaluation.coco import MAX_BOXES


def reference_scores(
    found: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str], classes: Sequence[str]
) -> np.ndarray:
    """AP (classes, 10 IoU thresholds), NaN for a class without objects. Tables as `assay.evaluation.coco.coco_scores`,
    nothing to ignore."""
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
