"""Decisions about detectors' candidates -> hard negatives, corrected boxes, and what a person still has to draw boxes on.

A hard negative teaches "there is nothing here" and is trained on with empty labels. So it takes a decision that says
just that: no object of any class shows. A lookalike's category alone does not: a frame of random cones is no work
zone, but it holds cones, and the published recipe taught its detector to miss them (document 002, line 146).
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from assay.errors import UserError
from assay.review.apply import progress, settling
from assay.review.decisions import DRAWN, Decision

SECONDS_PER_DECISION = 10  # assumed until there are measured ones: a frame is searched, not glanced at
NO_OBJECT, OBJECT, UNUSABLE = "no_object", "object", "unusable"
SHOW_OBJECTS = frozenset({OBJECT, "work_zone", "random_cones"})  # by their meaning, whatever else was said

NEGATIVE, LABELLED, TO_ANNOTATE, DROPPED, NONE = USES = (
    *("negative", "labelled", "to_annotate", "dropped", "none"),
)
COLUMNS = (
    *("image", "picture", "candidate", "label", "use", "category", "reason", "reviewer", "kind", "at"),
    "drawn",
)

Answer = Callable[[Mapping[Any, Any]], tuple[str, bool | None] | None]  # a candidate -> label, objects


def box_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """What may be answered about a detector's candidate: the project's labels, and that no or some object shows."""
    return tuple(dict.fromkeys((*labels, NO_OBJECT, OBJECT)))


def use_of(decision: Decision, classes: Sequence[str], *, labelled: bool = False) -> str:
    """What training may do with a decided image: one of `USES`.

    Args:
        decision: what was said about it.
        classes: of the project; a class as the answer says that such an object shows.
        labelled: whether the data set has a box in this image, which no decision about the image can take away.

    Returns:
        negative: no object of any class shows; labelled: somebody drew every object; to_annotate: one shows, and it
        needs boxes; dropped: unusable; none: the answer does not tell, or contradicts itself or the labels.
    """
    if decision.label == DRAWN:
        return LABELLED if decision.drawn else NONE
    if decision.label == UNUSABLE:
        return DROPPED
    shows = decision.label in SHOW_OBJECTS or decision.label in classes
    if shows or decision.objects:
        return NONE if decision.label == NO_OBJECT else TO_ANNOTATE
    if decision.label == NO_OBJECT or decision.objects is False:
        return NONE if labelled else NEGATIVE
    return NONE


def apply_box_decisions(
    candidates: pd.DataFrame,
    decisions: Sequence[Decision],
    *,
    images: pd.DataFrame,
    classes: Sequence[str],
    sample_data: bool,
    kinds: Collection[str] = ("human",),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Let the latest decision that counts say what each image may be used for.

    Which decisions count: see `assay.review.apply.settling`.

    Args:
        candidates: what waits for review: candidate, image, reason.
        decisions: of all reviewers, in any order.
        images: every image a decision may be about (never validation or test): candidate, image; optionally picture
            (path of the file to train on, `image` if not given) and labelled (boxes that the data set has in it).
        classes: of the project.
        sample_data: whether the data is the sample.
        kinds: of reviewers whose decisions count.

    Returns:
        The examples with `COLUMNS`, sorted by image (`category` is the lookalike a negative was sorted under, `drawn`
        JSON: the objects of a labelled one, see `decisions.Drawn`, else ""), and a summary: settled, settled_by_kind,
        labels, uses, labelled, negatives, negatives_by_category, unclear (settled, but the
        answer gives no use), not_in_data, and what `assay.review.apply.progress` counts.
    """
    if "split" in images and images["split"].isin(("val", "test")).any():
        raise ValueError("no decision may be about validation or test images: they would be trained on")
    settled = settling(decisions, sample_data=sample_data, kinds=kinds)
    reasons = dict(zip(candidates["candidate"], candidates["reason"], strict=True))
    rows = []
    for image in images.to_dict("records"):
        decision = settled.get(image["candidate"])
        if decision is None:
            continue
        use = use_of(decision, classes, labelled=image.get("labelled", 0) > 0)
        rows.append(
            {
                "image": image["image"],
                "picture": image.get("picture", image["image"]),
                "candidate": image["candidate"],
                "label": decision.label,
                "use": use,
                "category": decision.label if use == NEGATIVE else "",
                "reason": reasons.get(image["candidate"], "decided earlier"),
                "reviewer": decision.reviewer,
                "kind": decision.kind,
                "at": decision.at.isoformat(),
                "drawn": json.dumps([one.model_dump() for one in decision.drawn]) if use == LABELLED else "",
            }
        )
    examples = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("image").reset_index(drop=True)
    uses = Counter(examples["use"])
    summary = {
        "settled": len(examples),
        "settled_by_kind": dict(sorted(Counter(examples["kind"]).items())),
        "labels": dict(sorted(Counter(examples["label"]).items())),
        "uses": {use: uses[use] for use in USES},
        "labelled": uses[LABELLED],
        "negatives": uses[NEGATIVE],
        "negatives_by_category": dict(
            sorted(Counter(examples["category"][examples["category"] != ""]).items())
        ),
        "unclear": uses[NONE],
        "not_in_data": len(set(settled) - set(images["candidate"])),
    }
    offered = set(candidates["candidate"])
    return examples, progress(offered, decisions, assumed=SECONDS_PER_DECISION) | summary


def sample_box_truth(candidates: pd.DataFrame, data: Path) -> list[Decision]:
    """Decisions of the sample's generator about its own images and clips: kind sample-truth, never counted as human.

    Args:
        candidates: the candidates' table; frames of clips have the columns group (the clip) and frame, images may
            have source (path below `data`).
        data: data/<project> with truth.csv (image, truth) or truth_clips.csv (clip, first_frame, last_frame, truth,
            objects 0 or 1), or both; both frames are included.

    Raises:
        UserError: neither file is there; sample data always has one.
    """
    answers = [_image_truth(path) for path in [data / "truth.csv"] if path.is_file()]
    answers += [_clip_truth(path) for path in [data / "truth_clips.csv"] if path.is_file()]
    if not answers:
        raise UserError(
            f"{data}/truth.csv: missing, and no truth_clips.csv; the sample's generator writes it: run `make data` on "
            "an empty data/"
        )
    epoch = datetime(2000, 1, 1, tzinfo=UTC)  # a fixed time: the same sample gives the same bytes
    decisions = []
    for row in candidates.to_dict("records"):
        said = next((found for answer in answers if (found := answer(row)) is not None), None)
        if said is not None:
            decisions.append(
                Decision(
                    candidate=row["candidate"],
                    image=row["image"],
                    label=said[0],
                    reviewer="sample-generator",
                    kind="sample-truth",
                    at=epoch,
                    objects=said[1],
                )
            )
    return decisions


def _image_truth(path: Path) -> Answer:
    table = pd.read_csv(path, keep_default_na=False)
    truth = dict(zip(table["image"], table["truth"], strict=True))

    def answer(row: Mapping[Any, Any]) -> tuple[str, bool | None] | None:
        label = truth.get(row["image"], truth.get(row.get("source")))
        return None if label is None else (label, None)

    return answer


def _clip_truth(path: Path) -> Answer:
    spans: dict[str, list[tuple[int, int, str, bool]]] = {}
    for row in pd.read_csv(path, dtype={"clip": str}, keep_default_na=False).to_dict("records"):
        span = (int(row["first_frame"]), int(row["last_frame"]), str(row["truth"]), bool(int(row["objects"])))
        spans.setdefault(row["clip"], []).append(span)

    def answer(row: Mapping[Any, Any]) -> tuple[str, bool | None] | None:
        if "frame" not in row:
            return None
        for first, last, label, objects in spans.get(row["group"], []):
            if first <= row["frame"] <= last:
                return label, objects
        return None

    return answer
