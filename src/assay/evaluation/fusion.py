"""Boxes of several looks at one picture, by one detector or by several, fused into one set."""

from collections.abc import Sequence

import numpy as np
from supervision import Detections

from assay.data.detections import detections


def fuse(looks: Sequence[Detections], *, width: int, height: int, iou: float, max_boxes: int) -> Detections:
    """Weighted box fusion (Solovyev et al. 2021, arXiv 1910.13302, by its authors' ensemble_boxes), surest first.

    Boxes of one class that overlap by more than `iou` become one, each side the mean of theirs weighted by confidence;
    its confidence is the mean of theirs, times the share of the looks that found it. One look alone stays as it is.

    Args:
        looks: what each look found, in px of the picture.
        width: of the picture, px.
        height: of the picture, px.
        iou: 0 to 1.
        max_boxes: so many at most.
    """
    from ensemble_boxes import weighted_boxes_fusion

    if len(looks) == 1:
        return looks[0]
    size = np.array([width, height, width, height], np.float64)
    boxes, scores, labels = weighted_boxes_fusion(
        [np.clip(one.xyxy / size, 0, 1).tolist() for one in looks],
        [np.asarray(one.confidence, np.float64).tolist() for one in looks],
        [np.asarray(one.class_id, np.int64).tolist() for one in looks],
        iou_thr=iou,
        skip_box_thr=0.0,
    )
    best = np.argsort(-scores, kind="stable")[:max_boxes]
    return detections(boxes[best].reshape(-1, 4) * size, labels[best], scores[best])
