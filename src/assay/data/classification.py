"""Prepare an image classification set: check, find duplicates and leaks, group, list, report."""

import csv
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.duplicates import Pair, cut_out, groups, hash_bits, near_pairs
from assay.data.images import BadImage, Pixels, decode
from assay.data.layout import POOL, SPLITS, Listed, list_images
from assay.data.progress import track
from assay.data.report import write_report
from assay.data.source import NAME, current_source, read_source, write_source_file
from assay.errors import UserError
from assay.files import fresh_folder, write_json

_THREADS = 2
_MIN_IN_TRAIN = 2  # readable images of a class: one to learn from leaves none to be wrong about


@dataclass(frozen=True)
class _Checked:
    """One readable image."""

    listed: Listed
    sha256: str
    pixels: str
    width: int
    height: int
    blank: bool  # one colour only: nothing to see, but its label counts
    cutout: Pixels
    bits: NDArray[np.bool_]


def prepare(
    data: Path, out: Path, *, classes: Sequence[str], image_size: int, near_duplicate_distance: float
) -> dict[str, float]:
    """Check the images under `data` and write the data set's description to `out`, replacing it whole.

    Writes manifest.parquet, quarantine.csv (image, reason), report.json, report.html and SOURCE.yaml.
    Unreadable files are quarantined and counted; nothing in `data` is touched.

    Args:
        data: `{train,val}/<class>/*` and optionally `pool/*`.
        out: folder to write.
        classes: class names, in the order of the model's outputs.
        image_size: side in pixels the images will be fitted to; others are counted as `resized`.
        near_duplicate_distance: share of hash bits, 0 to 0.5, see `duplicates.near_pairs`; 0.19 is a good
            start.

    Returns:
        Counts for the run: images, per split and class, quarantined, resized, blank (of one colour), duplicates,
        leaks, label conflicts, groups.

    Raises:
        UserError: `data` is missing, empty or of another layout, or a class or split has too few readable
            images.
    """
    listed = list_images(data, classes)
    source = current_source(data, project=data.name)
    checked, quarantine = _check(data, listed)
    _require_enough(data, [image.listed for image in checked], quarantine, classes)

    identical = _identical_pairs(checked)
    near = near_pairs(
        [image.cutout for image in checked],
        np.stack([image.bits for image in checked]),
        near_duplicate_distance,
    )
    near = [pair for pair in near if checked[pair.first].pixels != checked[pair.second].pixels]
    manifest = _manifest(
        checked, groups(len(checked), identical + [(pair.first, pair.second) for pair in near])
    )
    blank = [image.listed.image for image in checked if image.blank]
    counts = _counts(manifest, len(quarantine), identical, near, image_size) | {"blank": len(blank)}
    report = {
        "counts": counts,
        "source": source,
        "quarantine": [{"image": image, "reason": reason} for image, reason in quarantine],
        "blank": blank,
        "identical": [_pair(manifest, first, second) for first, second in identical],
        "near_duplicates": [
            _pair(manifest, pair.first, pair.second)
            | {"distance": round(pair.distance, 4), "correlation": round(pair.correlation, 4)}
            for pair in near
        ],
    }
    with fresh_folder(out) as folder:
        manifest.to_parquet(folder / "manifest.parquet", index=False)
        with (folder / "quarantine.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("image", "reason"), *quarantine])
        write_json(folder / "report.json", report)
        write_report(folder / "report.html", report, data)
        write_source_file(folder / NAME, source)
    return counts


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read the manifest of a prepared folder: one row per readable image, sorted by `image`.

    Columns: image (path relative to the data folder), label ("" in the pool), split, group (the first image
    of its near-duplicate group), sha256 (file), pixels (SHA-256 of the decoded RGB), width, height, leak.

    Raises:
        UserError: the folder was not prepared.
    """
    path = folder / "manifest.parquet"
    if not path.is_file():
        raise UserError(f"{path}: missing; run prepare first (`dvc repro prepare`)")
    return pd.read_parquet(path)


def source_of(folder: Path) -> dict[str, Any]:
    """Read where the data of a prepared folder came from: project, source, counts, content, note.

    Raises:
        UserError: SOURCE.yaml is missing or not readable.
    """
    return read_source(folder)


def _check(data: Path, listed: Sequence[Listed]) -> tuple[list[_Checked], list[tuple[str, str]]]:
    checked: list[_Checked] = []
    quarantine: list[tuple[str, str]] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for result in track(pool.map(partial(_check_one, data), listed), "checking images", len(listed)):
            if isinstance(result, _Checked):
                checked.append(result)
            else:
                quarantine.append(result)
    return checked, quarantine


def _check_one(data: Path, listed: Listed) -> _Checked | tuple[str, str]:
    try:
        content = (data / listed.image).read_bytes()
        image = decode(content)
    except BadImage as error:
        return listed.image, error.reason
    except OSError as error:
        return listed.image, f"cannot be read: {error.strerror}"
    cutout = cut_out(image)
    height, width = image.shape[:2]
    return _Checked(
        listed=listed,
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=hashlib.sha256(f"{width}x{height}:".encode() + image.tobytes()).hexdigest(),
        width=width,
        height=height,
        blank=bool((image == image[0, 0]).all()),
        cutout=cutout,
        bits=hash_bits(cutout),
    )


def _require_enough(
    data: Path, readable: Sequence[Listed], quarantine: Sequence[tuple[str, str]], classes: Sequence[str]
) -> None:
    hint = (
        f" ({len(quarantine)} files are unreadable, the first: {': '.join(quarantine[0])})"
        if quarantine
        else ""
    )
    for split in SPLITS:
        present = {image.label for image in readable if image.split == split}
        if len(present) < 2:
            found = f"images of {present.pop()} only" if present else "no readable image"
            raise UserError(f"{data / split}: {found}; at least two classes must have some{hint}")
    for name in classes:
        count = sum(image.label == name and image.split == "train" for image in readable)
        if count < _MIN_IN_TRAIN:
            raise UserError(
                f"{data / 'train' / name}: {count} readable image{'s' * (count != 1)}; "
                f"at least {_MIN_IN_TRAIN} are needed{hint}"
            )


def _identical_pairs(checked: Sequence[_Checked]) -> list[tuple[int, int]]:
    """Each image with the first one of the same pixels; sorted by that first one."""
    first: dict[str, int] = {}
    pairs = [
        (first[image.pixels], k) for k, image in enumerate(checked) if first.setdefault(image.pixels, k) != k
    ]
    return sorted(pairs)


def _manifest(checked: Sequence[_Checked], group: NDArray[np.int64]) -> pd.DataFrame:
    in_train = {image.pixels for image in checked if image.listed.split == "train"}
    rows = [
        {
            "image": image.listed.image,
            "label": image.listed.label,
            "split": image.listed.split,
            "group": checked[lowest].listed.image,  # named by its first image: stable while that one stays
            "sha256": image.sha256,
            "pixels": image.pixels,
            "width": image.width,
            "height": image.height,
            "leak": image.listed.split == "val" and image.pixels in in_train,
        }
        for image, lowest in zip(checked, group.tolist(), strict=True)
    ]
    return pd.DataFrame(rows)


def _counts(
    manifest: pd.DataFrame,
    quarantined: int,
    identical: list[tuple[int, int]],
    near: list[Pair],
    image_size: int,
) -> dict[str, float]:
    splits, labels = manifest["split"].tolist(), manifest["label"].tolist()
    counts: dict[str, float] = {"images": len(manifest), "quarantined": quarantined}
    for split, part in manifest.groupby("split"):
        counts[str(split)] = len(part)
        if split != POOL:
            counts |= {f"{split}_{label}": len(images) for label, images in part.groupby("label")}
    near_indices = [(pair.first, pair.second) for pair in near]
    for name, pairs in (("identical", identical), ("near", near_indices)):
        between = [{splits[first], splits[second]} for first, second in pairs]
        counts[f"{name}_pairs"] = len(pairs)
        counts[f"{name}_pairs_train"] = between.count({"train"})
        counts[f"{name}_pairs_val"] = between.count({"val"})
        counts[f"{name}_pairs_across"] = between.count({"train", "val"})
    sizes = manifest.groupby("group").size()
    return counts | {
        "leaks": int(manifest["leak"].sum()),
        "label_conflicts": sum(_conflict(labels[first], labels[second]) for first, second in identical),
        "groups": int((sizes > 1).sum()),
        "largest_group": int(sizes.max()),
        "resized": int(((manifest["width"] != image_size) | (manifest["height"] != image_size)).sum()),
    }


def _conflict(one: str, other: str) -> bool:
    return one != other and bool(one) and bool(other)  # the pool has no labels to disagree with


def _pair(manifest: pd.DataFrame, first: int, second: int) -> dict[str, Any]:
    one, other = manifest.iloc[first], manifest.iloc[second]
    return {
        "first": one["image"],
        "second": other["image"],
        "across": {one["split"], other["split"]} == {"train", "val"},
        "label_conflict": _conflict(one["label"], other["label"]),
    }
