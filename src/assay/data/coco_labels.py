"""COCO annotations: one JSON file for a folder of pictures in, pixel boxes out, a reason for what can't be trusted."""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from assay.data.yolo_labels import ASPECT, OVERSHOOT, XYXY, BadLabel
from assay.errors import UserError

_SHAPE = "COCO's {images: [{id, file_name, width, height}], annotations: [{image_id, category_id, bbox}], categories}"


@dataclass(frozen=True)
class CocoLabels:
    """What one file says. names: of its categories; pictures: file stem -> its entry; boxes: its id -> annotations."""

    names: dict[Any, str]
    pictures: dict[str, dict[str, Any]]
    boxes: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, stem: str, width: int, height: int, notes: list[str]) -> list[tuple[str, XYXY]]:
        """(category name, box in px of the stored picture: left top right bottom) for one picture, in the file's order.

        Boxes that overshoot an edge by at most 1 % are clipped, those without area and exact repetitions
        dropped; all are said in `notes`.

        Args:
            stem: of the picture's file name.
            width: of the stored picture, px; the file may speak of another size.
            height: of the stored picture, px.
            notes: list to append to, one line for everything mended.

        Raises:
            BadLabel: the picture is not in the file or of another shape there, or a box of it can't be used.
        """
        entry = self.pictures.get(stem)
        if entry is None:
            raise BadLabel("not among the file's images")
        sides = [_real(entry.get(name)) for name in ("width", "height")]
        if not all(side and side > 0 for side in sides):
            raise BadLabel("its entry has no width and height")
        across, down = (float(side or 1) for side in sides)
        if abs(across / down * height / width - 1) > ASPECT:
            raise BadLabel(f"{across:g}x{down:g} has another shape than the picture, {width}x{height} px")
        found: list[tuple[str, XYXY]] = []
        for one in self.boxes.get(entry.get("id"), []):
            where = f"annotation {one.get('id', '?')}"
            if one.get("category_id") not in self.names:
                raise BadLabel(f"{where}: no category {one.get('category_id')!r}")
            if one.get("iscrowd"):
                raise BadLabel(f"{where}: a crowd, not one object")
            name = self.names[one["category_id"]]
            left, top, right, bottom = shares = _shares(one.get("bbox"), across, down, where)
            left, top, right, bottom = (min(max(share, 0.0), 1.0) for share in shares)
            if right <= left or bottom <= top:
                notes.append(f"{where}: dropped, a box without area ({name})")
                continue
            if (left, top, right, bottom) != shares:
                notes.append(f"{where}: clipped to the image")
            box = (name, (left * width, top * height, right * width, bottom * height))
            if box in found:
                notes.append(f"{where}: dropped, the same box again ({name})")
            else:
                found.append(box)
        return found


def read_coco(path: Path) -> CocoLabels:
    """Read the file; what its annotations say is checked picture by picture.

    Raises:
        UserError: no JSON, not of COCO's shape, or two pictures of one name.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        names = {one["id"]: str(one["name"]) for one in content["categories"]}
        listed = Counter(PurePosixPath(one["file_name"]).stem for one in content["images"])
        pictures = {PurePosixPath(one["file_name"]).stem: one for one in content["images"]}
        read = CocoLabels(names, pictures)
        for one in content["annotations"]:
            read.boxes.setdefault(one["image_id"], []).append(one)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no JSON ({error}); expected {_SHAPE}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: another layout; expected {_SHAPE}") from error
    if twice := [stem for stem, count in listed.items() if count > 1]:
        raise UserError(
            f"{path}: {twice[0]} names {listed[twice[0]]} images; names must differ before the suffix, too"
        )
    return read


def _shares(bbox: Any, width: float, height: float, where: str) -> XYXY:
    """bbox [left, top, width, height] in px as shares: left, top, right, bottom."""
    numbers = [_real(value) for value in bbox] if isinstance(bbox, list) else []
    if len(numbers) != 4 or None in numbers:
        raise BadLabel(f"{where}: bbox is not four numbers")
    left, top, wide, high = (float(number or 0) for number in numbers)
    shares = (left / width, top / height, (left + wide) / width, (top + high) / height)
    if not all(-OVERSHOOT <= share <= 1 + OVERSHOOT for share in shares):
        raise BadLabel(f"{where}: the box leaves the image")
    return shares


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
