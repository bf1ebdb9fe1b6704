"""Candidates + decisions -> the examples training may use, and how many still wait for a person."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from assay.errors import UserError
from assay.review.decisions import UNSURE, Decision
from assay.review.pace import pace

SECONDS_PER_DECISION = 4  # assumed until there are measured ones: one glance and one key


def apply_decisions(
    candidates: pd.DataFrame,
    decisions: Sequence[Decision],
    *,
    images: pd.DataFrame,
    sample_data: bool,
    kinds: Collection[str] = ("human",),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Let the latest decision that counts settle each image it was made about.

    Which decisions count: see `settling`. A decision stays good when its image is no longer among the candidates.

    Args:
        candidates: what waits for review: candidate, image, label, reason.
        decisions: of all reviewers, in any order.
        images: every image a decision may be about (no validation image): candidate, image, label.
        sample_data: whether the data is the sample.
        kinds: of reviewers whose decisions count.

    Returns:
        The examples (image, candidate, label, was, reason, reviewer, kind, at), sorted by image, and a summary:
        settled, settled_by_kind, labels, relabelled, not_in_data (settled, but no such image is there), and what
        `progress` counts.
    """
    settled = settling(decisions, sample_data=sample_data, kinds=kinds)
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
    summary = {
        "settled": len(examples),
        "settled_by_kind": dict(Counter(examples["kind"])),
        "labels": dict(sorted(Counter(examples["label"]).items())),
        "relabelled": int(((examples["was"] != "") & (examples["was"] != examples["label"])).sum()),
        "not_in_data": len(set(settled) - set(images["candidate"])),
    }
    return examples, progress(offered, decisions, assumed=SECONDS_PER_DECISION) | summary


def progress(offered: Collection[str], decisions: Sequence[Decision], *, assumed: float) -> dict[str, Any]:
    """How far the review is, and what the rest would cost a person.

    Args:
        offered: ids of the candidates.
        decisions: that stand, of all reviewers.
        assumed: s per decision, where people's answers have not told yet.

    Returns:
        candidates, reviewed_by_human, reviewed_by_model, unsure and disputed (reviewed by people, but not settled),
        waiting_for_human (not settled by a person), seconds_per_decision, seconds_measured_from (so many pairs of
        answers; 0: assumed), minutes_waiting.
    """
    seen = {
        kind: {d.candidate for d in decisions if d.kind == kind} & set(offered) for kind in ("human", "model")
    }
    by_people = [d for d in decisions if d.kind == "human" and d.candidate in seen["human"]]
    open_questions = disputed(by_people)
    settled = set(settling(by_people, sample_data=False))
    waiting = len(set(offered) - settled)
    speed = pace(decisions, assumed=assumed)
    return {
        "candidates": len(offered),
        "reviewed_by_human": len(seen["human"]),
        "reviewed_by_model": len(seen["model"]),
        "unsure": len(seen["human"] - settled - open_questions),
        "disputed": len(open_questions),
        "waiting_for_human": waiting,
        "seconds_per_decision": round(speed.seconds, 1),
        "seconds_measured_from": speed.pairs,
        "minutes_waiting": round(waiting * speed.seconds / 60, 1),
    }


def settling(
    decisions: Sequence[Decision], *, sample_data: bool, kinds: Collection[str] = ("human",)
) -> dict[str, Decision]:
    """Candidate id -> the decision that settles it: the latest human one, else a model's, else sample-truth.

    A model's counts only where `kinds` asks for it: as it comes it may inform a person, but nothing is trained on it.
    Sample-truth counts on sample data only.

    What was looked at counts before what was answered with a near-duplicate. A second look confirms or disputes and
    never replaces: what is disputed (see `disputed`), or left unsure by the last who looked, is not settled.
    """
    counting = (*kinds, *(["sample-truth"] if sample_data else []))
    open_questions = disputed(decisions)
    settled = {
        candidate: _last(said)
        for candidate, said in _by_candidate(decisions, counting).items()
        if candidate not in open_questions
    }
    return {candidate: decision for candidate, decision in settled.items() if decision.label != UNSURE}


def disputed(decisions: Sequence[Decision]) -> set[str]:
    """Candidates about which a person's second look said something else, and nobody has decided anew since."""
    found = set()
    for candidate, said in _by_candidate(decisions, ("human",)).items():
        last = _last(said)
        if any(d.second and d.at >= last.at and d.answer != last.answer for d in said):
            found.add(candidate)
    return found


def _by_candidate(decisions: Sequence[Decision], kinds: Collection[str]) -> dict[str, list[Decision]]:
    said: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.kind in kinds:
            said.setdefault(decision.candidate, []).append(decision)
    return said


def _last(said: list[Decision]) -> Decision:
    """What holds of answers about one candidate; a second look only where there is nothing else."""
    rank = {"sample-truth": 0, "model": 1, "human": 2}
    return sorted(said, key=lambda d: (rank[d.kind], not d.second, not d.covered_by, d.at))[-1]


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
