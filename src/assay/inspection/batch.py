"""Many photos: what was found as JSON and CSV, drawn pictures, and a line for everything that could not be inspected."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.data.images import BadImage, read_image
from assay.data.progress import track
from assay.errors import UserError
from assay.files import atomic_write, write_json
from assay.inspection.drawing import draw
from assay.inspection.stages import Inspector, NoObject

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_IMAGES = ("image", "status", "objects", "problem")
_OBJECTS = (
    *("image", "number", "label", "confidence", "x1", "y1", "x2", "y2"),
    *("condition", "condition_confidence"),
)


def inspect_all(
    sources: Mapping[str, Path],
    output: Path,
    inspector: Inspector,
    *,
    confidence: Mapping[str, float] | None = None,
    pictures: bool = True,
) -> dict[str, Any]:
    """Inspect every photo (name -> file); one is in memory at a time.

    Writes below `output`: inspection.json (all that is returned), objects.csv (a row per object), images.csv (a row per
    photo) and drawn/ (see `drawn_name`). A photo that can't be inspected is a line in images.csv, and the others go on.

    Returns:
        {"models", "thresholds", "images": [{"image", "status", …}], "counts"}; status is done or failed, and a failed
        photo has a problem instead of objects. counts: images, failed, without_objects, dropped, objects, by label and
        condition.

    Raises:
        UserError: a confidence that makes no sense, or `output` can't be written to.
    """
    thresholds = inspector.thresholds(confidence)
    images: list[dict[str, Any]] = []
    for name, path in track(sources.items(), "inspecting", len(sources)):
        try:
            picture = read_image(path)
            found = inspector.inspect(picture, confidence=confidence)
        except (BadImage, NoObject) as error:
            images.append({"image": name, "status": "failed", "problem": str(error)})
            continue
        except MemoryError:
            images.append({"image": name, "status": "failed", "problem": "too little memory for it"})
            continue
        images.append({"image": name, "status": "done", **found})
        if pictures:
            _save(output / "drawn" / drawn_name(name), draw(picture, found["objects"]))
    report = {
        "models": dict(inspector.about),
        "thresholds": thresholds,
        "images": images,
        "counts": counts_of(images),
    }
    try:
        write_json(output / "inspection.json", report)
        _write(output / "images.csv", _IMAGES, [_image_row(one) for one in images])
        conditions = list(inspector.conditions.classes)
        columns = (*_OBJECTS, *(f"p_{name}" for name in conditions))
        _write(output / "objects.csv", columns, [row for one in images for row in _object_rows(one)])
    except OSError as error:
        raise UserError(f"{output}: can't be written to ({error.strerror}); name another --output") from error
    return report


def drawn_name(name: str) -> str:
    """The file of a photo's drawn picture, a JPEG: a.jpg stays, a.png becomes a.png.jpg, so that no two are one."""
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def counts_of(images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many photos, failures and objects, and of each label how many in which condition."""
    done = [one for one in images if one["status"] == "done"]
    objects = [thing for one in done for thing in one["objects"]]
    kinds = Counter((thing["label"], thing["condition"]) for thing in objects)
    by_label: dict[str, dict[str, int]] = {}
    for (label, condition), number in sorted(kinds.items()):
        by_label.setdefault(label, {})[condition] = number
    return {
        "images": len(images),
        "failed": len(images) - len(done),
        "without_objects": sum(not one["objects"] for one in done),
        "dropped": sum(one["dropped"] for one in done),
        "objects": len(objects),
        "by_label": by_label,
    }


def _image_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image": one["image"],
        "status": one["status"],
        "objects": len(one["objects"]) if one["status"] == "done" else "",
        "problem": one.get("problem", ""),
    }


def _object_rows(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "image": one["image"],
            "number": number,
            **dict(zip(("x1", "y1", "x2", "y2"), thing["box"], strict=True)),
            **{key: thing[key] for key in ("label", "confidence", "condition", "condition_confidence")},
            **{f"p_{name}": value for name, value in thing["probabilities"].items()},
        }
        for number, thing in enumerate(one.get("objects", []), start=1)
    ]


def _save(path: Path, picture: Any) -> None:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=85)
    with atomic_write(path) as temporary:
        temporary.write_bytes(stream.getvalue())


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
