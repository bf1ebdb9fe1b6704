"""Many photos: what was found as JSON and CSV, drawn pictures, and a line for everything that could not be inspected."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assay.data.images import BadImage, Pixels, read_image
from assay.data.progress import track
from assay.documents.sources import keep_sources
from assay.errors import UserError
from assay.files import atomic_write, check_writable, write_json
from assay.inspection.drawing import draw
from assay.inspection.stages import Inspector, UnusablePhoto

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
    photo) and drawn/ (see `drawn_name`). A photo that can't be inspected is a line in images.csv, and the others go on;
    so do they, without pictures, where a picture can't be written: what was found is written before that is said.

    Returns:
        {"models", "thresholds", "images": [{"image", "status", …}], "counts"}; status is done or failed, and a failed
        photo has a problem instead of objects. counts: images, failed, without_objects, dropped, objects, by label and
        condition.

    Raises:
        UserError: a confidence that makes no sense, `output` can't be written to, or a drawn picture would take a
            photo's place.
    """
    inspector.thresholds(confidence)  # a mistake is said before the first photo is read
    check_writable(output, "--output")
    keep_sources(sources.values(), [output / "drawn" / drawn_name(name) for name in sources])
    images: list[dict[str, Any]] = []
    unwritten: OSError | None = None
    for name, path in track(sources.items(), "inspecting", len(sources)):
        found, drawn = inspect_one(name, partial(read_image, path), inspector, confidence, picture=pictures)
        images.append(found)
        if drawn is not None and unwritten is None:
            try:
                with atomic_write(output / "drawn" / drawn_name(name)) as temporary:
                    temporary.write_bytes(drawn)
            except OSError as error:
                unwritten = error
    report = report_of(images, inspector, confidence)
    try:
        write_json(output / "inspection.json", report)
        for name, text in (
            ("images.csv", _csv(_IMAGES, map(_image_row, images))),
            ("objects.csv", objects_csv(images, inspector.conditions.classes)),
        ):
            with atomic_write(output / name) as temporary:
                temporary.write_bytes(text.encode())
    except OSError as error:
        raise UserError(f"{output}: can't be written to ({error.strerror}); name another --output") from error
    if unwritten is not None:
        raise UserError(
            f"{output}/drawn: pictures can't be written ({unwritten.strerror}), the tables beside it are whole; name "
            "another --output, or take --no-pictures"
        )
    return report


def inspect_one(
    name: str,
    read: Callable[[], Pixels],
    inspector: Inspector,
    confidence: Mapping[str, float] | None = None,
    *,
    picture: bool = True,
) -> tuple[dict[str, Any], bytes | None]:
    """One photo's entry of `inspect_all`'s images, and a JPEG of its boxes if `picture` asks for it and it could be read.

    read: gives the photo, or raises BadImage. Raises UserError as `Inspector.thresholds`.
    """
    try:
        pixels = read()
        found = inspector.inspect(pixels, confidence=confidence)
    except (BadImage, UnusablePhoto) as error:
        return {"image": name, "status": "failed", "problem": str(error)}, None
    except MemoryError:
        return {"image": name, "status": "failed", "problem": "too little memory for it"}, None
    entry = {"image": name, "status": "done", **found}
    return entry, _jpeg(draw(pixels, found["objects"])) if picture else None


def report_of(
    images: Sequence[Mapping[str, Any]], inspector: Inspector, confidence: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Everything that is told of photos that were inspected, as `inspect_all` returns it."""
    return {
        "models": dict(inspector.about),
        "thresholds": inspector.thresholds(confidence),
        "images": list(images),
        "counts": counts_of(images),
    }


def objects_csv(images: Sequence[Mapping[str, Any]], conditions: Sequence[str]) -> str:
    """A row per object: photo, number in it, label, confidence, box, condition, and p_<condition> of each."""
    columns = (*_OBJECTS, *(f"p_{name}" for name in conditions))
    return _csv(columns, (row for one in images for row in object_rows(one)))


def drawn_name(name: str) -> str:
    """The file of a photo's drawn picture, a JPEG: its name and .jpg, a.jpg's too, so that no two are one."""
    return f"{name}.jpg"


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


def object_rows(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of one photo in `objects_csv`; none where it failed."""
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


def _jpeg(picture: Pixels) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
