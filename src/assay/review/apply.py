"""Candidates + decisions -> the examples training may use, and how many still wait for a person."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from assay.errors import UserError
from assay.review.decisions import Decision

SECONDS_PER_DECISION = 4  # an estimate for the size of a session: one glance and one key


def apply_decisions(
    candidates: pd.DataFrame, decisions: Sequence[Decision], *, images: pd.DataFrame, sample_data: bool
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Let the latest decision that counts settle each image it was made about.

    Human decisions count always, sample-truth only on sample data, a model's never: it may inform a person, but
    nothing is trained on it. A decision stays good when its image is no longer among the candidates.

    Args:
        candidates: what waits for review: candidate, image, label, reason.
        decisions: of all reviewers, in any order.
        images: every image a decision may be about (no validation image): candidate, image, label.
        sample_data: whether the data is the sample.

    Returns:
        The examples (image, candidate, label, was, reason, reviewer, kind, at), sorted by image, and a summary:
        candidates, reviewed_by_human, reviewed_by_model, settled, relabelled, not_in_data (settled, but no such
        image is there), waiting_for_human, minutes_waiting.
    """
    settled = settling(decisions, sample_data=sample_data)
    offered = set(candidates["candidate"])
    reasons = dict(zip(candidates["candidate"], candidates["reason"], strict=True))
    rows = [
        {
            "image": row["image"],
            "candidate": row["candidate"],
            "label": settled[row["candidate"]].label,
            "was": row["label"],
            "reason": reasons.get(row["candidate"], "decided earlier"),
            "reviewer": settled[row["candidate"]].reviewer,
            "kind": settled[row["candidate"]].kind,
            "at": settled[row["candidate"]].at.isoformat(),
        }
        for row in images.to_dict("records")
        if row["candidate"] in settled
    ]
    columns = ["image", "candidate", "label", "was", "reason", "reviewer", "kind", "at"]
    examples = pd.DataFrame(rows, columns=columns).sort_values("image").reset_index(drop=True)
    seen = {kind: {d.candidate for d in decisions if d.kind == kind} & offered for kind in ("human", "model")}
    waiting = len(offered - seen["human"])
    summary = {
        "candidates": len(offered),
        "reviewed_by_human": len(seen["human"]),
        "reviewed_by_model": len(seen["model"]),
        "settled": len(examples),
        "settled_by_kind": dict(Counter(examples["kind"])),
        "labels": dict(sorted(Counter(examples["label"]).items())),
        "relabelled": int(((examples["was"] != "") & (examples["was"] != examples["label"])).sum()),
        "not_in_data": len(set(settled) - set(images["candidate"])),
        "waiting_for_human": waiting,
        "minutes_waiting": round(waiting * SECONDS_PER_DECISION / 60, 1),
    }
    return examples, summary


def settling(decisions: Sequence[Decision], *, sample_data: bool) -> dict[str, Decision]:
    """Candidate id -> the decision that settles it: the latest human one, or sample-truth where none was made."""
    counting = ("human", "sample-truth") if sample_data else ("human",)
    order = {kind: rank for rank, kind in enumerate(("sample-truth", "human"))}
    settled: dict[str, Decision] = {}
    for decision in sorted(
        decisions, key=lambda d: (order.get(d.kind, -1), d.at)
    ):  # a human's goes last and stays
        if decision.kind in counting:
            settled[decision.candidate] = decision
    return settled


def sample_truth(candidates: pd.DataFrame, truth: Path) -> list[Decision]:
    """Decisions of the sample's generator about its own images: kind sample-truth, never counted as human.

    Args:
        candidates: the candidates' table.
        truth: data/<project>/truth.csv with the columns image, truth (a review label).

    Raises:
        UserError: the file is missing; sample data always has it.
    """
    if not truth.is_file():
        raise UserError(
            f"{truth}: missing; the sample's generator writes it: run `make data` on an empty data/"
        )
    table = pd.read_csv(truth, keep_default_na=False).set_index("image")["truth"]
    epoch = datetime(2000, 1, 1, tzinfo=UTC)  # a fixed time: the same sample gives the same bytes
    return [
        Decision(
            candidate=row["candidate"],
            image=row["image"],
            label=table[row["image"]],
            reviewer="sample-generator",
            kind="sample-truth",
            at=epoch,
        )
        for row in candidates.to_dict("records")
        if row["image"] in table.index
    ]
