"""One reviewer's session: what comes next, what an answer writes, and how it is taken back. Nothing is kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import pandas as pd

from assay.review.agreement import ADJUDICATION, second_sample
from assay.review.answers import Answer
from assay.review.apply import disputed
from assay.review.decisions import (
    UNSURE,
    WITHDRAWN,
    Covered,
    Decision,
    Kind,
    append_decisions,
)
from assay.review.offered import Offered
from assay.review.order import Order, in_order

Task = Literal["review", "second look", "disagreements"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Session:
    """Who decides, and how the candidates come."""

    offered: Offered
    reviewer: str
    kind: Kind
    via: Literal["terminal", "page"]
    task: Task = "review"
    order: Order = "surprise"
    blind: bool = False
    second_size: int = 50  # pictures of a second look

    @property
    def hides(self) -> bool:
        """Whether scores, predictions and labels stay hidden: a second look is always blind."""
        return self.blind or self.task == "second look"

    def queue(self, candidates: pd.DataFrame, decisions: Sequence[Decision]) -> pd.DataFrame:
        """What waits for this reviewer, the next one first.

        review: what no person has decided (an unsure answer leaves it to another person); a model's queue holds what
        that model has not decided. second look: the sample of `second_sample`. disagreements: what a second look
        disputes.

        Args:
            candidates: the table, with a column `cluster` where the order is by cluster.
            decisions: that stand, of all reviewers, read just now: another person may be at work.
        """
        own = {d.candidate for d in decisions if d.reviewer == self.reviewer}
        if self.task == "disagreements":
            ordered = in_order(candidates, self.order)
            return ordered[ordered["candidate"].isin(disputed(decisions))]
        if self.task == "second look":
            wanted = second_sample(decisions, reviewer=self.reviewer, size=self.second_size)
            places = {candidate: place for place, candidate in enumerate(wanted) if candidate not in own}
            waiting = candidates[candidates["candidate"].isin(places)]
            return waiting.sort_values("candidate", key=lambda ids: ids.map(places))
        done = own
        if self.kind == "human":
            done = done | {d.candidate for d in decisions if d.kind == "human" and d.label != UNSURE}
        ordered = in_order(candidates, self.order)  # of all, so that groups go on taking turns
        return ordered[~ordered["candidate"].isin(done)]

    def decide(
        self, row: dict[Any, Any], answer: Answer, *, boxes: int, others: Sequence[dict[Any, Any]] = ()
    ) -> Decision:
        """Write one answer down.

        Args:
            row: of the candidate that was shown.
            answer: complete, see `assay.review.answers.with_category`.
            boxes: how many were drawn.
            others: rows of near-duplicates that were shown with it, and that the answer is for as well.
        """
        decision = Decision(
            candidate=row["candidate"],
            image=row["image"],
            label=answer.label,
            objects=answer.objects,
            reviewer=self.reviewer,
            kind=self.kind,
            at=datetime.now(UTC),
            shown=self.offered.model,
            via=self.via,
            order=ADJUDICATION if self.task == "disagreements" else self._order,
            boxes=boxes,
            blind=self.hides,
            second=self.task == "second look",
            covers=tuple(Covered(candidate=other["candidate"], image=other["image"]) for other in others),
        )
        append_decisions(self.offered.folder, [decision])
        return decision

    @property
    def _order(self) -> str:
        return "sample" if self.task == "second look" else self.order

    def undo(self, decisions: Sequence[Decision]) -> Decision | None:
        """Take back this reviewer's last answer that stands, with all that it covered, in a line of its own.

        Returns:
            What was taken back; None where nothing stands.
        """
        own = [d for d in decisions if d.reviewer == self.reviewer and not d.covered_by]
        if not own:
            return None
        last = own[-1]
        line = Decision(
            candidate=last.candidate,
            image=last.image,
            label=WITHDRAWN,
            reviewer=self.reviewer,
            kind=self.kind,
            at=datetime.now(UTC),
            via=self.via,
        )
        append_decisions(self.offered.folder, [line])
        return last
