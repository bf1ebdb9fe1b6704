"""From a picture of any size to a detector's square input and back; the same for the model and for its exports."""

from dataclasses import dataclass

import cv2
import numpy as np
from supervision import Detections

from assay.data.detections import detections

_STRIDE = 32  # of the coarsest feature map, px
_GREY = 114  # Ultralytics' padding, which its networks were trained with


@dataclass(frozen=True)
class Fit:
    """How a picture was fitted: input px = picture px * scale + (left, top)."""

    scale_x: float
    scale_y: float
    left: int
    top: int
    width: int
    height: int

    def back(self, xyxy: np.ndarray) -> np.ndarray:
        """Boxes (N, 4) in px of the input -> px of the picture, cut at its edges."""
        shift = np.array([self.left, self.top, self.left, self.top], np.float32)
        scale = np.array([self.scale_x, self.scale_y, self.scale_x, self.scale_y], np.float32)
        limit = np.array([self.width, self.height, self.width, self.height], np.float32)
        return np.clip((xyxy - shift) / scale, 0, limit)


def letterbox(image: np.ndarray, size: int, *, tight: bool = False) -> tuple[np.ndarray, Fit]:
    """Scale uint8 (H, W, 3) to fit a square of `size` px, keep its proportions, pad with grey on both sides.

    tight: pad to the next multiple of 32 only, as Ultralytics does where all pictures are of one size; a wide frame is
    then little more than half the pixels of the square.
    """
    height, width = image.shape[:2]
    scale = min(size / width, size / height)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    if (new_width, new_height) != (width, height):
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    full = [-(-side // _STRIDE) * _STRIDE if tight else size for side in (new_height, new_width)]
    left, top = (full[1] - new_width) // 2, (full[0] - new_height) // 2
    square = np.full((*full, 3), _GREY, np.uint8)
    square[top : top + new_height, left : left + new_width] = image
    # each side's own scale: rounding makes them differ by up to one part in the shorter side
    return square, Fit(new_width / width, new_height / height, left, top, width, height)


def to_input(squares: np.ndarray) -> np.ndarray:
    """uint8 (N, S, S, 3) RGB -> float32 (N, 3, S, S) in 0-1."""
    return np.ascontiguousarray(squares.transpose(0, 3, 1, 2), dtype=np.float32) / 255


def boxes_of(
    raw: np.ndarray, fit: Fit, *, confidence: float, nms_iou: float, max_boxes: int, one_class: bool = False
) -> Detections:
    """A network's answer for one picture as detections in px of the picture, the surest first.

    Args:
        raw: (4 + C, A): centre x, centre y, width, height in px of the input, then C scores, 0-1.
        fit: how the picture was fitted into the input.
        confidence: scores below this are dropped.
        one_class: an anchor answers with its best class alone; otherwise with all.
        nms_iou: of two boxes of one class that overlap more, the surer stays (non-maximum suppression).
        max_boxes: so many at most.
    """
    import torch
    from torchvision.ops import batched_nms

    answers = raw[4:] >= confidence
    if one_class:
        answers &= np.arange(len(answers))[:, None] == raw[4:].argmax(axis=0)
    label, anchor = np.nonzero(answers)
    score = raw[4:][label, anchor]
    if len(score) > _BEFORE_NMS:
        best = np.argsort(-score, kind="stable")[:_BEFORE_NMS]
        label, anchor, score = label[best], anchor[best], score[best]
    centre, half = raw[:2, anchor].T, raw[2:4, anchor].T / 2
    xyxy = np.concatenate([centre - half, centre + half], axis=1)
    keep = batched_nms(
        *(torch.from_numpy(np.ascontiguousarray(part)) for part in (xyxy, score, label)), nms_iou
    )
    keep = keep.numpy()[:max_boxes]
    back = fit.back(xyxy[keep])
    solid = (back[:, 2] > back[:, 0]) & (back[:, 3] > back[:, 1])  # a box in the padding has nothing left
    return detections(back[solid], label[keep][solid], score[keep][solid])


_BEFORE_NMS = 30_000  # Ultralytics' own limit


def flipped(found: Detections, width: int) -> Detections:
    """Detections of a mirrored picture (left and right exchanged) in px of the picture as it was."""
    xyxy = found.xyxy.copy()
    xyxy[:, [0, 2]] = width - found.xyxy[:, [2, 0]]
    return detections(xyxy, np.asarray(found.class_id), found.confidence)
