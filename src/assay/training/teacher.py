"""A teacher's boxes on frames that nobody labelled: further training images for a student (self-training).

Self-training on a teacher's confident boxes is the plainest distillation of a detector (Xie et al. 2020, "Self-training
with Noisy Student", for classifiers; Sohn et al. 2020, "A Simple Semi-Supervised Learning Framework for Object
Detection", for detectors): it asks nothing of the two networks but their boxes. A frame in which the teacher is sure of
nothing is left out: its silence does not say that the frame is empty.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from supervision import Detections

from assay.files import sha256_file

LOOKED_AT = 3  # frames shown to the teacher for each one that is wanted
JPEG_QUALITY = 90
_BATCH = 8


class Teacher(Protocol):
    """What finds boxes, and its classes by number."""

    classes: tuple[str, ...]

    def predict(
        self, images: Any, *, confidence: float, nms_iou: float, max_boxes: int
    ) -> Iterator[Detections]:
        """The boxes of each image, in px of it."""


def taught_frames(
    teacher: Teacher,
    clips: pd.DataFrame,
    data: Path,
    folder: Path,
    *,
    classes: Sequence[str],
    confidence: float,
    nms_iou: float,
    max_boxes: int,
    most: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Show the teacher evenly spread frames of the clips and keep those in which it is sure of something.

    Args:
        teacher: the trained detector.
        clips: clip, path (below `data`), frames; a clip that can't be read to its end gives what was read.
        data: the project's data folder.
        folder: where the frames are written, as JPEG.
        classes: the student's; the teacher's other classes are dropped.
        confidence: a box below it is no label, 0-1.
        nms_iou: IoU of the teacher's non-maximum suppression.
        max_boxes: of a frame.
        most: so many frames at most.

    Returns:
        Rows for training, as the manifest has them: image (an absolute path), split, sha256, width, height; and the
        boxes in them: image, label, x1, y1, x2, y2 (px), width, height, score.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for name, rgb, found in _looked_at(
        teacher, clips, data, most=most, confidence=confidence, nms_iou=nms_iou, max_boxes=max_boxes
    ):
        labels = [teacher.classes[number] for number in np.asarray(found.class_id, int)]
        kept = [number for number, label in enumerate(labels) if label in classes]
        if not kept or len(rows) == most:
            continue
        path = (folder / name).resolve()
        _write(path, rgb)
        size = {"width": rgb.shape[1], "height": rgb.shape[0]}
        rows.append({"image": str(path), "split": "train", "sha256": sha256_file(path), **size})
        for number in kept:
            corners = dict(zip(("x1", "y1", "x2", "y2"), map(float, found.xyxy[number]), strict=True))
            score = float(np.asarray(found.confidence)[number])
            boxes.append({"image": str(path), "label": labels[number], **corners, **size, "score": score})
    corners_of = ["x1", "y1", "x2", "y2", "width", "height", "score"]
    return (
        pd.DataFrame(rows, columns=["image", "split", "sha256", "width", "height"]),
        pd.DataFrame(boxes, columns=["image", "label", *corners_of]),
    )


def _looked_at(
    teacher: Teacher, clips: pd.DataFrame, data: Path, *, most: int, **how: Any
) -> Iterator[tuple[str, np.ndarray, Detections]]:
    """File name, picture and boxes of every frame that the teacher is shown; a few pictures are held at once."""
    each = -(-LOOKED_AT * most // max(len(clips), 1))
    for clip in clips.sort_values("clip").to_dict("records"):
        held: list[tuple[str, np.ndarray]] = []
        for number, rgb in _frames(data / clip["path"], max(1, int(clip["frames"]) // each)):
            held.append((f"{clip['clip']}_f{number:06d}.jpg", rgb))
            if len(held) == _BATCH:
                yield from _shown(teacher, held, how)
                held = []
        yield from _shown(teacher, held, how)


def _shown(
    teacher: Teacher, held: list[tuple[str, np.ndarray]], how: dict[str, Any]
) -> Iterator[tuple[str, np.ndarray, Detections]]:
    found = teacher.predict([rgb for _, rgb in held], **how)
    for (name, rgb), boxes in zip(held, found, strict=True):
        yield name, rgb, boxes


def _frames(path: Path, stride: int) -> Iterator[tuple[int, np.ndarray]]:
    from assay.data.clips import BadClip, frames

    try:
        for number, _, rgb in frames(path, stride=stride):
            yield number, rgb
    except BadClip:
        return


def _write(path: Path, rgb: np.ndarray) -> None:
    from PIL import Image

    from assay.files import atomic_write

    with atomic_write(path) as temporary:
        Image.fromarray(rgb).save(temporary, format="JPEG", quality=JPEG_QUALITY)
