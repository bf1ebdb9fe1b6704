"""Pictures with boxes: what a person should look at before believing a number. PNG, 800 pixels wide."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.evaluation.boxes import CORNERS
from assay.evaluation.outcomes import Outcomes
from assay.files import atomic_write

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, GAP, STRIP = 800, 10, 24
PANEL = (WIDTH - 3 * GAP) // 2
TALLEST = 480  # px of a panel
COLUMNS = 4
CROP = (WIDTH - (COLUMNS + 1) * GAP) // COLUMNS
CONTEXT = 2.5  # a crop shows so many times the longer side of its box
SMALLEST = 64  # px of the image that a crop shows at least
COLOURS = {
    "annotated": "#009E73",
    "right": "#0072B2",
    "wrong": "#D55E00",
    "missed": "#CC79A7",
    "ignore": "#666666",
    "ignored": "#666666",
}
Loader = Callable[[str], NDArray[np.uint8]]


def sample_images(result: Outcomes, images: Sequence[str], *, count: int = 6, seed: int = 0) -> list[str]:
    """Seeded random images, at most one in three of them without any box, in the images' order."""
    busy = set(result.truth["image"]) | set(result.found["image"])
    order = np.random.default_rng(seed).permutation(np.asarray(sorted(images), dtype=object)).tolist()
    with_boxes = [name for name in order if name in busy]
    without = [name for name in order if name not in busy]
    chosen = with_boxes[: count - min(len(without), count // 3)]
    return sorted(chosen + without[: count - len(chosen)])


def worst_misses(result: Outcomes, *, count: int = 12) -> pd.DataFrame:
    """The largest objects that were not found, largest first, rows of `Outcomes.truth`."""
    missed = result.truth[result.truth["outcome"] == "missed"]
    area = (missed["x2"] - missed["x1"]) * (missed["y2"] - missed["y1"])
    return missed.assign(area=area).sort_values(["area", "image"], ascending=[False, True]).head(count)


def worst_false_positives(result: Outcomes, *, count: int = 12) -> pd.DataFrame:
    """The surest wrong boxes, surest first, rows of `Outcomes.found`."""
    wrong = result.found[result.found["outcome"] == "wrong"]
    return wrong.sort_values(["score", "image"], ascending=[False, True]).head(count)


def draw_gallery(path: Path, result: Outcomes, images: Sequence[str], load: Loader) -> None:
    """Each image twice: what is annotated, and what was found, coloured by what became of it.

    load: image name -> uint8 RGB (H, W, 3). Nothing to show says so.
    """
    from PIL import Image

    rows = []
    for name in images:
        pixels = load(name)
        scale = min(PANEL / pixels.shape[1], TALLEST / pixels.shape[0])
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
        truth = result.truth[result.truth["image"] == name].assign(score=np.nan)
        found = result.found[result.found["image"] == name]
        missed = truth[truth["outcome"] == "missed"]
        kind = np.where(truth["outcome"] == "ignore", "ignore", "annotated")
        left = _boxes_on(small.copy(), truth.assign(kind=kind), scale)
        right = _boxes_on(small.copy(), missed.assign(kind="missed"), scale)
        right = _boxes_on(right, found.assign(kind=found["outcome"]), scale)
        rows.append((name, left, right))
    height = STRIP + sum(STRIP + left.height + GAP for _, left, _ in rows)
    canvas = Image.new("RGB", (WIDTH, height if rows else 120), "white")
    _legend(canvas, "annotated", "right", "wrong", "missed", "ignore")
    if not rows:
        _say(canvas, (WIDTH // 2 - 20, 60), "none")
    top = STRIP
    for name, left, right in rows:
        _say(canvas, (GAP, top + 4), name)
        canvas.paste(left, (GAP, top + STRIP))
        canvas.paste(right, (2 * GAP + PANEL, top + STRIP))
        top += STRIP + left.height + GAP
    _save(path, canvas)


def draw_crops(path: Path, rows: pd.DataFrame, result: Outcomes, load: Loader) -> None:
    """A grid of the boxes in `rows` (of `worst_misses` or `worst_false_positives`), each with its surroundings.

    Other boxes that fall into a crop are drawn without a label. Nothing to show says so.
    """
    from PIL import Image

    lines = -(-len(rows) // COLUMNS)
    tile = CROP + 2 * STRIP
    canvas = Image.new("RGB", (WIDTH, STRIP + lines * (tile + GAP) if lines else 120), "white")
    _legend(canvas, "annotated", "right", "wrong", "missed")
    if rows.empty:
        _say(canvas, (WIDTH // 2 - 20, 60), "none")
    for index, (_, row) in enumerate(rows.iterrows()):
        x = GAP + index % COLUMNS * (CROP + GAP)
        y = STRIP + index // COLUMNS * (tile + GAP)
        title = str(row["label"]) + (f" {row['score']:.2f}" if "score" in row else "")
        instead = f"called {row['instead']}" if row["outcome"] == "missed" else f"is {row['instead']}"
        _say(canvas, (x, y + 2), title + (f", {instead}" if row["instead"] else ""))
        _say(canvas, (x, y + 20), _shortened(str(row["image"])), colour="#666666")
        canvas.paste(_crop(row, result, load(str(row["image"]))), (x, y + 2 * STRIP))
    _save(path, canvas)


def _crop(row: pd.Series, result: Outcomes, pixels: NDArray[np.uint8]) -> "Image":
    """A square of CROP px around one box, grey where the image ends."""
    from PIL import Image

    x1, y1, x2, y2 = (float(row[corner]) for corner in CORNERS)
    side = max(CONTEXT * max(x2 - x1, y2 - y1), SMALLEST)
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    scale = CROP / side
    window = (left, top, left + side, top + side)
    picture = Image.fromarray(pixels).transform(
        (CROP, CROP), Image.Transform.EXTENT, window, Image.Resampling.BILINEAR, fillcolor="#dddddd"
    )
    truth = result.truth[(result.truth["image"] == row["image"]) & (result.truth["outcome"] != "ignore")]
    found = result.found[(result.found["image"] == row["image"]) & (result.found["outcome"] != "ignored")]
    kind = np.where(truth["outcome"] == "missed", "missed", "annotated")
    others = pd.concat([truth.assign(kind=kind), found.assign(kind=found["outcome"])])
    shift = np.array([left, top, left, top])
    others = others.assign(
        **dict(zip(CORNERS, (others[list(CORNERS)].to_numpy(float) - shift).T, strict=True))
    )
    inside = (others["x2"] > 0) & (others["y2"] > 0) & (others["x1"] < side) & (others["y1"] < side)
    return _boxes_on(picture, others[inside], scale, labels=False)


def _boxes_on(picture: "Image", rows: pd.DataFrame, scale: float, *, labels: bool = True) -> "Image":
    """Draw boxes (px of the image before it was scaled) with supervision; the column `kind` gives the colour."""
    import supervision as sv

    for kind, part in rows.groupby("kind", sort=True):
        boxes = part[list(CORNERS)].to_numpy(np.float64) * scale
        there = sv.Detections(xyxy=boxes, class_id=np.zeros(len(part), int))
        colour = sv.Color.from_hex(COLOURS[str(kind)])
        picture = sv.BoxAnnotator(color=colour, thickness=2).annotate(picture, there)
        if labels and kind != "ignore":
            label = sv.LabelAnnotator(color=colour, text_scale=0.35, text_padding=2)
            picture = label.annotate(picture, there, labels=[_label(row) for _, row in part.iterrows()])
    return picture


def _label(row: pd.Series) -> str:
    return str(row["label"]) if np.isnan(row["score"]) else f"{row['label']} {row['score']:.2f}"


def _legend(canvas: "Image", *kinds: str) -> None:
    words = {
        "annotated": "annotated",
        "right": "found, right",
        "wrong": "found, wrong",
        "ignore": "not judged",
    }
    x = GAP
    for kind in kinds:
        _say(canvas, (x, 4), f"■ {words.get(kind, kind)}", colour=COLOURS[kind])
        x += 130


def _say(canvas: "Image", at: tuple[int, int], text: str, *, colour: str = "black") -> None:
    from matplotlib import get_data_path
    from PIL import ImageDraw, ImageFont

    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 12)
    ImageDraw.Draw(canvas).text(at, text, fill=colour, font=font)


def _shortened(name: str) -> str:
    last = name.rpartition("/")[2]
    return last if len(last) <= 26 else f"{last[:12]}…{last[-13:]}"


def _save(path: Path, canvas: "Image") -> None:
    """A palette of 256 colours: a third of the bytes, and the report carries every picture inside itself."""
    with atomic_write(path) as temporary:
        canvas.quantize(256, method=2).save(temporary, format="PNG", optimize=True)
