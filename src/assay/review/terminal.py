"""A review in the terminal, one candidate after the other: for a machine without a browser."""

from collections.abc import Callable

import pandas as pd

from assay.review.answers import SKIP, UNDO, Answer, with_category
from assay.review.order import score
from assay.review.session import Session

QUIT = "q"


def interactive(
    session: Session, candidates: pd.DataFrame, *, ask: Callable[[str], str], say: Callable[[str], None]
) -> int:
    """Ask about each of `candidates` that waits; every answer is on disk before the next question.

    Args:
        session: who decides.
        candidates: the table, or a part of it.
        ask: shows a question and returns what was typed.
        say: prints a line.

    Returns:
        How many answers were recorded and not taken back.
    """
    offered, skipped, count = session.offered, set[str](), 0
    while True:
        decisions = offered.decisions()
        queue = session.queue(candidates, decisions)
        queue = queue[~queue["candidate"].isin(skipped)]
        if queue.empty:
            say("nothing is left")
            return count
        row = queue.iloc[0].to_dict()
        answers = {answer.key: answer for answer in offered.answers(row, blind=session.hides)}
        say(f"\n{len(queue)} left · {offered.picture(row['image'])}")
        if not session.hides:
            say(f"  {row['reason']} · score {score(queue).iloc[0]:.3f} · label: {row['label'] or 'none'}")
        say("  " + " · ".join(f"{key} {answer.text}" for key, answer in answers.items()))
        typed = _typed(answers, ask)
        if isinstance(typed, Answer):
            session.decide(row, typed, boxes=0)
            count += 1
        elif typed == QUIT:
            return count
        elif typed == SKIP:
            skipped.add(row["candidate"])
        else:
            back = session.undo(decisions)
            say("nothing to take back" if back is None else f"taken back: {back.label} for {back.image}")
            count -= back is not None


def _typed(answers: dict[str, Answer], ask: Callable[[str], str]) -> Answer | str:
    """An answer, or undo, skip or quit; a lookalike's category asks for keep or reject."""
    category: Answer | None = None
    while True:
        typed = (
            ask(f"{category.label}: k or x" if category else "key, z undo, n next, q quit").strip().lower()
        )
        if typed in (QUIT, SKIP, UNDO):
            return typed
        if typed not in answers:
            continue
        if answers[typed].complete:
            return with_category(answers[typed], category)
        category = answers[typed]
