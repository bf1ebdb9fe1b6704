"""The page a person reads after prepare: counts, what was set aside, and which images are too alike."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from assay.data.images import BadImage, fit, read_image
from assay.files import atomic_write

_SHOWN = 40  # pairs per table: enough to judge by, small enough to mail
_THUMBNAIL = 96  # pixels


def write_report(path: Path, report: dict[str, Any], data: Path) -> None:
    """Write `report` (what prepare stores as report.json) as one self-contained HTML page.

    The pages of original data hold its pictures: they belong under build/, which is never committed.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["thumbnail"] = lambda image: _thumbnail(data / image)
    identical = sorted(report["identical"], key=lambda pair: (not pair["label_conflict"], not pair["across"]))
    near = sorted(report["near_duplicates"], key=lambda pair: (not pair["across"], -pair["correlation"]))
    page = environment.get_template("report.html.j2").render(
        report,
        shown=_SHOWN,
        tables=[("Identical pixels", identical), ("The same object in a neighbouring frame", near)],
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, "utf-8")


def _thumbnail(path: Path) -> str:
    """The image as a data URI, or an empty one where it is unreadable."""
    try:
        picture = Image.fromarray(fit(read_image(path), _THUMBNAIL))
    except BadImage:
        return "data:,"
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
