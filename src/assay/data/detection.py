"""Prepare an object detection set: check, store in one layout, find copies and leaks, group, list, report."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import imagehash
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from assay.data.detection_findings import Stored, balance, counts_of, findings, names
from assay.data.drawing import draw_annotated
from assay.data.duplicates import Pair, groups, near_pairs
from assay.data.images import BadImage, Pixels, decode
from assay.data.items import HELD_OUT, POOL, SPLITS, Bad, Box, Item
from assay.data.progress import track
from assay.data.source import NAME, write_source_file
from assay.errors import UserError
from assay.files import fresh_folder, write_json

# Measured on the originals: with 288 bits copies of a photo differ in up to 2 %, different photos and pages in 11 % and
# more.
HASH_SIDE = 12
# px, chosen here: a proposed pair is confirmed on thumbnails, so that nearly white pages, whose hashes agree, are not
# all one.
THUMBNAIL = 48
# px, chosen here: so wide a frame around a region to ignore gives the colour it is painted with.
_BORDER = 3


def prepare(
    items: Iterable[Item | Bad],
    out: Path,
    *,
    classes: Sequence[str],
    source: Mapping[str, Any],
    near_duplicate_distance: float,
    draw: bool = False,
    split: str = "",
) -> dict[str, float]:
    """Write the prepared data set to `out`, replacing it whole; one image at a time is in memory.

    Layout: images/<split>/<name>, labels/<split>/<stem>.txt (YOLO: class x y width height as shares; none for
    the pool), manifest.parquet (one row per image), boxes.parquet (one row per box), quarantine.csv (image,
    reason), report.json, report.html, SOURCE.yaml; with `draw` also drawn/<split>/<stem>.jpg. Regions to ignore are
    painted over in images/train only.

    The manifest's `group` joins a reader's group (flight, document, recording) with identical and near-duplicate
    pictures; `alike` joins the latter only. `leak` marks a held-out image whose pixels equal a training image's.

    Args:
        items: what a project's reader yields.
        out: folder to write.
        classes: class names in the order of the model's outputs.
        source: description of the data, see `assay.data.source`.
        near_duplicate_distance: share of hash bits up to which two pictures may be one; 0 leaves only identical
            pictures. On the originals' photos and pages anything from 0.02 to 0.1 gives the same pairs.
        draw: every annotated picture with its boxes, too.
        split: which split it is, in words, for the report; "" = nothing to say.

    Returns:
        Counts for the run.

    Raises:
        UserError: no usable image with boxes in train, or none in val.
    """
    entries = list(items)  # paths, sizes and boxes; pixels are read one by one below
    quarantine = [(entry.source, entry.reason) for entry in entries if isinstance(entry, Bad)]
    readable = [entry for entry in entries if isinstance(entry, Item)]
    with fresh_folder(out) as folder:
        stored = []
        taken: dict[tuple[str, str], str] = {}
        for item in track(readable, "preparing images", len(readable)):
            try:
                _claim_name(item, taken)
                stored.append(_store(item, folder, classes, draw=draw))
            except BadImage as error:
                quarantine.append((item.source, error.reason))
        _require_enough(stored, quarantine)
        stored.sort(key=lambda one: one.image)
        identical = _identical_pairs(stored)
        near = _near_pairs(stored, near_duplicate_distance)
        manifest, boxes = _manifest(stored, identical, near), _boxes_table(stored)
        counts = counts_of(stored, manifest, len(quarantine), identical, near)
        report = {
            "classes": list(classes),
            "counts": counts,
            "source": dict(source),
            "split": split,
            "names": names(boxes),
            "balance": balance(stored, classes),
            "quarantine": [{"image": name, "reason": reason} for name, reason in sorted(quarantine)],
            **findings(stored, manifest, identical, near),
        }
        manifest.to_parquet(folder / "manifest.parquet", index=False)
        boxes.to_parquet(folder / "boxes.parquet", index=False)
        with (folder / "quarantine.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("image", "reason"), *sorted(quarantine)])
        write_json(folder / "report.json", report)
        from assay.data.detection_report import write_detection_report

        write_detection_report(folder / "report.html", report, manifest, boxes, folder)
        write_source_file(folder / NAME, dict(source))
    return counts


def read_boxes(folder: Path) -> pd.DataFrame:
    """Read a prepared folder's boxes: image, label, x1, y1, x2, y2 (pixels), ignore, raw.

    Raises:
        UserError: the folder was not prepared.
    """
    path = folder / "boxes.parquet"
    if not path.is_file():
        raise UserError(f"{path}: missing; run prepare first (`dvc repro prepare`)")
    return pd.read_parquet(path)


def photo_bits(image: Pixels) -> NDArray[np.bool_]:
    """Difference hash of a whole picture, along rows and columns: bool (288,)."""
    grey = Image.fromarray(image).convert("L")
    return np.concatenate(
        [method(grey, HASH_SIDE).hash.ravel() for method in (imagehash.dhash, imagehash.dhash_vertical)]
    )


def _claim_name(item: Item, taken: dict[tuple[str, str], str]) -> None:
    """Two images of one stem would share a label file: the second is set aside."""
    if item.split not in SPLITS:
        raise ValueError(f"split {item.split!r} is none of {SPLITS}")
    first = taken.setdefault((item.split, PurePosixPath(item.name).stem.lower()), item.source)
    if first != item.source:
        raise BadImage(f"has the name of {first}")


def _store(item: Item, folder: Path, classes: Sequence[str], *, draw: bool) -> Stored:
    try:
        content = item.read()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from error
    picture = decode(content)
    height, width = picture.shape[:2]
    if (width, height) != (item.width, item.height):
        raise BadImage(f"is {width}x{height} pixels, {item.width}x{item.height} were announced")
    regions = [box.xyxy for box in item.boxes if box.ignore]
    if regions and item.split == "train":
        content = _encode(_painted_over(picture, regions), item.name)
    path = folder / "images" / item.split / item.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if item.split != POOL:
        label = folder / "labels" / item.split / f"{PurePosixPath(item.name).stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(
            "".join(_label_line(box, item, classes) for box in item.boxes if not box.ignore), "utf-8"
        )
        if draw:
            drawn = folder / "drawn" / item.split / f"{PurePosixPath(item.name).stem}.jpg"
            drawn.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_annotated(picture, item.boxes, classes)).save(drawn, "JPEG", quality=80)
    return Stored(
        item=item,
        image=f"images/{item.split}/{item.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=hashlib.sha256(f"{width}x{height}:".encode() + picture.tobytes()).hexdigest(),
        thumbnail=np.array(
            Image.fromarray(picture).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
        ),
        bits=photo_bits(picture),
    )


def _label_line(box: Box, item: Item, classes: Sequence[str]) -> str:
    left, top, right, bottom = box.xyxy
    numbers = (
        (left + right) / 2 / item.width,
        (top + bottom) / 2 / item.height,
        (right - left) / item.width,
        (bottom - top) / item.height,
    )
    return f"{classes.index(box.label)} " + " ".join(f"{number:.6f}" for number in numbers) + "\n"


def _painted_over(picture: Pixels, regions: Sequence[tuple[float, float, float, float]]) -> Pixels:
    """Each region in the median colour of what surrounds it."""
    painted = picture.copy()
    height, width = picture.shape[:2]
    for left, top, right, bottom in regions:
        x1, y1 = max(int(left), 0), max(int(top), 0)
        x2, y2 = min(int(np.ceil(right)), width), min(int(np.ceil(bottom)), height)
        around = np.zeros((height, width), bool)
        around[max(y1 - _BORDER, 0) : y2 + _BORDER, max(x1 - _BORDER, 0) : x2 + _BORDER] = True
        around[y1:y2, x1:x2] = False
        border = picture[around] if around.any() else picture.reshape(-1, 3)
        painted[y1:y2, x1:x2] = np.median(border, axis=0).astype(np.uint8)
    return painted


def _encode(picture: Pixels, name: str) -> bytes:
    """The picture in the format that its name tells."""
    stream = io.BytesIO()
    kind = Image.registered_extensions()[PurePosixPath(name).suffix.lower()]
    Image.fromarray(picture).save(stream, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return stream.getvalue()


def _require_enough(stored: Sequence[Stored], quarantine: Sequence[tuple[str, str]]) -> None:
    for split in ("train", "val"):
        of_split = [one for one in stored if one.item.split == split]
        if not any(not box.ignore for one in of_split for box in one.item.boxes):
            first = (
                f"; set aside: {len(quarantine)}, the first: {': '.join(quarantine[0])}" if quarantine else ""
            )
            raise UserError(
                f"{split}: {len(of_split)} usable images and no box among them; at least one is needed{first}"
            )


def _identical_pairs(stored: Sequence[Stored]) -> list[tuple[int, int]]:
    """Each image with the first one of the same pixels; sorted by that first one."""
    first: dict[str, int] = {}
    pairs = [(first[one.pixels], k) for k, one in enumerate(stored) if first.setdefault(one.pixels, k) != k]
    return sorted(pairs)


def _near_pairs(stored: Sequence[Stored], distance: float) -> list[Pair]:
    """Near-duplicate pairs, identical ones left out."""
    if distance <= 0:
        return []
    found = near_pairs([one.thumbnail for one in stored], np.stack([one.bits for one in stored]), distance)
    return [pair for pair in found if stored[pair.first].pixels != stored[pair.second].pixels]


def _manifest(
    stored: Sequence[Stored], identical: Sequence[tuple[int, int]], near: Sequence[Pair]
) -> pd.DataFrame:
    alike = [*identical, *((pair.first, pair.second) for pair in near)]
    members: dict[str, list[int]] = {}
    for k, one in enumerate(stored):
        if one.item.group:
            members.setdefault(one.item.group, []).append(k)
    together = [pair for group in members.values() for pair in pairwise(group)]
    in_train = {one.pixels for one in stored if one.item.split == "train"}
    rows = [
        {
            "image": one.image,
            "split": one.item.split,
            "subset": one.item.subset,
            "group": stored[group].image,  # named by its first image: stable while that one stays
            "alike": stored[same].image,
            "sha256": one.sha256,
            "pixels": one.pixels,
            "width": one.item.width,
            "height": one.item.height,
            "boxes": sum(not box.ignore for box in one.item.boxes),
            "leak": one.item.split in HELD_OUT and one.pixels in in_train,
            "source": one.item.source,
        }
        for one, group, same in zip(
            stored,
            groups(len(stored), alike + together).tolist(),
            groups(len(stored), alike).tolist(),
            strict=True,
        )
    ]
    return pd.DataFrame(rows)


def _boxes_table(stored: Sequence[Stored]) -> pd.DataFrame:
    columns = ["image", "label", "x1", "y1", "x2", "y2", "ignore", "raw"]
    rows = [
        (one.image, box.label, *map(float, box.xyxy), box.ignore, box.raw)
        for one in stored
        for box in one.item.boxes
    ]
    types = {"x1": float, "y1": float, "x2": float, "y2": float, "ignore": bool}
    return pd.DataFrame(rows, columns=columns).astype(types)
