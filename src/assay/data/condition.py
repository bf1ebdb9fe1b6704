"""Prepare annotated boxes for condition classification: check, cut out, find duplicates and leaks, list, report."""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from assay.data.condition_features import differences, geometric, missed, relational
from assay.data.condition_report import write_report
from assay.data.conditions_table import BOX, CONDITIONS, FEATURES, NAME, read_conditions
from assay.data.duplicates import cut_out, groups, hash_bits, near_pairs
from assay.data.images import BadImage, Pixels, decode
from assay.data.items import size_problem
from assay.data.progress import track
from assay.data.source import NAME as SOURCE
from assay.data.source import current_source, write_source_file
from assay.errors import UserError
from assay.files import fresh_folder, write_json

_MIN_IN_TRAIN = 2  # of a class: one to learn from leaves none to be wrong about


@dataclass(frozen=True)
class Look:
    """What is kept of a readable photo. pixels: hash of the decoded RGB."""

    pixels: str
    width: int
    height: int
    cutout: Pixels
    bits: NDArray[np.bool_]


@dataclass(frozen=True)
class Crop:
    """A box cut out. content: its PNG; sha256 of that; pixels: hash of the decoded RGB."""

    content: bytes
    sha256: str
    pixels: str


def prepare(
    data: Path,
    out: Path,
    *,
    classes: Sequence[str],
    object_types: Sequence[str],
    near_duplicate_distance: float,
) -> dict[str, float]:
    """Cut every usable box of `data`/conditions.csv out of its photo and describe it in `out`, replaced whole.

    Writes manifest.parquet, crops/*.png, quarantine.csv (image, reason), report.json, report.html, SOURCE.yaml.
    A crop is the box, no margin, as the authors cut it, rounded outwards to whole pixels. Rows and photos that
    cannot be used are quarantined and counted; nothing in `data` is touched.

    Args:
        data: holds conditions.csv and the photos it names.
        out: folder to write.
        classes: the two labels, normal first.
        object_types: what the column object_type may hold.
        near_duplicate_distance: share of hash bits, 0 to 0.5, up to which two photos may be the same scene, see
            `duplicates.near_pairs`.

    Returns:
        Counts for the run: instances, by split and class, photos, quarantined, duplicates, leaks, conflicts.

    Raises:
        UserError: the table is missing or of another form, or a class or split has too few usable instances.
    """
    table, bad = read_conditions(data / NAME, object_types=object_types, data=data)
    source = current_source(data, project=data.name)
    quarantine = [(row.source, row.reason) for row in bad]
    with fresh_folder(out) as folder:
        (folder / "crops").mkdir()
        instances, photos = [], {}
        rows = _rows(table, classes, quarantine)
        for name, part in track(rows.items(), "cutting crops", len(rows)):
            try:
                image = decode((data / name).read_bytes())
            except (BadImage, OSError) as error:
                reason = error.reason if isinstance(error, BadImage) else f"cannot be read: {error.strerror}"
                quarantine += [(row["image"], f"photo: {reason}") for row in part]
                continue
            height, width = image.shape[:2]
            if problem := size_problem(width, height):
                quarantine += [(row["image"], f"photo: {problem}") for row in part]
                continue
            photos[name] = look_at(image)
            instances += [row | _cut_out(row, image, folder) for row in part]
        _require_enough(data / NAME, instances, quarantine, classes)
        manifest = _manifest(instances, photos, near_duplicate_distance)
        computed = [name for name in FEATURES if name not in table]
        counts = _counts(manifest, len(quarantine))
        if computed:
            counts["computed_features"] = len(computed)
        report = {
            "counts": counts,
            "source": source,
            "quarantine": [{"image": name, "reason": reason} for name, reason in sorted(quarantine)],
            "conflicts": _conflicts(manifest),
            "relational": differences(manifest),
            "computed": computed,
        }
        manifest.to_parquet(folder / "manifest.parquet", index=False)
        with (folder / "quarantine.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([("image", "reason"), *sorted(quarantine)])
        write_json(folder / "report.json", report)
        write_report(folder / "report.html", report, manifest, folder)
        write_source_file(folder / SOURCE, source)
    return counts


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read the manifest of a prepared folder: one row per instance, in the table's order.

    Columns: image (the instance, <photo>#<line of conditions.csv>), label, split, group (the first photo of its photo's
    near-duplicate group), sha256 (of the crop's file), pixels (of the decoded crop), crop (its path below
    `folder`), photo, photo_width, photo_height (px), object_type, original_class, condition, flight, leak, the
    box as shares of the photo, and the spatial features: geometric, relational, and relational recomputed from the boxes.

    Raises:
        UserError: the folder was not prepared.
    """
    path = folder / "manifest.parquet"
    if not path.is_file():
        raise UserError(f"{path}: missing; run prepare first (`dvc repro prepare@conditions`)")
    return pd.read_parquet(path)


def labels_of(manifest: pd.DataFrame, kind: str, two: Sequence[str]) -> tuple[pd.Series, list[str]]:
    """Each instance's label, and all labels in the model's order, for one way to name conditions.

    kind: "binary" (`two`: normal and conditional), "three" (normal, blocked, damaged) or "nine" (the names of the
    annotation, sorted).
    """
    if kind == "binary":
        return manifest["label"], list(two)
    if kind == "three":
        return manifest["condition"], list(CONDITIONS)
    return manifest["original_class"], sorted(set(manifest["original_class"]), key=str.lower)


def two_of(manifest: pd.DataFrame, labels: pd.Series, two: Sequence[str]) -> dict[str, str]:
    """Which of the two labels each finer one stands for: the one most of its training instances have."""
    train = manifest["split"] == "train"
    share = (manifest.loc[train, "label"] == two[1]).groupby(labels[train]).mean()
    return {str(name): two[int(value >= 0.5)] for name, value in share.items()}


def held_out(manifest: pd.DataFrame, share: float, seed: int) -> pd.Series:
    """(N,) bool: instances to choose an epoch by; those of split val, or else a `share` of the training groups.

    Whole groups are taken, so that no photo is on both sides. Raises UserError where nothing would be left.
    """
    if (manifest["split"] == "val").any():
        return manifest["split"] == "val"
    train = manifest["split"] == "train"
    names = np.array(sorted(set(manifest.loc[train, "group"])), dtype=object)
    taken = np.random.default_rng(seed).permutation(names)[: round(share * len(names))]
    if not 0 < len(taken) < len(names):
        raise UserError(
            f"train.validation_share {share:g} of {len(names)} groups of training photos leaves one side empty; "
            "take another share, or train.selection=last"
        )
    return train & manifest["group"].isin(list(taken))


def cut(photo: Pixels, box: Sequence[float]) -> Pixels:
    """The part of (height, width, 3) inside `box` (shares of the sides), rounded outwards, at least one pixel."""
    height, width = photo.shape[:2]
    x1, y1, x2, y2 = box
    left, top = min(int(x1 * width), width - 1), min(int(y1 * height), height - 1)
    right, bottom = int(np.ceil(x2 * width)), int(np.ceil(y2 * height))
    return photo[top : max(bottom, top + 1), left : max(right, left + 1)]


def flight_of(photo: str) -> str:
    """The flight a photo's name tells ("Lagoon1_B12_034_V" -> "Lagoon1"), "" where it tells none.

    Names do not tell all: photos of one flight also go by other names.
    """
    found = re.match(r"((?:Stage\d+-)?Lagoon[0-9and]+)_", Path(photo).name)
    return found[1] if found else ""


def _rows(
    table: pd.DataFrame, classes: Sequence[str], quarantine: list[tuple[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """The table's rows by photo; those whose condition and label contradict each other go to `quarantine`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.rename(columns={"image": "photo"}).to_dict("records"):
        instance = {str(key): value for key, value in row.items()}
        instance["image"] = f"{instance['photo']}#{instance['row']}"
        instance["label"] = classes[instance["label"]]
        if (instance["condition"] == "normal") == (instance["label"] == classes[0]):
            rows.setdefault(instance["photo"], []).append(instance)
        else:
            reason = f"condition {instance['condition']} contradicts the label {instance['label']}"
            quarantine.append((instance["image"], reason))
    return rows


def look_at(image: Pixels) -> Look:
    """What is kept of a photo, (height, width, 3) RGB."""
    cutout = cut_out(image)
    return Look(_digest(image), image.shape[1], image.shape[0], cutout, hash_bits(cutout))


def crop_of(photo: Pixels, box: Sequence[float]) -> Crop:
    """The part of a photo (height, width, 3) inside `box`, shares of its sides: see `cut`."""
    crop = cut(photo, box)
    content = _png(crop)
    return Crop(content, hashlib.sha256(content).hexdigest(), _digest(crop))


def _cut_out(row: dict[str, Any], image: Pixels, folder: Path) -> dict[str, str]:
    """Write one crop; its path below `folder`, the hash of its file and of its pixels."""
    crop = crop_of(image, [row[side] for side in BOX])
    path = f"crops/{Path(row['photo']).stem}_{row['row']}.png"
    (folder / path).write_bytes(crop.content)
    return {"crop": path, "sha256": crop.sha256, "pixels": crop.pixels}


def photo_groups(photos: dict[str, Look], distance: float) -> dict[str, str]:
    """Each photo's group: identical pixels, or nearly the same view; named by its first photo."""
    names = sorted(photos)
    near = near_pairs(
        [photos[name].cutout for name in names], np.stack([photos[name].bits for name in names]), distance
    )
    first: dict[str, int] = {}
    same = [(first.setdefault(photos[name].pixels, index), index) for index, name in enumerate(names)]
    lowest = groups(len(names), [*same, *((pair.first, pair.second) for pair in near)])
    return {name: names[index] for name, index in zip(names, lowest.tolist(), strict=True)}


def _manifest(instances: Sequence[dict[str, Any]], photos: dict[str, Look], distance: float) -> pd.DataFrame:
    group = photo_groups(photos, distance)
    table = pd.DataFrame(list(instances)).sort_values("row", ignore_index=True)
    told = ["object_type", "original_class", "condition"]
    computed = [name for name in FEATURES if name not in table]
    if "detector_confidence" in computed:
        table["detector_confidence"] = 1.0  # a person's boxes: none is unsure, and none was missed
    first = ["image", "label", "split", "sha256", "pixels", "crop", "photo", *told, *BOX, *FEATURES]
    table = table.reindex(columns=first)
    table.insert(3, "group", table["photo"].map(group))
    table = table.assign(
        photo_width=table["photo"].map(lambda name: photos[name].width),
        photo_height=table["photo"].map(lambda name: photos[name].height),
        photo_pixels=table["photo"].map(lambda name: photos[name].pixels),
        flight=table["photo"].map(flight_of),
    )
    numbers = geometric(
        table[list(BOX)].to_numpy(np.float64),
        table["photo"].tolist(),
        table[["photo_width", "photo_height"]].to_numpy(np.float64),
    )
    again = relational(
        table[list(BOX)].to_numpy(np.float64),
        table["object_type"].tolist(),
        table["photo"].tolist(),
        table["detector_confidence"].to_numpy(np.float64),
        ~missed(table),
    )
    numbers |= {f"recomputed_{name}": values for name, values in again.items()}
    numbers |= {name: again[name] for name in computed}
    train = table[table["split"] == "train"]
    seen = table["pixels"].isin(train["pixels"]) | table["photo_pixels"].isin(train["photo_pixels"])
    return table.assign(**numbers, leak=(table["split"] != "train") & seen).drop(columns="photo_pixels")


def _require_enough(
    path: Path,
    instances: Sequence[dict[str, Any]],
    quarantine: Sequence[tuple[str, str]],
    classes: Sequence[str],
) -> None:
    hint = (
        f" ({len(quarantine)} rows are set aside, the first: {': '.join(quarantine[0])})"
        if quarantine
        else ""
    )
    for name in classes:
        count = sum(i["label"] == name and i["split"] == "train" for i in instances)
        if count < _MIN_IN_TRAIN:
            raise UserError(
                f"{path}: {count} usable training instances are {name}; at least {_MIN_IN_TRAIN} are needed{hint}"
            )
    if not any(instance["split"] == "test" for instance in instances):
        raise UserError(f"{path}: no usable row of split test, so nothing could be evaluated{hint}")


def _counts(manifest: pd.DataFrame, quarantined: int) -> dict[str, float]:
    counts: dict[str, float] = {
        "instances": len(manifest),
        "quarantined": quarantined,
        "photos": manifest["photo"].nunique(),
        "groups": manifest["group"].nunique(),
    }
    for split, part in manifest.groupby("split"):
        counts[str(split)] = len(part)
        counts |= {f"{split}_{label}": len(rows) for label, rows in part.groupby("label")}
        counts[f"{split}_photos"] = part["photo"].nunique()
    train, test = (manifest[manifest["split"] == name] for name in ("train", "test"))
    return counts | {
        "identical_crops": int(manifest["pixels"].duplicated().sum()),
        "boxes_below_a_pixel": int((_sides(manifest) < 1).any(axis=1).sum()),
        "label_conflicts": len(_conflicts(manifest)),
        "leaks": int(manifest["leak"].sum()),
        "test_in_training_groups": int(test["group"].isin(train["group"]).sum()),
        "test_in_training_flights": int(test["flight"].isin(set(train["flight"]) - {""}).sum()),
        "detector_missed": int(missed(manifest).sum()),
    }


def _sides(manifest: pd.DataFrame) -> NDArray[np.float64]:
    """(N, 2) width and height of each box in px of its photo; `cut` takes a whole pixel where it is less."""
    shares = manifest[["x2", "y2"]].to_numpy() - manifest[["x1", "y1"]].to_numpy()
    return np.asarray(shares * manifest[["photo_width", "photo_height"]].to_numpy(), np.float64)


def _conflicts(manifest: pd.DataFrame) -> list[list[str]]:
    """Instances whose crops are identical and whose labels are not."""
    same = manifest.groupby("pixels")
    mixed = same["label"].transform("nunique") > 1
    return [part["image"].tolist() for _, part in manifest[mixed].groupby("pixels", sort=False)]


def _png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _digest(image: NDArray[np.uint8]) -> str:
    height, width = image.shape[:2]
    return hashlib.sha256(f"{width}x{height}:".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def counts_line(counts: dict[str, Any]) -> str:
    """One sentence about a prepared set, for the terminal."""
    computed = counts.get("computed_features", 0)
    return (
        f"{counts['instances']:.0f} instances on {counts['photos']:.0f} photos, "
        f"{counts['quarantined']:.0f} rows set aside, {counts['leaks']:.0f} leaks"
        f"{f', {computed:.0f} features computed from the boxes' if computed else ''}"
    )
