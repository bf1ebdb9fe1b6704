"""YOLO label files: boxes and polygons in, pixel boxes out, and a reason for every file that can't be trusted."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from assay.data.items import Box
from assay.errors import UserError

OVERSHOOT = 0.01  # of a side; what annotation tools round over the edge is clipped, more is a mistake
ASPECT = 0.02  # a picture and the size its labels speak of may differ so much in shape; rounding, not another picture
_BOX_NUMBERS = 5
_MIN_POINTS = 3

XYXY = tuple[float, float, float, float]


class BadLabel(Exception):  # noqa: N818 - it names a state of the file, like BadImage
    """A label file that can't be used; `reason` says where and why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_labels(
    path: Path, names: Sequence[str], width: int, height: int, notes: list[str] | None = None
) -> list[tuple[str, XYXY]]:
    """Read a YOLO label file as (class name, box in pixels: left top right bottom), in the file's order.

    A line holds `class x_centre y_centre width height`, or `class x1 y1 x2 y2 x3 y3 …`, a polygon that becomes
    its bounding box; all shares of the image's sides. (Two points without a third would be four numbers, which
    is a box; a polygon of two points shows as one that returns to its start.) An empty file is an image
    without objects. Boxes that overshoot an edge by at most `OVERSHOOT` are clipped; boxes without area and
    exact repetitions are dropped; both are said in `notes`.

    Args:
        path: the file.
        names: class names, indexed by the class ids in the file.
        width: width of the image in pixels.
        height: its height.
        notes: list to append to, one line for everything mended.

    Raises:
        BadLabel: the file is missing or no text, or a line has a wrong number of numbers, a NaN, an unknown
            class, a coordinate outside the image or a polygon of less than three points.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise BadLabel("no label file") from error
    except UnicodeDecodeError as error:
        raise BadLabel("the label file is no text") from error
    except OSError as error:
        raise BadLabel(f"the label file can't be read: {error.strerror}") from error
    mended = notes if notes is not None else []
    boxes: list[tuple[str, XYXY]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, shares = _parse(line, names, f"line {number}")
        left, top, right, bottom = (min(max(share, 0.0), 1.0) for share in shares)
        if (left, top, right, bottom) != shares:
            mended.append(f"line {number}: clipped to the image")
        box = (name, (left * width, top * height, right * width, bottom * height))
        if right <= left or bottom <= top:
            mended.append(f"line {number}: dropped, a box without area ({name})")
        elif box in boxes:
            mended.append(f"line {number}: dropped, the same box again ({name})")
        else:
            boxes.append(box)
    return boxes


def require_known(
    listed_in: Path, names: Collection[str], class_map: Collection[str], ignore: Collection[str]
) -> None:
    """Refuse a class list with a name that nobody said what becomes of: every image may hold such an object.

    Raises:
        UserError: a name is neither in `class_map` nor in `ignore`.
    """
    for name in names:
        if name not in class_map and name not in ignore:
            close = get_close_matches(name, class_map, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(
                f"{listed_in}: unknown class {name!r}; {hint}prepare.class_map knows {', '.join(class_map)}"
            )


def boxes_of(
    found: Iterable[tuple[str, XYXY]], class_map: Mapping[str, str], notes: list[str]
) -> tuple[Box, ...]:
    """The boxes of an image by class: a name that `class_map` does not know is a region to ignore, one that becomes ""
    is background, which `notes` says.
    """
    boxes = []
    for raw, xyxy in found:
        if raw not in class_map:
            boxes.append(Box("", xyxy, raw, ignore=True))
        elif class_map[raw]:
            boxes.append(Box(class_map[raw], xyxy, raw))
        else:
            notes.append(f"{raw}: background")
    return tuple(boxes)


def _parse(line: str, names: Sequence[str], where: str) -> tuple[str, XYXY]:
    """One line as its class name and left, top, right, bottom as shares of the image."""
    numbers = []
    for word in line.split():
        try:
            numbers.append(float(word))
        except ValueError as error:
            raise BadLabel(f"{where}: {word[:20]!r} is no number") from error
        if not math.isfinite(numbers[-1]):
            raise BadLabel(f"{where}: {word} among its numbers")
    name = _class_name(numbers[0], names, where)
    shares = numbers[1:]
    if len(numbers) == _BOX_NUMBERS:
        return name, _box(shares, where)
    if len(shares) % 2:
        raise BadLabel(f"{where}: {len(numbers)} numbers; a box has 5, a polygon of three points 7")
    points = list(zip(shares[::2], shares[1::2], strict=True))
    if len(set(points)) < _MIN_POINTS:
        raise BadLabel(f"{where}: a polygon of {len(set(points))} points")
    for x, y in points:
        _check_edge(x, "x", where)
        _check_edge(y, "y", where)
    return name, (min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2]))


def _class_name(number: float, names: Sequence[str], where: str) -> str:
    if number != int(number) or not 0 <= number < len(names):
        raise BadLabel(f"{where}: unknown class id {number:g} of {len(names)}")
    return names[int(number)]


def _box(shares: Sequence[float], where: str) -> XYXY:
    x, y, width, height = shares
    for value, what in ((x, "x centre"), (y, "y centre"), (width, "width"), (height, "height")):
        low, high = (0.0, 1.0) if what.endswith("centre") else (0.0, 1.0 + 2 * OVERSHOOT)
        if not low <= value <= high:
            raise BadLabel(f"{where}: {what} {value:g} is outside 0-1")
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    # Six decimals of centre and width may put an edge half a millionth outside: that is rounding, not a mistake.
    left, top, right, bottom = (_snapped(edge) for edge in edges)
    for edge, side in ((left, "left"), (top, "upper"), (1 - right, "right"), (1 - bottom, "lower")):
        if edge < -OVERSHOOT:
            raise BadLabel(f"{where}: the box ends {-edge:.1%} of the side beyond the {side} edge")
    return left, top, right, bottom


def _snapped(edge: float) -> float:
    nearest = min(max(edge, 0.0), 1.0)
    return nearest if abs(edge - nearest) <= 2e-6 else edge


def _check_edge(value: float, what: str, where: str) -> None:
    if not -OVERSHOOT <= value <= 1 + OVERSHOOT:
        raise BadLabel(f"{where}: {what} {value:g} is outside 0-1")
