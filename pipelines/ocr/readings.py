"""The texts of a data set's signs, read once and kept for all jobs."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from assay.config.timeline import OcrConfig

if TYPE_CHECKING:
    import pandas as pd

CACHE = Path("runs/readings")


def readings(cfg: OcrConfig, signs: "pd.DataFrame") -> dict[str, str]:
    """Image -> its lines from top to bottom, joined by blanks; "" where nothing was read, or the sign is too low.

    signs: `assay.data.signs.read_signs`. What every line's confidence was is kept, so that another threshold reads
    nothing anew.
    """
    from importlib.metadata import version

    from assay.data.images import read_image
    from assay.data.progress import track
    from assay.files import read_json, write_json
    from assay.models.sign_reader import SignReader

    data = Path(cfg.data)
    names = {image: _name((data / image).read_bytes(), version("rapidocr")) for image in signs["image"]}
    missing = [image for image, name in names.items() if not (CACHE / name).is_file()]
    if missing:
        reader = SignReader(confidence=0.0)
        for image in track(missing, "reading signs", len(missing)):
            picture = read_image(data / image)
            read = [[line.text, line.confidence] for line in reader.read(picture)]
            write_json(CACHE / names[image], {"height": picture.shape[0], "lines": read})
    found = {}
    for image, name in names.items():
        kept = read_json(CACHE / name)
        lines = kept["lines"] if kept["height"] >= cfg.model.min_height else []
        found[image] = " ".join(text for text, confidence in lines if confidence >= cfg.model.confidence)
    return found


def _name(picture: bytes, version: str) -> str:
    from assay.models import sign_reader

    code = Path(sign_reader.__file__).read_bytes()
    return hashlib.sha256(picture + version.encode() + code).hexdigest()[:32] + ".json"
