"""What QR codes say: decoded by ZXing on the whole page, and again in the boxes where it saw none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from assay.data.images import Pixels

_MARGIN = 0.15  # of a box's longer side: a code needs its white zone
_SMALL = 300  # px; a crop with shorter sides is read at twice its size too


@dataclass(frozen=True)
class Code:
    """A decoded QR code. text: what it says, "" if it says nothing; xyxy: its box, px of the picture."""

    text: str
    xyxy: tuple[float, float, float, float]


def read_codes(picture: Pixels) -> list[Code]:
    """QR codes in uint8 (H, W, 3) RGB or (H, W) grey, from top to bottom."""
    import zxingcpp

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(grey), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    codes = [Code(code.text, _box(code.position)) for code in found]
    return sorted(codes, key=lambda code: (code.xyxy[1], code.xyxy[0]))


def read_codes_in(picture: Pixels, boxes: NDArray[np.floating], known: Sequence[Code] = ()) -> list[Code]:
    """`known` and the codes in those boxes, (N, 4) px of the picture, where none of `known` lies; top to bottom."""
    codes = list(known)
    height, width = picture.shape[:2]
    for box in boxes.tolist():
        if any(holds(box, code) for code in codes):
            continue
        margin = _MARGIN * max(box[2] - box[0], box[3] - box[1])
        left, top = (max(int(side - margin), 0) for side in box[:2])
        right, bottom = min(int(box[2] + margin) + 1, width), min(int(box[3] + margin) + 1, height)
        crop = picture[top:bottom, left:right]
        if not crop.size:
            continue
        scale, inside = 1, read_codes(crop)
        if not inside and min(crop.shape[:2]) < _SMALL:
            larger = cv2.resize(crop, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            scale, inside = 2, read_codes(np.asarray(larger, np.uint8))
        for read in inside:
            x1, y1, x2, y2 = (side / scale for side in read.xyxy)
            code = Code(read.text, (x1 + left, y1 + top, x2 + left, y2 + top))
            if not any(one.text == code.text and holds(one.xyxy, code) for one in codes):  # in the margin
                codes.append(code)
    return sorted(codes, key=lambda code: (code.xyxy[1], code.xyxy[0]))


def holds(box: Sequence[float], code: Code) -> bool:
    """Whether the middle of a code lies in a box (x1, y1, x2, y2)."""
    x, y = (code.xyxy[0] + code.xyxy[2]) / 2, (code.xyxy[1] + code.xyxy[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _box(position: Any) -> tuple[float, float, float, float]:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    across, down = [float(corner.x) for corner in corners], [float(corner.y) for corner in corners]
    return min(across), min(down), max(across), max(down)
