"""What reviewers decided: append-only JSON lines in reviews/<project>/, one file per reviewer, kept by git.

A line is never changed. Who errs says so in a further line: `withdrawn` takes back that reviewer's last answer about the
candidate, with all that the answer covered.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from assay.errors import UserError

Kind = Literal["human", "model", "sample-truth"]
UNSURE, WITHDRAWN = "unsure", "withdrawn"  # may be answered whatever a project's labels are; settle nothing
DRAWN = "drawn"  # may be answered, too: the answer is every object of the picture, see `Decision.drawn`


class Covered(BaseModel):
    """A near-duplicate of what was decided about, on the screen with it and answered with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidate: str = Field(pattern=r"^[0-9a-f]{12}$")
    image: str


class Drawn(BaseModel):
    """One object as a reviewer drew it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(description="its class")
    box: tuple[float, float, float, float] = Field(
        description="left, top, right, bottom in px of the picture"
    )
    condition: str = Field(default="", description="empty: not said")
    confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="of the detector whose box it was; None: it had missed the object",
    )


class Decision(BaseModel):
    """One answer of one reviewer about one image, or about one and the near-duplicates that it names."""

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
    via: Literal["", "table", "terminal", "page"] = Field(default="", description="where it was answered")
    order: str = Field(default="", description="in which order the candidates came, see `assay.review.order`")
    boxes: int | None = Field(default=None, ge=0, description="how many boxes were drawn; None: not recorded")
    blind: bool = Field(default=False, description="no score, prediction or label was shown")
    second: bool = Field(
        default=False, description="a second look at what somebody else decided, without seeing that answer"
    )
    drawn: tuple[Drawn, ...] = Field(
        default=(), description="every object of the picture, where the label is drawn"
    )
    covers: tuple[Covered, ...] = Field(default=(), description="near-duplicates that the answer is for, too")
    covered_by: str = Field(
        default="",
        description="candidate that was looked at instead; set when `covers` is spread, never in a file",
    )

    @property
    def answer(self) -> tuple[str, bool | None]:
        """What was said, for comparing two reviewers."""
        return self.label, self.objects


def read_decisions(folder: Path, labels: Sequence[str]) -> list[Decision]:
    """Every decision in `folder`/*.jsonl that stands, oldest first, one for each image it is about; see `standing`.

    Args:
        folder: reviews/<project>.
        labels: what may be answered, besides `unsure`, `withdrawn` and `drawn`.

    Raises:
        UserError: a line that is no decision, or a label that is none of `labels`; names file and line.
    """
    return standing(read_lines(folder, labels))


def read_lines(folder: Path, labels: Sequence[str]) -> list[Decision]:
    """Every line of `folder`/*.jsonl as it was written, file by file; arguments and errors as in `read_decisions`."""
    known = (*labels, UNSURE, WITHDRAWN, DRAWN)
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
            if decision.label not in known:
                raise UserError(f"{path}:{number}: label {decision.label!r} is none of {', '.join(known)}")
            decisions.append(decision)
    return decisions


def standing(lines: Iterable[Decision]) -> list[Decision]:
    """What was not withdrawn, oldest first; an answer that covers near-duplicates becomes one for each of them.

    Args:
        lines: in the order in which each reviewer wrote them: that, and no clock, says which answer was taken back.
    """
    answers: dict[tuple[str, str], list[Decision]] = {}
    for line in lines:
        own = answers.setdefault((line.reviewer, line.candidate), [])
        if line.label != WITHDRAWN:
            own.append(line)
        elif own:
            own.pop()
    spread = []
    for decision in (decision for own in answers.values() for decision in own):
        spread.append(decision)
        one = {"covers": (), "covered_by": decision.candidate}
        spread += [decision.model_copy(update={**one, **dict(other)}) for other in decision.covers]
    return sorted(spread, key=lambda decision: decision.at)


def append_decisions(folder: Path, decisions: Iterable[Decision]) -> Path:
    """Append decisions of one reviewer to their file, under its lock: two writers at once lose nothing.

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
    # O_APPEND: the kernel orders the writers
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # of the file itself: a lock file would be a change to the graph
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
                via="table",
            )
        )
    return decisions


def _yes_or_no(said: str, number: int) -> bool | None:
    answers = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if said.strip().lower() not in answers:
        raise UserError(f"row {number}: objects {said!r} is neither yes nor no; leave it empty if not sure")
    return answers[said.strip().lower()]
