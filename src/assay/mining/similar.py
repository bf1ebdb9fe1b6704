"""Frames that look like the last one: a parked car's camera need not be asked thirty times a second."""

from dataclasses import dataclass

import numpy as np

_SIDE = (32, 18)  # px of the thumbnails that are compared


@dataclass(frozen=True)
class SkipRule:
    """When a frame is not shown to the detector."""

    difference: (
        float  # mean difference of grey thumbnails, 0-1, below which a frame is like the last; 0 = none is
    )
    most: int  # so many frames in a row are skipped, not more


class SimilarFrames:
    """Compares each frame with the last one that was not skipped; slow changes add up until they show."""

    def __init__(self, rule: SkipRule) -> None:
        self._rule = rule
        self._last: np.ndarray | None = None
        self._skipped = 0

    def skip(self, rgb: np.ndarray) -> bool:
        """Whether this frame, uint8 (H, W, 3), may stand for the last one."""
        if self._rule.difference <= 0:
            return False
        small = _thumbnail(rgb)
        alike = self._last is not None and float(np.abs(small - self._last).mean()) < self._rule.difference
        if alike and self._skipped < self._rule.most:
            self._skipped += 1
            return True
        self._last, self._skipped = small, 0
        return False


def _thumbnail(rgb: np.ndarray) -> np.ndarray:
    """float32 (18, 32) grey, 0-1."""
    import cv2

    small = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), _SIDE, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255
