"""What prepare found in an object detection set: counts, balance, copies, what was mended."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.duplicates import Pair
from assay.data.images import Pixels
from assay.data.items import HELD_OUT, POOL, SPARE, SPLITS, Item

_MOST = 0.9  # of the images in one group: more, and what the groups are made of tells nothing


@dataclass(frozen=True)
class Stored:
    """One image that was written, and what is needed to compare it with the others."""

    item: Item
    image: str  # path below the data set's folder
    sha256: str  # of the stored file
    pixels: str  # of the decoded picture as it was read
    thumbnail: Pixels
    bits: NDArray[np.bool_]


def warning_of_groups(counts: Mapping[str, float]) -> str:
    """What to tell a person where nearly all images are one group, of `prepare`'s counts; "" where there is nothing."""
    if counts["largest_group"] <= _MOST * counts["images"]:
        return ""
    return (
        f"warning: {counts['largest_group']:.0f} of {counts['images']:.0f} images are one group by their names or looks; "
        "intervals draw whole groups, so there will be none, or none to rely on"
    )


def balance(stored: Sequence[Stored], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Images, images without objects, and boxes of each class, per subset and split."""
    rows = []
    for subset in sorted({one.item.subset for one in stored}):
        for split in SPLITS:
            part = [one.item for one in stored if (one.item.subset, one.item.split) == (subset, split)]
            if not part:
                continue
            labels = Counter(box.label for item in part for box in item.boxes if not box.ignore)
            empty = sum(all(box.ignore for box in item.boxes) for item in part)
            rows.append(
                {"subset": subset, "split": split, "images": len(part)}
                | {"without_objects": 0 if split == POOL else empty}
                | {"boxes": {name: labels[name] for name in classes}}
            )
    return rows


def names(boxes: pd.DataFrame) -> list[dict[str, Any]]:
    """Every name in the annotation, the class that it became ("" = a region to ignore), and its boxes."""
    counts = boxes.groupby(["label", "raw"], sort=True).size()
    named = [(*name, int(number)) for name, number in zip(counts.index, counts, strict=True)]
    return [{"raw": raw, "label": label, "boxes": number} for label, raw, number in named]


def findings(
    stored: Sequence[Stored],
    manifest: pd.DataFrame,
    identical: Sequence[tuple[int, int]],
    near: Sequence[Pair],
) -> dict[str, list[dict[str, Any]]]:
    """What the report lists one by one: copies, near-duplicates, what was mended, and regions that were painted over."""
    return {
        "identical": [_pair(manifest, first, second) for first, second in identical],
        "near_duplicates": [
            _pair(manifest, pair.first, pair.second)
            | {"distance": round(pair.distance, 4), "correlation": round(pair.correlation, 4)}
            for pair in near
        ],
        "mended": [{"image": one.image, "note": note} for one in stored for note in one.item.notes],
        "painted_over": [
            {"image": one.image, "region": [round(x, 1) for x in box.xyxy], "raw": box.raw}
            for one in stored
            if one.item.split == "train"
            for box in one.item.boxes
            if box.ignore
        ],
    }


def counts_of(
    stored: Sequence[Stored],
    manifest: pd.DataFrame,
    quarantined: int,
    identical: Sequence[tuple[int, int]],
    near: Sequence[Pair],
) -> dict[str, float]:
    """The numbers that prepare returns and its run records; pairs are indices of `manifest`'s rows."""
    counts: dict[str, float] = {"images": len(stored), "quarantined": quarantined}
    for split in SPLITS:
        part = [one.item for one in stored if one.item.split == split]
        if part:
            counts[split] = len(part)
            labels = Counter(box.label for item in part for box in item.boxes if not box.ignore)
            counts |= {f"{split}_{label}": number for label, number in sorted(labels.items())}
    splits = manifest["split"].tolist()
    for name, pairs in (
        ("identical", list(identical)),
        ("near", [(pair.first, pair.second) for pair in near]),
    ):
        counts[f"{name}_pairs"] = len(pairs)
        counts[f"{name}_pairs_across"] = sum(
            _across(splits[first], splits[second]) for first, second in pairs
        )
    sizes = manifest.groupby("group").size()
    by_group = manifest.groupby("group")["split"].agg(set)
    in_both = by_group[[("train" in found and bool(found & {*HELD_OUT})) for found in by_group]].index
    held_out = manifest["split"].isin(HELD_OUT)
    return counts | {
        "held_out": int(held_out.sum()),
        "leaks": int(manifest["leak"].sum()),
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
        "groups_across": len(in_both),
        "held_out_in_training_groups": int((held_out & manifest["group"].isin(in_both)).sum()),
        "mended": sum(len(one.item.notes) for one in stored),
        "ignored_regions": sum(box.ignore for one in stored for box in one.item.boxes),
    }


def _across(one: str, other: str) -> bool:
    return one != other and not {POOL, SPARE} & {one, other}


def _pair(manifest: pd.DataFrame, first: int, second: int) -> dict[str, Any]:
    one, other = manifest.iloc[first], manifest.iloc[second]
    return {
        "first": one["image"],
        "second": other["image"],
        "splits": [one["split"], other["split"]],
        "across": _across(one["split"], other["split"]),
    }
