"""Training pages that nobody had to find and label: pen strokes and stamps pasted on blank pages.

The drawing is the sample generator's (`assay.sample.page_scene.blank_scene`); no real mark is copied.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.data.progress import track
from assay.files import atomic_write, sha256_file

JPEG_QUALITY = 90
_COLUMNS = ("x1", "y1", "x2", "y2", "width", "height")


def generated_pages(
    folder: Path, count: int, *, class_map: Mapping[str, str], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw `count` pages into `folder`; the first of more are the same ones, so that 5 times holds what 1 time holds.

    Args:
        folder: where the pages are written, as JPEG.
        count: of pages; each bears a signature or a stamp at least.
        class_map: category (signature_handwritten, stamp_notary, …) -> class, "" = not annotated; one without an entry
            goes by what it is a kind of.
        seed: another seed, other pages.

    Returns:
        Rows for training, as the manifest has them: image (an absolute path), split, sha256, width, height; and the
        boxes in them: image, label, x1, y1, x2, y2 (px), width, height.
    """
    from PIL import Image

    from assay.sample.page_scene import blank_scene

    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for number in track(range(count), "drawing pages", count):
        page, marks = blank_scene(np.random.default_rng([seed, number]))
        path = (folder / f"generated_{number:05d}.jpg").resolve()
        with atomic_write(path) as temporary:
            Image.fromarray(page).save(temporary, "JPEG", quality=JPEG_QUALITY)
        size = {"width": page.shape[1], "height": page.shape[0]}
        rows.append({"image": str(path), "split": "train", "sha256": sha256_file(path), **size})
        for category, corners in marks:
            label = class_map.get(category, class_map.get(category.partition("_")[0], ""))
            if label:
                box = dict(zip(_COLUMNS, corners, strict=False))
                boxes.append({"image": str(path), "label": label, **box, **size})
    return (
        pd.DataFrame(rows, columns=["image", "split", "sha256", "width", "height"]),
        pd.DataFrame(boxes, columns=["image", "label", *_COLUMNS]),
    )
