"""The one type that boxes have inside assay, `supervision.Detections`, and the one table they are stored in.

In memory: `Detections.xyxy` (N, 4) in pixels of the image as stored, left top right bottom; `class_id` indexes the
project's classes; `confidence` 0-1, or None for what a person drew. On disk: one row per box with the columns of
`COLUMNS`. Every other format (YOLO, COCO, Ultralytics' results) is converted where it comes in or goes out.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from supervision import Detections

COLUMNS = ("image", "label", "x1", "y1", "x2", "y2")
_BOX = ["x1", "y1", "x2", "y2"]


def detections(xyxy: np.ndarray, class_id: np.ndarray, confidence: np.ndarray | None = None) -> Detections:
    """Detections of N boxes, N may be 0: float32 (N, 4) pixels, int (N,), and 0-1 (N,) or None."""
    return Detections(
        xyxy=np.asarray(xyxy, np.float32).reshape(-1, 4),
        class_id=np.asarray(class_id, np.int64).reshape(-1),
        confidence=None if confidence is None else np.asarray(confidence, np.float32).reshape(-1),
    )


def to_table(found: Mapping[str, Detections], classes: Sequence[str]) -> pd.DataFrame:
    """Image -> detections as rows of `COLUMNS`, and `score` (NaN where a person drew the box); images in order."""
    parts = []
    for image, boxes in found.items():
        rows = pd.DataFrame(boxes.xyxy.astype(np.float64), columns=_BOX)
        rows.insert(0, "image", image)
        rows.insert(1, "label", np.asarray(classes, dtype=object)[boxes.class_id])
        rows["score"] = np.nan if boxes.confidence is None else boxes.confidence.astype(np.float64)
        parts.append(rows)
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*COLUMNS, "score"])


def from_table(table: pd.DataFrame, classes: Sequence[str], images: Iterable[str]) -> dict[str, Detections]:
    """Rows of `COLUMNS` (and `score`, if there) as image -> detections; an image without rows has none.

    Raises:
        KeyError: a label is not among `classes`.
    """
    number = {name: k for k, name in enumerate(classes)}
    rows_of = dict(iter(table.groupby("image", sort=False)))
    found = {}
    for image in images:
        rows = rows_of.get(image)
        if rows is None:
            found[image] = detections(
                np.empty((0, 4)), np.empty(0), np.empty(0) if "score" in table else None
            )
            continue
        score = rows["score"].to_numpy() if "score" in rows else None
        if score is not None and np.isnan(score).any():
            score = None
        found[image] = detections(
            rows[_BOX].to_numpy(), rows["label"].map(number.__getitem__).to_numpy(), score
        )
    return found
