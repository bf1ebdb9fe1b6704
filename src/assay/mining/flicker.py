"""The label-free miner: boxes that flicker (after Jin et al. 2018, "Unsupervised hard example mining from videos").

An object stays for a while, so a box that no neighbouring frame has is suspected to be false, and a box that the frames
before and after have is suspected to be missed here. The paper follows boxes with template matching; here a box may
move by a share of its own size per frame, which costs nothing and holds for neighbours a few hundredths of a second away.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from supervision import Detections

Boxes = tuple[np.ndarray, np.ndarray, np.ndarray]  # xyxy (N, 4) in px, class (N,), score 0-1 (N,)


@dataclass(frozen=True)
class FlickerRule:
    """When a box is believed to flicker."""

    window: int  # so many looked-at frames before and after are compared
    confidence: float  # boxes below it do not count, 0-1
    iou: float  # two boxes are the same thing from here on
    motion: float  # share of its size by which a box may move per frame
    cap: int  # candidates per clip; 0 = this miner is off


@dataclass(frozen=True)
class Flicker:
    """What flickers in one frame."""

    isolated: tuple[int, ...]  # boxes of the frame that no neighbour has
    # class and score of each thing that both sides have and the frame has not
    gaps: tuple[tuple[int, float], ...]
    score: float  # of the surest of them, 0-1


def moved_iou(one: np.ndarray, other: np.ndarray, motion: float) -> np.ndarray:
    """IoU of every pair after `other` came as near as it may have moved.

    Args:
        one: (N, 4) xyxy, px.
        other: (M, 4) xyxy, px.
        motion: each centre may move by this share of the mean width, and of the mean height, of the pair.

    Returns:
        (N, M), 0-1; with `motion` 0 the plain IoU.
    """
    a, b = one[:, None, :].astype(float), other[None, :, :].astype(float)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    apart = (b[..., :2] + b[..., 2:] - a[..., :2] - a[..., 2:]) / 2
    allowed = motion * (size_a + size_b) / 2
    apart = np.sign(apart) * np.maximum(np.abs(apart) - allowed, 0)
    # along each side: two intervals of these lengths whose centres are `apart`
    overlap = np.minimum((size_a + size_b) / 2 - np.abs(apart), np.minimum(size_a, size_b)).clip(min=0)
    both = overlap.prod(axis=-1)
    union = size_a.prod(axis=-1) + size_b.prod(axis=-1) - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def matches(one: Boxes, other: Boxes, rule: FlickerRule, frames: int) -> np.ndarray:
    """Which boxes are the same thing, (N, M) bool: of one class, and overlapping after `frames` frames of motion."""
    same = one[1][:, None] == other[1][None, :]
    return same & (moved_iou(one[0], other[0], rule.motion * frames) >= rule.iou)


def flicker_of(frames: Sequence[Boxes], rule: FlickerRule) -> Flicker | None:
    """What flickers in the middle one of 2 * window + 1 frames; None if nothing does.

    A gap needs the same thing in the frames right before and right after, and, where the window reaches that far, once
    more in the frame beyond one of them: two false boxes with nothing between them are no gap.
    """
    middle = rule.window
    here = frames[middle]
    seen = np.zeros(len(here[0]), bool)
    for place, other in enumerate(frames):
        if place != middle:
            seen |= matches(here, other, rule, abs(place - middle)).any(axis=1)
    isolated = tuple(int(box) for box in np.flatnonzero(~seen))

    before, after = frames[middle - 1], frames[middle + 1]
    gaps = []
    across = matches(before, after, rule, 2)
    if across.any():
        known = matches(before, here, rule, 1).any(axis=1)
        stays = np.full(len(before[0]), rule.window == 1)
        if rule.window > 1:
            for place, distance in ((middle - 2, 1), (middle + 2, 3)):
                stays |= matches(before, frames[place], rule, distance).any(axis=1)
        for box in np.flatnonzero(across.any(axis=1) & ~known & stays):
            partner = after[2][across[box]].max()
            gaps.append((int(before[1][box]), float(min(before[2][box], partner))))
    if not isolated and not gaps:
        return None
    score = max([float(here[2][box]) for box in isolated] + [score for _, score in gaps])
    return Flicker(isolated, tuple(gaps), round(score, 6))


class FlickerWindow:
    """Walks a clip and holds the 2 * window + 1 frames that are compared, with whatever belongs to each."""

    def __init__(self, rule: FlickerRule, classes: Sequence[str]) -> None:
        self._rule, self._classes = rule, tuple(classes)
        self._frames: deque[tuple[Boxes, Detections, Any]] = deque(maxlen=2 * rule.window + 1)

    def step(self, found: Detections, belongings: Any) -> tuple[Flicker, str, Detections, Any] | None:
        """Take in a frame; what flickers in the frame `window` before it, in words too, its boxes and belongings."""
        self._frames.append((_sure_boxes(found, self._rule.confidence), found, belongings))
        if len(self._frames) < 2 * self._rule.window + 1:
            return None
        flicker = flicker_of([boxes for boxes, _, _ in self._frames], self._rule)
        if flicker is None:
            return None
        boxes, middle, belongs = self._frames[self._rule.window]
        return flicker, about_flicker(flicker, boxes, self._classes), middle, belongs


def about_flicker(flicker: Flicker, found: Boxes, classes: Sequence[str]) -> str:
    """One line for a person: `cone .61 in this frame alone; worker .70 missing between its neighbours`."""
    alone = [
        f"{classes[found[1][box]]} {_two(found[2][box])} in this frame alone" for box in flicker.isolated
    ]
    gone = [f"{classes[label]} {_two(score)} missing between its neighbours" for label, score in flicker.gaps]
    return "; ".join(alone + gone)


def _sure_boxes(found: Detections, confidence: float) -> Boxes:
    scores = np.round(np.asarray(found.confidence, float), 6)  # float32 .35 is below .35
    sure = scores >= confidence
    return np.asarray(found.xyxy, float)[sure], np.asarray(found.class_id, int)[sure], scores[sure]


def _two(score: float) -> str:
    return f"{score:.2f}".removeprefix("0")
