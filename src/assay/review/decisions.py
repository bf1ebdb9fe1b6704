"""What reviewers decided: append-only JSON lines in reviews/<project>/, one file per reviewer, kept by git."""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from assay.errors import UserError

Kind = Literal["human", "model", "sample-truth"]


class Decision(BaseModel):
    """One answer of one reviewer about one image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidate: str = Field(pattern=r"^[0-9a-f]{12}$", description="first 12 hex digits of the file's SHA-256")
    image: str = Field(description="path relative to the project's data folder, for people")
    label: str
    reviewer: str = Field(min_length=1)
    kind: Kind = Field(description="only human counts as human")
    at: AwareDatetime = Field(description="with its time zone: decisions are put in order by it")
    shown: str = Field(
        default="", description="hash of the model whose candidate was shown; empty if none was"
    )
    note: str = ""
    objects: bool | None = Field(
        default=None, description="whether any object of any class shows in the image; None: not said"
    )


def read_decisions(folder: Path, labels: Sequence[str]) -> list[Decision]:
    """Every decision in `folder`/*.jsonl, oldest first.

    Raises:
        UserError: a line that is no decision, or a label that is none of `labels`; names file and line.
    """
    decisions: list[Decision] = []
    for path in sorted(folder.glob("*.jsonl")):
        # bytes, and newlines only: a kill may tear a letter apart, a note may hold other line separators
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                decision = Decision.model_validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                key = ".".join(map(str, first["loc"]))
                raise UserError(
                    f"{path}:{number}: {key or 'line'}: {first['msg']}; mend or remove the line"
                ) from None
            if decision.label not in labels:
                raise UserError(f"{path}:{number}: label {decision.label!r} is none of {', '.join(labels)}")
            decisions.append(decision)
    return sorted(decisions, key=lambda decision: decision.at)


def append_decisions(folder: Path, decisions: Iterable[Decision]) -> Path:
    """Append decisions of one reviewer to their file; each line is written whole, so that two writers lose nothing.

    Returns:
        The file, `folder`/<reviewer>.jsonl.
    """
    decisions = list(decisions)
    reviewers = {decision.reviewer for decision in decisions}
    if len(reviewers) != 1:
        raise ValueError(f"one reviewer at a time, got {sorted(reviewers)}")
    name = re.sub(r"[^\w.-]+", "_", reviewers.pop()).strip("._") or "reviewer"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    text = "".join(decision.model_dump_json(exclude_defaults=True) + "\n" for decision in decisions)
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
    )  # O_APPEND: the kernel orders the writers
    try:
        if os.fstat(handle).st_size and not path.read_bytes().endswith(b"\n"):
            text = "\n" + text  # a writer was killed in mid-line: its line stays alone, ours stays whole
        rest = text.encode()
        while rest:  # one write, but on a full disk: there the second one says so instead of losing the rest
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def decisions_from_table(
    rows: Iterable[dict[str, str]],
    candidates: dict[str, str],
    *,
    reviewer: str,
    kind: Kind,
    labels: Sequence[str],
    shown: str = "",
) -> list[Decision]:
    """Turn a person's table (columns image, label, optionally note and objects: yes or no) into decisions.

    Args:
        rows: dictionaries, as csv.DictReader gives them.
        candidates: image -> candidate id, what was offered for review.
        reviewer: who decided.
        kind: human, model or sample-truth.
        labels: what may be answered.
        shown: hash of the model whose candidates were shown.

    Raises:
        UserError: no reviewer, a missing column, an image that was not offered, an unknown label, objects neither yes
            nor no; names the row.
    """
    if not reviewer.strip():
        raise UserError("reviewer: empty; say who decided")
    now = datetime.now(UTC)
    decisions = []
    for number, row in enumerate(rows, 2):
        image, label = row.get("image"), row.get("label")
        if not image or not label:
            raise UserError(
                f"row {number}: needs the columns image and label, has {', '.join(map(str, row))}"
            )
        if image not in candidates:
            raise UserError(f"row {number}: {image} is no candidate; see candidates.csv for those that are")
        if label not in labels:
            raise UserError(f"row {number}: label {label!r} is none of {', '.join(labels)}")
        decisions.append(
            Decision(
                candidate=candidates[image],
                image=image,
                label=label,
                reviewer=reviewer,
                kind=kind,
                at=now,
                shown=shown,
                note=row.get("note") or "",
                objects=_yes_or_no(row.get("objects") or "", number),
            )
        )
    return decisions


def _yes_or_no(said: str, number: int) -> bool | None:
    answers = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if said.strip().lower() not in answers:
        raise UserError(f"row {number}: objects {said!r} is neither yes nor no; leave it empty if not sure")
    return answers[said.strip().lower()]
