"""The page of `assay review page`, run by Streamlit: a picture, a key for each answer. What it does is in `session`.

Every answer is on disk before the next picture is shown; nothing is lost by a reload.
"""

import sys
from typing import Any

import pandas as pd
import streamlit as st

from assay.data.detection import photo_bits
from assay.data.images import BadImage, read_image
from assay.errors import UserError
from assay.review.agreement import agreements
from assay.review.answers import KEEP, REJECT, SKIP, UNDO, UNSURE_KEY, Answer, with_category
from assay.review.apply import progress
from assay.review.decisions import Kind
from assay.review.hard_examples import NEGATIVE, TO_ANNOTATE
from assay.review.listing import export
from assay.review.offered import Offered, draw
from assay.review.order import LARGEST, ORDERS, clusters, score, uncertainty
from assay.review.session import TASKS, Session

_KINDS: tuple[Kind, ...] = ("human", "model")
_CSS = """<style>
 .block-container{padding:1.2rem 2rem 1rem}
 [data-testid=stImage] img{max-height:74vh;object-fit:contain;border-radius:6px}
 [data-testid=stVerticalBlock]{gap:.55rem} .stButton button{justify-content:space-between}
 footer,[data-testid=stDecoration]{display:none}
</style>"""
_ORDER_TEXT = {
    "surprise": "most surprising first",
    "uncertainty": "least certain first",
    "cluster": "near-duplicates together",
    "random": "random",
}
_ICONS = {KEEP: ":material/check:", REJECT: ":material/close:", UNSURE_KEY: ":material/question_mark:"}


@st.cache_data(show_spinner="reading candidates")
def _table(
    offered: str, version: int
) -> pd.DataFrame:  # the version is part of the key: mined again, read again
    return Offered.from_json(offered).table()


@st.cache_data(show_spinner="looking for near-duplicates")
def _clusters(offered: str, version: int) -> list[str]:
    about = Offered.from_json(offered)
    return clusters(about.table(), lambda image: photo_bits(read_image(about.picture(image))))


@st.cache_data(show_spinner=False, max_entries=200)
def _picture(offered: str, image: str, boxes: str, *, scores: bool, longest: int) -> Any:
    about = Offered.from_json(offered)
    return draw(read_image(about.picture(image)), boxes, about.classes, scores=scores, longest=longest)


def _settings(offered: Offered) -> Session | None:
    """The sidebar: who decides and in which order. None until there is a name."""
    asked, side = st.query_params, st.sidebar
    side.markdown(f"### {offered.project}")
    who = side.text_input("Reviewer", asked.get("reviewer", sys.argv[2]), placeholder="your name").strip()
    kind = side.radio(
        "What the reviewer is",
        _KINDS,
        _KINDS.index(asked.get("kind", sys.argv[3])) if asked.get("kind", sys.argv[3]) in _KINDS else 0,
        horizontal=True,
        help="Only what a person decides counts. A model's answers are recorded and never trained on.",
    )
    task = side.selectbox("Task", TASKS, help="A second look is blind: somebody else decided these already.")
    order = side.selectbox("Next", ORDERS, format_func=_ORDER_TEXT.__getitem__)
    blind = side.toggle(
        "Blind: no scores, predictions or labels", value=task == "second look", disabled=task == "second look"
    )
    if not who:
        return None
    st.query_params.update(reviewer=who, kind=kind)  # a reload knows who it was
    return Session(offered, who, kind, "page", task, order, blind)


def _answer(
    session: Session, row: dict[Any, Any], answer: Answer, boxes: int, others: list[dict[Any, Any]]
) -> None:
    """What a key does. The button's name holds the candidate, so a key pressed too early can't hit the next one."""
    state = st.session_state
    if not answer.complete:
        state.category = (row["candidate"], answer)
        return
    chosen, category = state.get("category", ("", None))
    decided = with_category(answer, category if chosen == row["candidate"] else None)
    own = [d for d in session.offered.decisions() if d.reviewer == session.reviewer]
    if session.task != "disagreements" and any(d.candidate == row["candidate"] for d in own):
        return  # a key that was held down
    made = session.decide(row, decided, boxes=boxes, others=others)
    state.said = f"{made.label.replace('_', ' ')}: {made.image}" + (
        f" and {len(others)} like it" if others else ""
    )
    state.pop("category", None)
    state.pop("back", None)


def _undo(session: Session) -> None:
    back = session.undo(session.offered.decisions())
    st.session_state.pop("category", None)
    st.session_state.said = "nothing to take back"
    if back is not None:
        st.session_state.back = back.candidate
        st.session_state.said = f"taken back: {back.label.replace('_', ' ')} for {back.image}"


def _skip(candidate: str) -> None:
    st.session_state.setdefault("skipped", []).append(candidate)
    st.session_state.pop("back", None)


def _export(offered: Offered) -> None:
    chosen = offered.decided(offered.decisions())
    counts = export(offered, chosen[chosen["decided"] != "undecided"], offered.exports / "export")
    listed = ", ".join(f"{count} {label.replace('_', ' ')}" for label, count in counts.items())
    st.session_state.said = f"{offered.exports / 'export'}: {listed or 'nobody has decided anything yet'}"


def _next(queue: pd.DataFrame) -> dict[Any, Any]:
    """The candidate to show: what was just taken back, else the first that was not skipped."""
    state = st.session_state
    back = queue[queue["candidate"] == state.get("back")]
    if len(back):
        return back.iloc[0].to_dict()
    left = queue[~queue["candidate"].isin(state.get("skipped", []))]
    if left.empty:  # everything was skipped: from the start
        state.skipped = []
        left = queue
    return left.iloc[0].to_dict()


def _facts(session: Session, row: dict[Any, Any]) -> None:
    place = f"{row['group']} · {row['time_sec']} s" if "time_sec" in row else row["image"]
    st.markdown(f"**{row.get('object_type') or place}**")
    if session.hides:
        return
    one = pd.DataFrame([row])
    facts = [
        f"mined as {row['reason']}",
        f"score {score(one).iloc[0]:.2f}",
        f"undecided {uncertainty(one).iloc[0]:.2f}",
    ]
    if row.get("predicted"):
        facts.append(f"model: {row['predicted']}")
    facts.append(f"label: {row['label'] or 'none'}")
    if row.get("state"):
        facts.append(f"zone {row['state']}, {row['p1_num_sustained']} sustained cues")
    st.caption(" · ".join(facts))
    if session.offered.boxes and row.get("labelled", 0) > 0:
        st.caption("The data set has boxes here (white): it never becomes a hard negative.")


def _buttons(session: Session, row: dict[Any, Any], boxes: int, others: list[dict[Any, Any]]) -> None:
    chosen, category = st.session_state.get("category", ("", None))
    category = category if chosen == row["candidate"] else None
    for answer in session.offered.answers(row, blind=session.hides):
        picked = category is not None and answer.key == category.key
        st.button(
            answer.text + (" …" if not answer.complete else ""),
            key=f"answer-{answer.key}-{row['candidate']}",
            shortcut=answer.key.upper(),
            icon=_ICONS.get(answer.key),
            type="primary" if picked else "secondary",
            width="stretch",
            on_click=_answer,
            args=(session, row, answer, boxes, others),
        )
    if session.offered.boxes:
        st.caption(f"{category.text if category else '…'}: K if no object of any class shows, X if one does")
    left, right = st.columns(2)
    left.button(
        "next",
        key=f"skip-{row['candidate']}",
        shortcut=SKIP.upper(),
        width="stretch",
        on_click=_skip,
        args=(row["candidate"],),
    )
    right.button("undo", key="undo", shortcut=UNDO.upper(), width="stretch", on_click=_undo, args=(session,))


def _progress(session: Session, table: pd.DataFrame, queue: pd.DataFrame) -> None:
    offered, side = session.offered, st.sidebar
    decisions = offered.decisions()
    done = progress(table["candidate"].tolist(), decisions, assumed=offered.seconds)
    side.divider()
    settled = done["candidates"] - done["waiting_for_human"]
    side.progress(
        settled / max(done["candidates"], 1), f"{settled} of {done['candidates']} settled by people"
    )
    basis = "measured" if done["seconds_measured_from"] else "assumed"
    side.caption(
        f"{len(queue)} in this queue, about {len(queue) * done['seconds_per_decision'] / 60:.0f} min at "
        f"{done['seconds_per_decision']:g} s each ({basis}) · {done['unsure']} unsure · {done['disputed']} disputed"
    )
    if offered.boxes:
        uses = offered.decided(decisions)["use"].value_counts()
        side.caption(f"{uses.get(NEGATIVE, 0)} hard negatives · {uses.get(TO_ANNOTATE, 0)} to be labelled")
    for found in agreements(decisions):
        side.caption(str(found))
    side.button("export", shortcut="E", width="stretch", on_click=_export, args=(offered,))


def main() -> None:
    """Draw the page once; Streamlit calls it again after every key."""
    text = sys.argv[1]
    offered = Offered.from_json(text)
    st.set_page_config(f"review {offered.project}", layout="wide")
    st.html(_CSS)
    session = _settings(offered)
    if session is None:
        st.info("Who decides? Type your name at the left. It goes into every decision.")
        return
    table = _table(text, offered.version)
    together = session.order == "cluster" and session.task == "review"
    if together:
        table = table.assign(cluster=_clusters(text, offered.version))
    queue = session.queue(table, offered.decisions())
    _progress(session, table, queue)
    if queue.empty:
        st.success("Nothing is left here.")
        st.button("undo", shortcut=UNDO.upper(), on_click=_undo, args=(session,))
        _said()
        return
    row = _next(queue)
    like = (
        queue[(queue["cluster"] == row["cluster"]) & (queue["candidate"] != row["candidate"])]
        if together
        else queue[:0]
    )
    others = like.head(LARGEST - 1).to_dict("records")
    whole = bool(others) and st.session_state.get(f"all-{row['candidate']}", True)
    boxes = row.get("boxes", "") if st.session_state.get("boxes", True) else ""
    picture, answers = st.columns([3.4, 1], gap="medium")
    with picture:  # before the buttons: nobody can answer about what is not on the screen yet
        _pictures(session, row, boxes, others)
        _said()
    with answers:
        _facts(session, row)
        if others:
            st.toggle(f"answer these {len(others) + 1} together", value=True, key=f"all-{row['candidate']}")
        if session.offered.boxes:
            st.toggle("boxes", value=True, key="boxes")
        _buttons(session, row, boxes.count('"box"'), others if whole else [])


def _pictures(session: Session, row: dict[Any, Any], boxes: str, others: list[dict[Any, Any]]) -> None:
    text = session.offered.to_json()
    try:
        shown = _picture(text, row["image"], boxes, scores=not session.hides, longest=1100)
        small = [
            _picture(text, one["image"], one["boxes"] if boxes else "", scores=False, longest=300)
            for one in others
        ]
    except BadImage as error:
        st.error(f"{row['image']}: {error}; press N for the next one")
        return
    st.image(shown, width="stretch" if max(shown.shape[:2]) >= 1000 else "content", alt=row["candidate"])
    if small:
        st.image(small, width=170)


def _said() -> None:
    if said := st.session_state.get("said"):
        st.caption(said)


if __name__ == "__main__":
    try:
        main()
    except UserError as mistake:
        st.error(str(mistake))
