"""Several looks at one picture, by one detector or by several: test-time augmentation, and what the looks agree on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assay.evaluation.fusion import fuse

if TYPE_CHECKING:
    import numpy as np
    from supervision import Detections

    from assay.models.detector import Detector

VIEWS = (
    (1.0, False),
    (0.83, True),
    (0.67, False),
)  # scale and mirror of each look: Ultralytics' own augmentation
_FUSED = 0.55  # IoU from which boxes of several looks are one: the default of ensemble_boxes
_STRIDE = 32


def views(detector: "Detector") -> "list[tuple[Detector, bool]]":
    """The looks of test-time augmentation: the detector at another size, and whether it sees the picture mirrored."""
    from assay.models.detector import Detector

    return [
        (
            Detector(
                detector.module,
                classes=detector.classes,
                image_size=max(round(scale * detector.image_size / _STRIDE), 1) * _STRIDE,
            ),
            mirrored,
        )
        for scale, mirrored in VIEWS
    ]


def fused(
    looks: "Sequence[tuple[Detector, bool]]",
    images: "Iterable[np.ndarray]",
    *,
    confidence: float,
    nms_iou: float,
    max_boxes: int,
) -> "Iterator[Detections]":
    """Yield what the looks at each picture, uint8 (H, W, 3) RGB, agree on, see `fuse`; settings as `Detector.predict`."""
    settings = {"confidence": confidence, "nms_iou": nms_iou, "max_boxes": max_boxes}
    for image in images:
        found = [next(one.predict([image], flip=mirrored, **settings)) for one, mirrored in looks]  # type: ignore[arg-type]
        height, width = image.shape[:2]
        yield fuse(found, width=width, height=height, iou=_FUSED, max_boxes=max_boxes)
