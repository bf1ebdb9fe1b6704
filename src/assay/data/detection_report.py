"""The page a person reads after prepare: class balance, what was set aside, what is too alike, and the boxes drawn."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from assay.data.images import Pixels, fit, read_image
from assay.data.items import SPLITS
from assay.files import atomic_write

_ROWS = 40  # per table: enough to judge by; report.json lists all
_SAMPLES = 12  # pictures per split
_SIDE = 320  # pixels of a sample
_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff")


def write_detection_report(
    path: Path, report: dict[str, Any], manifest: pd.DataFrame, boxes: pd.DataFrame, folder: Path
) -> None:
    """Write `report` (what prepare stores as report.json) as one self-contained HTML page.

    Args:
        path: file to write.
        report: classes, counts, source, split, names, balance, quarantine, identical, near_duplicates,
            mended, painted_over.
        manifest: the data set's manifest.
        boxes: its boxes.
        folder: the data set, for its pictures. Pages of original data hold them: they stay under build/.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["thumbnail"] = lambda image: _embedded(fit(read_image(folder / image), 160))
    near = sorted(report["near_duplicates"], key=lambda pair: (not pair["across"], -pair["correlation"]))
    identical = sorted(report["identical"], key=lambda pair: not pair["across"])
    sheets = []
    for split in (name for name in SPLITS if (manifest["split"] == name).any()):
        part = manifest[manifest["split"] == split]
        chosen = part.sample(min(_SAMPLES, len(part)), random_state=0).sort_values("image")
        pictures = [
            (image, _embedded(draw_boxes(folder, image, boxes[boxes["image"] == image], report["classes"])))
            for image in chosen["image"]
        ]
        sheets.append((split, len(part), pictures))
    page = environment.get_template("detection_report.html.j2").render(
        report,
        rows=_ROWS,
        legend=list(zip(report["classes"], _COLOURS * 3, strict=False)),
        tables=[
            ("Identical pictures", identical),
            ("Near-duplicates: the same picture in another encoding or size", near),
        ],
        sheets=sheets,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, "utf-8")


def draw_boxes(folder: Path, image: str, rows: pd.DataFrame, classes: list[str]) -> Pixels:
    """A picture with its boxes and their raw names, its longer side `_SIDE` pixels; ignored regions are hatched out."""
    import supervision as sv

    from assay.data.detections import detections

    picture = read_image(folder / image)
    scale = _SIDE / max(picture.shape[:2])
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    drawn = np.array(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))[
        ..., ::-1
    ].copy()  # BGR
    xyxy = rows[["x1", "y1", "x2", "y2"]].to_numpy(float) * scale
    ignored = rows["ignore"].to_numpy(bool)
    palette = sv.ColorPalette.from_hex(list(_COLOURS))
    if ignored.any():
        grey = sv.ColorPalette.from_hex(["#808080"])
        drawn = sv.ColorAnnotator(grey, 0.6).annotate(
            drawn, detections(xyxy[ignored], np.zeros(ignored.sum()))
        )
    if not ignored.all():
        number = {name: k for k, name in enumerate(classes)}
        found = detections(xyxy[~ignored], rows["label"][~ignored].map(number).to_numpy())
        drawn = sv.BoxAnnotator(palette, thickness=2).annotate(drawn, found)
        names = rows["raw"][~ignored].astype(str).tolist()
        labels = sv.LabelAnnotator(
            palette, text_color=sv.Color.BLACK, text_scale=0.32, text_padding=2, text_thickness=1
        )
        drawn = labels.annotate(drawn, found, names)
    return drawn[..., ::-1]


def _embedded(picture: Pixels) -> str:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
