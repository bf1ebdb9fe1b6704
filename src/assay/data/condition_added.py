"""Instances that no conditions.csv has: objects that reviewers drew in photos of the pool, or anew in training photos."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.data.condition import Look, crop_of, flight_of, look_at, photo_groups
from assay.data.condition_features import MISSED, RECOMPUTED, RELATIONAL, geometric, relational
from assay.data.conditions_table import BOX
from assay.data.images import BadImage, Pixels, decode
from assay.data.items import POOL

FOLDER, CROPS = "hard_examples", "crops"  # beside the prepared data set


@dataclass(frozen=True)
class DrawnPhoto:
    """Every object of one photo, as a person drew them at a time; sequences of N."""

    photo: str  # path below the data
    candidate: str  # first 12 hex digits of the file's SHA-256
    at: str  # ISO, UTC
    boxes: Sequence[tuple[float, float, float, float]]  # px
    object_types: Sequence[str]
    labels: Sequence[str]  # "" = condition not said
    confidence: Sequence[float | None]  # of the detector whose box it was; None: it had missed the object


@dataclass(frozen=True)
class Added:
    """What the drawn photos come to."""

    rows: pd.DataFrame  # as the manifest's, split pool, label ""; crop is a path below the data set
    # image (an instance), label, at: of these, and of training instances that were drawn anew
    labels: pd.DataFrame
    refused: list[tuple[str, str]]  # photo, why


def add_photos(
    folder: Path,
    drawn: Sequence[DrawnPhoto],
    manifest: pd.DataFrame,
    *,
    data: Path,
    distance: float,
    dropped: str,
) -> Added:
    """Cut the drawn objects out of their photos into `folder`/crops and describe them as the manifest describes others.

    Both relational sets come from the drawn boxes: there is no row of conditions.csv. An instance of the manifest whose
    photo was drawn anew keeps its place if its crop is the same one, with the label drawn; else it gets the label
    `dropped`. A photo that is held out, or nearly shows what a held-out one shows, is refused, so is one that is gone.

    Args:
        folder: `FOLDER`, or what will be it.
        drawn: the photos.
        manifest: of the prepared data set.
        data: folder of the photos.
        distance: share of hash bits up to which two photos may be the same scene, as in preparing.
        dropped: a label that no training takes.
    """
    (folder / CROPS).mkdir()
    refused: list[tuple[str, str]] = []
    pixels: dict[str, Pixels] = {}
    for one in drawn:
        path = data / one.photo
        content = path.read_bytes() if path.is_file() else b""
        try:
            if hashlib.sha256(content).hexdigest()[:12] != one.candidate:
                raise BadImage("it is gone, or another picture now")
            pixels[one.photo] = decode(content)
        except BadImage as error:
            refused.append((one.photo, error.reason))
    group = _groups(pixels, manifest, data, distance)
    held_out = set(manifest.loc[manifest["split"] != "train", "group"])
    rows: list[dict[str, Any]] = []
    labels: list[dict[str, str]] = []
    for one in drawn:
        if one.photo not in pixels:
            continue
        if group[one.photo] in held_out:
            refused.append((one.photo, "it is held out, or shows what a held-out photo shows"))
            continue
        own = manifest[manifest["photo"] == one.photo]
        known = dict(zip(own["pixels"], own["image"], strict=True))
        cut_out = _instances(one, pixels[one.photo], group[one.photo], folder)
        again = {known[row["pixels"]]: row["label"] for row in cut_out if row["pixels"] in known}
        for image in own["image"]:
            label = again.get(image, dropped)
            labels.append({"image": image, "label": label, "at": one.at})
        for row in cut_out:
            if row["pixels"] not in known and row["label"]:
                labels.append({"image": row["image"], "label": row["label"], "at": one.at})
                rows.append(row | {"label": ""})
    said = [row for row in labels if row["label"]]
    return Added(
        pd.DataFrame(rows, columns=list(manifest.columns)),
        pd.DataFrame(said, columns=["image", "label", "at"]),
        refused,
    )


def _groups(
    pixels: Mapping[str, Pixels], manifest: pd.DataFrame, data: Path, distance: float
) -> dict[str, str]:
    """The group of each drawn photo, among the photos of the manifest: theirs where it shows the same scene."""
    if not pixels:
        return {}
    known = dict(zip(manifest["photo"], manifest["group"], strict=True))
    looks: dict[str, Look] = {name: look_at(picture) for name, picture in pixels.items()}
    looks |= {name: look_at(decode((data / name).read_bytes())) for name in known if name not in looks}
    joined = photo_groups(looks, distance)
    theirs = {joined[name]: group for name, group in known.items()}
    # one scene may join several groups: a held-out one among them counts
    held_out = set(manifest.loc[manifest["split"] != "train", "group"])
    theirs |= {joined[name]: group for name, group in known.items() if group in held_out}
    return {name: theirs.get(joined[name], joined[name]) for name in pixels}


def _instances(one: DrawnPhoto, picture: Pixels, group: str, folder: Path) -> list[dict[str, Any]]:
    """A row per object, with all that the manifest says of one; its crop is written."""
    height, width = picture.shape[:2]
    shares = np.array(one.boxes, np.float64).reshape(-1, 4) / (width, height, width, height)
    photo = [one.photo] * len(shares)
    found = np.array([score is not None for score in one.confidence])
    scores = np.array([MISSED if score is None else score for score in one.confidence], np.float64)
    numbers = geometric(shares, photo, np.tile(np.array((width, height), np.float64), (len(shares), 1)))
    own = relational(shares, one.object_types, photo, scores, found)
    numbers |= {name: own[name] for name in RELATIONAL}
    numbers |= {name: own[told] for name, told in zip(RECOMPUTED, RELATIONAL, strict=True)}
    rows = []
    for number, share in enumerate(shares):
        crop = crop_of(picture, share.tolist())
        path = f"{CROPS}/{one.candidate}_{number}.png"
        (folder / path).write_bytes(crop.content)
        rows.append(
            {
                "image": f"{one.photo}#drawn{number}",
                "label": one.labels[number],
                "split": POOL,
                "group": group,
                "sha256": crop.sha256,
                "pixels": crop.pixels,
                "crop": f"../{FOLDER}/{path}",
                "photo": one.photo,
                "object_type": one.object_types[number],
                "original_class": "",
                "condition": "",
                **dict(zip(BOX, share.tolist(), strict=True)),
                "photo_width": width,
                "photo_height": height,
                "flight": flight_of(one.photo),
                "leak": False,
                **{name: float(values[number]) for name, values in numbers.items()},
            }
        )
    return rows
