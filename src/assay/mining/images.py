"""Ranking labelled and unlabelled images or pages by how much their boxes are worth a person's look."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pandas as pd
from supervision import Detections, box_iou_batch

from assay.data.detections import detections, from_table
from assay.data.progress import track
from assay.mining.boxes_json import boxes_json

CONFIDENCE = 0.25  # a box at or above it is what the model says, against the labels and to a reviewer
REASONS = ("miss", "false_alarm", "disagreement", "uncertain")  # labels first: they are the surer witness
HELD_OUT = ("val", "test")
_INSIDE = 0.5  # a box that lies in a region to ignore with at least this share is no false alarm
_BATCH = 8


class FlippingDetector(Protocol):
    """What finds boxes in an image and in its mirror image, mirrored back."""

    def predict(
        self,
        images: Iterable[np.ndarray],
        *,
        confidence: float,
        nms_iou: float,
        max_boxes: int,
        flip: bool = False,
    ) -> Iterator[Detections]:
        """The boxes of each image, in px of it."""


@dataclass(frozen=True)
class _Finding:
    """Why an image is worth a look."""

    reason: str
    surprise: float  # 0-1
    about: str  # class of the box that is to blame


def minable(manifest: pd.DataFrame) -> pd.DataFrame:
    """The images that may be mined, and trained on as reviewed: of the training set and the pool.

    None shows what a held-out one shows, or is of a flight, document or recording that is held out whole. Where a
    published split tears a group, so that training has its part of it, the pool's images of it may be mined, too.

    Args:
        manifest: image, split, sha256 and group of every image; where it has a column `alike` (identical and
            near-duplicate pictures, without the flight or document that joins a whole recording), that one says what
            shows the same.
    """
    held_out, group = manifest["split"].isin(HELD_OUT), manifest["group"]
    alike = _alike(manifest)
    same = alike.isin(alike[held_out]) & (alike != "")
    copies = manifest["sha256"].isin(manifest.loc[held_out, "sha256"])
    whole = group.isin(group[held_out]) & ~group.isin(group[manifest["split"] == "train"]) & (group != "")
    return manifest[~held_out & ~same & ~copies & ~whole].reset_index(drop=True)


def barred(manifest: pd.DataFrame) -> set[str]:
    """Candidates (first 12 hex digits of the file's hash) of the images that are not `minable`.

    A review made under another split may hold them; training leaves them out.
    """
    return set(manifest["sha256"].str[:12]) - set(minable(manifest)["sha256"].str[:12])


def _alike(images: pd.DataFrame) -> pd.Series:
    return images["alike"] if "alike" in images else images["group"]


def rank_images(
    images: pd.DataFrame,
    detector: FlippingDetector,
    load: Callable[[str], np.ndarray],
    *,
    truth: pd.DataFrame,
    classes: Sequence[str],
    uncertain: tuple[float, float],
    match_iou: float,
    max_candidates: int,
    nms_iou: float = 0.7,
    max_boxes: int = 100,
    augmented: Callable[..., Iterator[Detections]] | None = None,
    further: Callable[[np.ndarray, Detections], tuple[str, float, str] | None] | None = None,
) -> pd.DataFrame:
    """Choose and order what a reviewer should see first.

    Every image is looked at twice: as it is, and mirrored or with test-time augmentation. Four reasons, the first that
    holds counts; those of `further` stand behind the first two:

    - miss: a labelled object without a box of its class at `CONFIDENCE`; surprise = 1 - the best score a box there
      has below it.
    - false_alarm: a box in a labelled image where no object of its class is labelled; surprise = its score.
    - disagreement: a box of one look without a partner in the other, where the partner may be as weak as the
      uncertain band's lower end; surprise = its score.
    - uncertain: the image's best box scores within the band; surprise = 1 - 2 * |score - .5|.

    Of images that show the same thing (see `minable`) the most surprising is shown. Where there are more than fit, the
    reasons take turns.

    Args:
        images: rows with image, split, group, sha256 and optionally alike and source; never held-out ones, see `minable`.
        detector: what finds boxes.
        load: image -> uint8 (H, W, 3) RGB.
        truth: labelled boxes: image, label, x1, y1, x2, y2 (px), ignore. Images of the pool have no labels; in one of
            the training set that has no rows nothing is to be found.
        classes: names, in the order of the detector's outputs.
        uncertain: lower and upper end of the band of scores.
        match_iou: boxes of one class that overlap less are not the same.
        max_candidates: at most so many rows come back.
        nms_iou: IoU of the detector's non-maximum suppression.
        max_boxes: of an image.
        augmented: the second look, asked as the detector is; None = the detector sees the mirror image.
        further: picture and its boxes -> another reason, surprise (0-1) and class, or None, as `pages.page_finding`.

    Returns:
        Columns candidate (12 hex digits of the file's hash), image, source, split, label (classes labelled, joined
        by +), about (class of the box to blame), group, group_size, reason, surprise, confidence (of the best box, 0
        without one), found (boxes at `CONFIDENCE`), labelled (boxes; -1 without labels), boxes (JSON); the most
        surprising first.

    Raises:
        ValueError: held-out images are among the rows; what is evaluated must not be mined.
    """
    if images["split"].isin(HELD_OUT).any():
        raise ValueError("validation and test images must not be mined: a reviewed one would be trained on")
    low = min(uncertain[0], CONFIDENCE)
    names = images["image"].tolist()
    marked = from_table(truth[~truth["ignore"].astype(bool)], classes, names)
    regions = truth[truth["ignore"].astype(bool)]
    ignored = {
        image: rows[["x1", "y1", "x2", "y2"]].to_numpy(float) for image, rows in regions.groupby("image")
    }
    second = augmented or partial(detector.predict, flip=True)
    asked = {"confidence": low, "nms_iou": nms_iou, "max_boxes": max_boxes}
    views = _two_looks(names, (detector.predict, second), load, asked)
    alike = _alike(images)
    sizes = images.groupby(alike)["image"].transform("size").where(alike != "", 1)
    rows = []
    for image, same, size, (picture, plain, other) in zip(
        images.to_dict("records"), alike, sizes, views, strict=True
    ):
        name = image["image"]
        labels = marked[name] if image["split"] == "train" else None
        finding = _against_labels(plain, labels, ignored.get(name), classes, match_iou)
        if finding is None and further is not None and (more := further(picture, plain)) is not None:
            finding = _Finding(*more)
        if finding is None:
            finding = _unsure(
                plain, other, ignored.get(name), classes, uncertain=uncertain, match_iou=match_iou
            )
        if finding is None:
            continue
        shown = boxes_json(_at_least(plain, low), classes)
        shown += boxes_json(_lone(other, plain, match_iou), classes, "augmented" if augmented else "mirrored")
        shown += boxes_json(labels, classes, "label") if labels is not None else []
        rows.append(
            {
                "candidate": image["sha256"][:12],
                "image": name,
                "source": image.get("source", name),
                "split": image["split"],
                "label": "" if labels is None else "+".join(sorted({classes[k] for k in _ids(labels)})),
                "about": finding.about,
                "group": same or name,
                "group_size": int(size),
                "reason": finding.reason,
                "surprise": round(finding.surprise, 6),
                "confidence": round(float(_scores(plain).max(initial=0.0)), 6),
                "found": int((_scores(plain) >= CONFIDENCE).sum()),
                "labelled": -1 if labels is None else len(labels),
                "boxes": json.dumps(shown, separators=(",", ":")),
            }
        )
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table = table.sort_values(["surprise", "image"], ascending=[False, True]).drop_duplicates("group")
    table = table.reset_index(drop=True)
    turn = table.groupby("reason").cumcount().sort_values(kind="stable").index[:max_candidates]
    return table.loc[sorted(turn.tolist())].reset_index(drop=True)


_COLUMNS = [
    "candidate",
    "image",
    "source",
    "split",
    "label",
    "about",
    "group",
    "group_size",
    "reason",
    "surprise",
    "confidence",
    "found",
    "labelled",
    "boxes",
]


def _two_looks(
    names: Sequence[str],
    looks: Sequence[Callable[..., Iterator[Detections]]],
    load: Callable[[str], np.ndarray],
    asked: Mapping[str, Any],
) -> Iterator[tuple[Any, ...]]:
    """Each image, and what each look finds in it; a batch of images is held at once."""
    stream = iter(track(names, "looking at images", len(names)))
    while some := [load(name) for name in islice(stream, _BATCH)]:
        yield from zip(some, *(look(some, **asked) for look in looks), strict=True)


def _against_labels(
    plain: Detections,
    labels: Detections | None,
    ignored: np.ndarray | None,
    classes: Sequence[str],
    match_iou: float,
) -> _Finding | None:
    if labels is not None:
        missed = _lone(labels, _at_least(plain, CONFIDENCE), match_iou)
        if len(missed):
            best = _best_partner(missed, plain, match_iou)
            worst = int(best.argmin())
            return _Finding("miss", 1 - float(best[worst]), _name(missed, worst, classes))
        alarms = _outside(_lone(_at_least(plain, CONFIDENCE), labels, match_iou), ignored)
        if len(alarms):
            return _surest("false_alarm", alarms, classes)
    return None


def _unsure(
    plain: Detections,
    second: Detections,
    ignored: np.ndarray | None,
    classes: Sequence[str],
    *,
    uncertain: tuple[float, float],
    match_iou: float,
) -> _Finding | None:
    sure = [
        _outside(_lone(_at_least(one, CONFIDENCE), other, match_iou), ignored)
        for one, other in ((plain, second), (second, plain))
    ]
    if any(len(lone) for lone in sure):
        return _surest("disagreement", max(sure, key=lambda lone: _scores(lone).max(initial=0.0)), classes)
    scores = _scores(plain)
    best_score = float(scores.max(initial=0.0))
    if len(scores) and uncertain[0] <= best_score <= uncertain[1]:
        return _Finding(
            "uncertain", 1 - 2 * abs(best_score - 0.5), _name(plain, int(scores.argmax()), classes)
        )
    return None


def _overlaps(one: Detections, other: Detections, match_iou: float) -> np.ndarray:
    """bool (N, M): same class and an IoU of at least `match_iou`."""
    if not len(one) or not len(other):
        return np.zeros((len(one), len(other)), bool)
    same = _ids(one)[:, None] == _ids(other)[None]
    return same & (box_iou_batch(one.xyxy, other.xyxy) >= match_iou)


def _lone(one: Detections, other: Detections, match_iou: float) -> Detections:
    """Boxes of `one` without a partner in `other`. A partner may serve several: doubles are no disagreement."""
    return _chosen(one, np.flatnonzero(~_overlaps(one, other, match_iou).any(axis=1)))


def _best_partner(one: Detections, other: Detections, match_iou: float) -> np.ndarray:
    """For each box of `one` the best score among its partners in `other`, 0 without one: float (N,)."""
    if not len(other):
        return np.zeros(len(one))
    return np.where(_overlaps(one, other, match_iou), _scores(other)[None], 0.0).max(axis=1)


def _outside(found: Detections, ignored: np.ndarray | None) -> Detections:
    if ignored is None or not len(found):
        return found
    left_top = np.maximum(found.xyxy[:, None, :2], ignored[None, :, :2])
    right_bottom = np.minimum(found.xyxy[:, None, 2:], ignored[None, :, 2:])
    shared = np.clip(right_bottom - left_top, 0, None).prod(axis=2)
    area = (found.xyxy[:, 2:] - found.xyxy[:, :2]).prod(axis=1)
    return _chosen(found, ~(shared >= _INSIDE * area[:, None]).any(axis=1))


def _at_least(found: Detections, confidence: float) -> Detections:
    return _chosen(found, np.flatnonzero(_scores(found) >= confidence))


def _chosen(found: Detections, keep: np.ndarray) -> Detections:
    score = None if found.confidence is None else found.confidence[keep]
    return detections(found.xyxy[keep], _ids(found)[keep], score)


def _surest(reason: str, found: Detections, classes: Sequence[str]) -> _Finding:
    best = int(_scores(found).argmax())
    return _Finding(reason, float(_scores(found)[best]), _name(found, best, classes))


def _name(found: Detections, index: int, classes: Sequence[str]) -> str:
    return classes[int(_ids(found)[index])]


def _ids(found: Detections) -> np.ndarray:
    if found.class_id is None:
        raise ValueError("boxes need class_id")
    return found.class_id


def _scores(found: Detections) -> np.ndarray:
    if found.confidence is None:
        raise ValueError("boxes of a detector need confidence")
    return found.confidence.astype(float)
