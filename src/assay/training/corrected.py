"""Boxes that reviewers drew: they replace a training image's own, and make a picture of the pool a training image."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from assay.data.infrastructure import picture_size

_SIDES = ["x1", "y1", "x2", "y2"]


@dataclass(frozen=True)
class Corrected:
    """Training data with reviewers' boxes in it."""

    rows: pd.DataFrame
    boxes: pd.DataFrame
    replaced: int  # training images with other boxes now
    added: int  # pictures that were none before
    by_kind: dict[str, int]  # of reviewer

    @property
    def about(self) -> dict[str, Any]:
        """For model.json."""
        return {"replaced": self.replaced, "added": self.added, "by_kind": self.by_kind}


def with_corrected(
    rows: pd.DataFrame,
    boxes: pd.DataFrame,
    examples: pd.DataFrame,
    *,
    pictures: Path,
    labelled: Collection[str],
    barred: Collection[str],
    classes: Sequence[str],
) -> Corrected:
    """Put the drawn boxes of reviewed examples into training data.

    Args:
        rows: of splits train and val: image (path below the data set), split, sha256, width, height (px).
        boxes: of those: image, label, x1, y1, x2, y2 (px), width, height of the image.
        examples: hard_examples/examples.csv; those of use `labelled` count.
        pictures: hard_examples, beside the prepared data set; its images/ holds the examples' pictures.
        labelled: every image of the training split: one that is not in `rows` was left out and stays out.
        barred: candidates that must not teach, see `assay.mining.images.barred`.
        classes: names; a drawn object of another class is left out.

    Returns:
        `rows` and `boxes` with them; val is as it was.
    """
    drawn = examples[(examples["use"] == "labelled") & ~examples["candidate"].isin(barred)]
    own = set(rows.loc[rows["split"] == "train", "image"])
    replaced = drawn[drawn["image"].isin(own)]
    added = drawn[~drawn["image"].isin({*labelled, *rows["image"]})]
    # beside the data set, under a name of its own: a picture of the pool may be called as one of the training set
    places = {row["image"]: f"../{pictures.name}/images/{row['picture']}" for row in added.to_dict("records")}
    sizes = {
        row["image"]: {side: int(row[side]) for side in ("width", "height")}
        for row in rows.to_dict("records")
    }
    new_rows, new_boxes = [], []
    for example in pd.concat([replaced, added]).to_dict("records"):
        image = str(example["image"])
        if image in places:
            width, height = picture_size(pictures / "images" / example["picture"])
            size = {"width": width, "height": height}
            about = {"image": places[image], "split": "train", "sha256": example["candidate"]}
            new_rows.append(about | size)
        else:
            size = sizes[image]
        for one in json.loads(example["drawn"]):
            if one["label"] in classes:
                box = dict(zip(_SIDES, one["box"], strict=True))
                new_boxes.append({"image": places.get(image, image), "label": one["label"], **box, **size})
    kept = boxes[~boxes["image"].isin(set(replaced["image"]))]
    return Corrected(
        rows=pd.concat([rows, pd.DataFrame(new_rows)], ignore_index=True) if new_rows else rows,
        boxes=pd.concat([kept, pd.DataFrame(new_boxes)], ignore_index=True) if new_boxes else boxes,
        replaced=len(replaced),
        added=len(added),
        by_kind=dict(sorted(Counter(pd.concat([replaced, added])["kind"]).items())),
    )
