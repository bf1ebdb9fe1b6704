"""Draws legal pages with signatures, stamps and QR codes, and says where each is: a starter detector's food."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from assay.sample import handwriting, marks
from assay.sample.handwriting import Picture
from assay.sample.page_text import Typesetter

Box = tuple[float, float, float, float]
SIZE = (724, 1024)
_SMALL = 700  # px of height; below it print is as soft as it may be
_LEAST = 6  # px; a mark that shows less on one side is not worth a box


@dataclass(eq=False)
class Mark:
    """One mark on the page before it is scanned."""

    label: str  # "" = a lookalike, which gets no box
    picture: Picture
    x: int  # of its left edge and
    y: int  # upper edge, px; may lie outside the page
    kind: str = ""  # of a signature: handwritten, digital; of a stamp: official, notary, company

    @property
    def category(self) -> str:
        """What an annotator who tells kinds apart calls it: stamp_notary, qr."""
        return f"{self.label}_{self.kind}" if self.kind else self.label

    @property
    def box(self) -> Box:
        """x1, y1, x2, y2 on the page, px."""
        height, width = self.picture.shape[:2]
        return (self.x, self.y, self.x + width, self.y + height)


def scene(
    rng: np.random.Generator, size: tuple[int, int] = SIZE
) -> tuple[NDArray[np.uint8], list[tuple[str, Box]]]:
    """Draw one printed page.

    Args:
        rng: everything random comes from it.
        size: width and height of the page, px.

    Returns:
        The page, uint8 (height, width, 3), RGB; and per mark its class (qr, signature, stamp) and its box
        (x1, y1, x2, y2), px, tight around the ink that shows. About one page in eight bears no mark.
    """
    page = Typesetter(rng, size).finish()
    picture = np.asarray(page.picture).copy()
    placed = place(rng, picture, page.sign_here, page.blank_from)
    picture, shown = _pressed(rng, picture, placed)
    return picture, [(mark.label, box) for mark, box in shown]


def blank_scene(
    rng: np.random.Generator, size: tuple[int, int] = SIZE
) -> tuple[NDArray[np.uint8], list[tuple[str, Box]]]:
    """Signatures and stamps on a page with nothing printed on it; as `scene`, but by category, and never without a mark.

    Lookalikes (a handwritten date or note) may be on it too; QR codes are not.
    """
    while True:
        picture = np.full((size[1], size[0], 3), 255, np.uint8)
        placed = [mark for mark in place(rng, picture.copy(), [], 0.05 * size[1]) if mark.label != "qr"]
        picture, shown = _pressed(rng, picture, placed)
        if shown:
            return picture, [(mark.category, box) for mark, box in shown]


def _pressed(
    rng: np.random.Generator, picture: NDArray[np.uint8], placed: list[Mark]
) -> tuple[NDArray[np.uint8], list[tuple[Mark, Box]]]:
    """The page with its marks, perhaps scanned, and which of the labelled ones show where."""
    for mark in placed:
        press(picture, mark)
    labelled = [mark for mark in placed if mark.label]
    if rng.random() < 0.65:
        picture, boxes = scanned(rng, picture, labelled)
    else:
        boxes = [mark.box for mark in labelled]
    return picture, _visible(labelled, boxes, (picture.shape[1], picture.shape[0]))


def press(page: NDArray[np.uint8], mark: Mark) -> None:
    """Put a mark on the page, in place: a QR code covers it, ink multiplies with what lies below."""
    height, width = mark.picture.shape[:2]
    top, left = max(mark.y, 0), max(mark.x, 0)
    bottom, right = min(mark.y + height, page.shape[0]), min(mark.x + width, page.shape[1])
    if top >= bottom or left >= right:
        return
    below = page[top:bottom, left:right]
    patch = mark.picture[top - mark.y : bottom - mark.y, left - mark.x : right - mark.x]
    if mark.label == "qr":
        below[...] = patch[..., :3]
        return
    alpha = patch[..., 3:].astype(np.uint16)
    factor = 255 - alpha + alpha * patch[..., :3] // 255
    below[...] = below * factor // 255


def place(
    rng: np.random.Generator, page: NDArray[np.uint8], sign_here: list[tuple[float, float]], blank_from: float
) -> list[Mark]:
    """Choose marks and where they go: signatures mostly on their lines, stamps often over them, codes at the edges."""
    height, width = page.shape[:2]
    scale = height / 1024
    placed = _lookalikes(rng, page)
    if rng.random() < 0.12:
        return placed
    signatures: list[Mark] = []
    for k in range(int(rng.choice([0, 1, 2, 3], p=[0.22, 0.38, 0.28, 0.12]))):
        drawn = handwriting.signature(rng, max(12, int(scale * rng.uniform(65, 210))))
        tall, wide = drawn.shape[:2]
        if k < len(sign_here) and rng.random() < 0.8:
            x = sign_here[k][0] + scale * rng.uniform(-15, 60)
            y = sign_here[k][1] - tall * rng.uniform(0.6, 1.0)
        else:
            low = blank_from if rng.random() < 0.6 and blank_from < height * 0.85 else 0.05 * height
            x, y = rng.uniform(0.03, 0.95) * (width - wide), low + rng.random() * (0.97 * height - low - tall)
        signatures.append(Mark("signature", drawn, int(x), int(y), "handwritten"))
    stamps: list[Mark] = []
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.34, 0.4, 0.2, 0.06]))):
        drawn, kind = marks.stamp_and_kind(rng, int(scale * rng.uniform(75, 190)))
        tall, wide = drawn.shape[:2]
        if signatures and rng.random() < 0.45:
            x1, y1, x2, y2 = signatures[rng.integers(len(signatures))].box
            x = rng.uniform(x1 - 0.6 * wide, x2 - 0.4 * wide)
            y = (y1 + y2 - tall) / 2 + rng.uniform(-0.4, 0.4) * tall
        else:
            low = blank_from - 0.15 * height if rng.random() < 0.5 else 0.03 * height
            across, down = (
                rng.uniform(0.02, 0.98, 2) * (width - wide),
                low + rng.random(2) * (0.98 * height - low - tall),
            )
            places = [(int(x), int(y)) for x, y in zip(across, down, strict=True)]
            x, y = _barest(page, places, (wide, tall))
        stamps.append(Mark("stamp", drawn, int(x), int(y), kind))
    _part(rng, signatures)
    _part(rng, stamps)
    codes = [_code(rng, page) for _ in range(int(rng.choice([0, 1, 2], p=[0.48, 0.42, 0.1])))]
    others = signatures + stamps
    codes = [
        code for k, code in enumerate(codes) if not any(overlap(code.box, o.box) for o in others + codes[:k])
    ]
    ink = signatures + stamps if rng.random() < 0.5 else stamps + signatures
    return placed + codes + ink


def _part(rng: np.random.Generator, several: list[Mark]) -> None:
    """Drop marks of one kind that lie on one another, in place: nobody could say where one ends."""
    for mark in several[::-1]:
        if (
            any(overlap(mark.box, other.box) for other in several if other is not mark)
            and rng.random() < 0.85
        ):
            several.remove(mark)


def _code(rng: np.random.Generator, page: NDArray[np.uint8]) -> Mark:
    """A QR code, mostly at an edge and where little is printed; often with a white zone around."""
    import cv2

    height, width = page.shape[:2]
    matrix = _codes()[rng.integers(len(_codes()))]
    side = height / 1024 * rng.uniform(40, 130)
    if rng.random() < 0.75:
        module = max(1, round(side / len(matrix)))
        dark = matrix.repeat(module, axis=0).repeat(module, axis=1)
    else:  # as a code that was scaled once
        full = (max(int(side), 25), max(int(side), 25))
        dark = np.asarray(cv2.resize(matrix, full, interpolation=cv2.INTER_AREA), np.uint8)
    across = len(dark)
    picture = np.full((across, across, 4), 255, np.uint8)
    picture[..., :3] = dark[..., None]
    edge = height / 1024 * 12
    places = []
    for _ in range(5):
        x, y = rng.uniform(edge, width - across - edge), rng.uniform(edge, height - across - edge)
        if rng.random() < 0.7:
            x = edge * rng.uniform(1, 6) if rng.random() < 0.5 else width - across - edge * rng.uniform(1, 6)
        if rng.random() < 0.7:
            y = edge * rng.uniform(1, 6) if rng.random() < 0.5 else height - across - edge * rng.uniform(1, 6)
        places.append((int(x), int(y)))
    x, y = _barest(page, places, (across, across))
    zone = int(across * rng.uniform(0.03, 0.12)) if rng.random() < 0.7 else 0
    page[max(y - zone, 0) : y + across + zone, max(x - zone, 0) : x + across + zone] = 255
    return Mark("qr", picture, x, y)


def _barest(page: NDArray[np.uint8], places: list[tuple[int, int]], size: tuple[int, int]) -> tuple[int, int]:
    """Of some places (left, top) for something of `size` (width, height), the one with the least print."""

    def print_at(place: tuple[int, int]) -> float:
        x, y = max(place[0], 0), max(place[1], 0)
        part = page[y : y + size[1] : 2, x : x + size[0] : 2, 0]
        return float(255 - part.mean()) if part.size else 255.0

    return min(places, key=print_at)


@cache
def _codes() -> list[NDArray[np.uint8]]:
    """Matrices of 48 codes of several versions, 0 dark and 255 light."""
    rng = np.random.default_rng(3)
    codes: list[NDArray[np.uint8]] = []
    for _ in range(48):
        text = "https://example.org/" + "".join(
            "abcdefghkm23456789"[k] for k in rng.integers(18, size=rng.integers(2, 70))
        )
        codes.append(np.ascontiguousarray(marks.qr(text, module=1, mask=len(codes) % 8)[..., 0]))
    return codes


def _lookalikes(rng: np.random.Generator, page: NDArray[np.uint8]) -> list[Mark]:
    """Handwriting that is no signature: a date, a note."""
    height, width = page.shape[:2]
    found = []
    for chance, digits in ((0.15, True), (0.07, False)):
        if rng.random() < chance:
            low, high = (50, 90) if digits else (120, 240)
            drawn = handwriting.note(rng, max(int(height / 1024 * rng.uniform(low, high)), 16), digits=digits)
            tall, wide = drawn.shape[:2]
            across, down = rng.uniform(0.05, 0.95, (2, 6)) * [[width - wide], [height - tall]]
            places = [(int(x), int(y)) for x, y in zip(across, down, strict=True)]
            found.append(Mark("", drawn, *_barest(page, places, (wide, tall))))
    return found


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share any ground."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def scanned(
    rng: np.random.Generator, picture: NDArray[np.uint8], placed: list[Mark]
) -> tuple[NDArray[np.uint8], list[Box]]:
    """What a scanner does: a slight turn, softness, toned paper, uneven light, grain, specks, grey or JPEG.

    Args:
        rng: everything random comes from it.
        picture: uint8 (height, width, 3), RGB, with the marks on it.
        placed: those marks.

    Returns:
        The scan, of the same shape, and the marks' boxes on it.
    """
    import cv2

    height, width = picture.shape[:2]
    boxes = [mark.box for mark in placed]
    scan = picture
    if rng.random() < 0.75:
        affine = _turn(rng, width, height)
        scan = _bytes(cv2.warpAffine(scan, affine, (width, height), borderValue=(255, 255, 255)))
        boxes = [_turned(mark, affine) for mark in placed]
    if rng.random() < 0.5 and height > _SMALL:
        scan = _bytes(cv2.blur(scan, (3, 3)) if rng.random() < 0.3 else cv2.GaussianBlur(scan, (3, 3), 0))
    if rng.random() < 0.4:
        scan = _bytes(cv2.cvtColor(cv2.cvtColor(scan, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    scan = _toned(rng, scan)
    for _ in range(int(rng.integers(0, 12))):
        speck = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(scan, speck, int(rng.integers(0, 2)), (60, 60, 60), -1)
    if rng.random() < 0.35:
        _, file = cv2.imencode(".jpg", scan, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 90))])
        scan = _bytes(cv2.imdecode(file, cv2.IMREAD_COLOR))
    return scan, boxes


def _turn(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """An affine matrix (2, 3): up to two degrees around the middle and a few pixels aside."""
    slope = rng.uniform(-0.035, 0.035)
    cosine = 1 / (1 + slope * slope) ** 0.5
    turn = np.array([[cosine, slope * cosine], [-slope * cosine, cosine]])
    middle = np.array([width / 2, height / 2])
    shift = rng.uniform(-6, 6, 2) * height / 1024
    return np.concatenate([turn, (middle - turn @ middle + shift)[:, None]], axis=1)


def _toned(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fade the ink, tone the paper, let the light fall off to one side, add grain."""
    import cv2

    height, width = picture.shape[:2]
    yellow = rng.random() if rng.random() < 0.5 else 0
    paper = 1 - rng.uniform(0, 0.05) - np.array([0, 0.02, 0.09]) * yellow
    light = np.linspace(1 - rng.uniform(0, 0.08), 1, width)[:: 1 if rng.random() < 0.5 else -1]
    shade = (256 * light[:, None] * paper).astype(np.uint16)[None]  # fixed point, thrice as fast as floats
    faded = np.arange(256) * (1 - int(rng.integers(0, 45)) / 255)
    picture = _bytes(cv2.LUT(picture, (faded + 255 - faded[255]).astype(np.uint8)))
    rows, columns = np.arange(height) + rng.integers(1024), np.arange(width) + rng.integers(1024)
    grain = _grain()[rows[:, None] % 1024, columns[None, :] % 1024] >> int(rng.integers(2))
    picture = (picture * shade >> 8).astype(np.uint8)
    return _bytes(cv2.add(picture, np.repeat(grain[..., None], 3, axis=2), dtype=cv2.CV_8U))


def _bytes(picture: object) -> NDArray[np.uint8]:
    return np.asarray(picture, np.uint8)  # OpenCV's stubs promise no type


@cache
def _grain() -> NDArray[np.int8]:
    return np.random.default_rng(4).normal(0, 4, (1024, 1024)).astype(np.int8)


def _turned(mark: Mark, affine: NDArray[np.float64]) -> Box:
    """The box of a mark's ink after turning the page: of the ink's hull, not of the old box's corners."""
    import cv2

    if mark.label == "qr":
        height, width = mark.picture.shape[:2]
        hull = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    else:
        rows, columns = np.nonzero(mark.picture[..., 3] >= 40)
        ink = np.stack([columns, rows], axis=1).astype(np.int32)
        hull = np.asarray(cv2.convexHull(ink))[:, 0] + 0.5
    points = (hull + np.array((mark.x, mark.y))) @ affine[:, :2].T + affine[:, 2]
    half = 0 if mark.label == "qr" else 0.5
    x1, y1 = (points.min(axis=0) - half).tolist()
    x2, y2 = (points.max(axis=0) + half).tolist()
    return x1, y1, x2, y2


def _visible(placed: list[Mark], boxes: list[Box], size: tuple[int, int]) -> list[tuple[Mark, Box]]:
    """Boxes cut to the page; what shows too little of itself is left out."""
    kept: list[tuple[Mark, Box]] = []
    for mark, box in zip(placed, boxes, strict=True):
        left, top, right, bottom = inside(box, size)
        if right - left >= _LEAST and bottom - top >= _LEAST:
            kept.append((mark, (round(left, 2), round(top, 2), round(right, 2), round(bottom, 2))))
    return kept


def inside(box: Box, size: tuple[int, int]) -> Box:
    """A box cut to the page."""
    return max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1]))
