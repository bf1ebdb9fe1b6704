import json
import multiprocessing

from assay.review.answers import box_answers
from assay.review.session import Session

KEEP, REJECT, UNSURE = 0, 1, 2


def session(offered, reviewer="ann", kind="human", **more):
    return Session(offered, reviewer, kind, "page", **more)


def step(one, table, number, boxes=1):
    """Answer about the next candidate; its row."""
    row = one.queue(table, one.offered.decisions()).iloc[0].to_dict()
    one.decide(row, one.offered.answers(row)[number], boxes=boxes)
    return row


def test_a_decision_says_who_when_what_was_shown_and_by_which_model(offered):
    ann, table = session(offered, order="uncertainty", blind=True), offered.table()
    row = step(ann, table, KEEP)
    line = json.loads((offered.folder / "ann.jsonl").read_text())
    assert line.pop("at").startswith("20")
    assert line == {
        "candidate": row["candidate"],
        "image": row["image"],
        "label": "no_object",
        "reviewer": "ann",
        "kind": "human",
        "shown": "f" * 32,
        "via": "page",
        "order": "uncertainty",
        "boxes": 1,
        "blind": True,
    }


def test_what_one_person_decided_nobody_else_is_asked_but_unsure_goes_on(offered):
    ann, bob, bot = session(offered), session(offered, "bob"), session(offered, "bot", "model")
    table = offered.table()
    sure, unsure = step(ann, table, KEEP), step(ann, table, UNSURE)

    def waits(one, row):
        return row["candidate"] in one.queue(table, offered.decisions())["candidate"].tolist()

    assert not waits(ann, sure) and not waits(bob, sure) and waits(bot, sure)
    assert not waits(ann, unsure) and waits(bob, unsure)
    assert step(bot, table, REJECT)["candidate"] == sure["candidate"]
    assert len(bob.queue(table, offered.decisions())) == len(table) - 1  # what a model said settles nothing
    assert offered.decided(offered.decisions())["use"].value_counts()["negative"] == 1


def test_groups_go_on_taking_turns_after_every_answer(offered):
    ann, table = session(offered), offered.table()
    assert len({step(ann, table, KEEP)["group"] for _ in range(6)}) == 6


def test_an_answer_for_a_cluster_names_every_picture_and_is_taken_back_as_one(offered):
    ann, table = session(offered), offered.table()
    rows = table.head(3).to_dict("records")
    ann.decide(rows[0], box_answers(offered.labels, offered.classes)[KEEP], boxes=1, others=rows[1:])
    assert len((offered.folder / "ann.jsonl").read_text().splitlines()) == 1
    assert offered.decided(offered.decisions())["use"].tolist()[:4] == ["negative"] * 3 + [""]
    assert ann.undo(offered.decisions()).candidate == rows[0]["candidate"]
    assert len(ann.queue(table, offered.decisions())) == len(table)
    assert ann.undo(offered.decisions()) is None


def test_undo_takes_back_ones_own_answers_only_the_last_first(offered):
    ann, bob, table = session(offered), session(offered, "bob"), offered.table()
    first, second, _ = step(ann, table, KEEP), step(ann, table, REJECT), step(bob, table, KEEP)
    assert ann.undo(offered.decisions()).candidate == second["candidate"]
    assert ann.undo(offered.decisions()).candidate == first["candidate"]
    assert ann.undo(offered.decisions()) is None
    assert [d.reviewer for d in offered.decisions()] == ["bob"]


def test_a_second_look_is_blind_and_what_it_disputes_is_decided_once_more(offered):
    ann, table = session(offered), offered.table()
    for _ in range(4):
        step(ann, table, KEEP)
    bob = session(offered, "bob", task="second look", second_size=3)
    for answer in (KEEP, REJECT, KEEP):
        step(bob, table, answer)
    assert bob.queue(table, offered.decisions()).empty
    looks = [d for d in offered.decisions() if d.reviewer == "bob"]
    assert all(d.second and d.blind for d in looks)
    carol = session(offered, "carol", task="disagreements")
    assert len(carol.queue(table, offered.decisions())) == 1
    assert (
        len(offered.decided(offered.decisions()).query("use == 'negative'")) == 3
    )  # the disputed one is none
    step(carol, table, KEEP)
    assert carol.queue(table, offered.decisions()).empty
    assert len(offered.decided(offered.decisions()).query("use == 'negative'")) == 4


def _review(offered, name, number):
    one, table = session(offered, name), offered.table()
    for _ in range(number):
        step(one, table, KEEP)


def test_two_reviewers_at_once_lose_nothing(offered):
    context = multiprocessing.get_context("fork")
    people = [context.Process(target=_review, args=(offered, name, 15)) for name in ("ann", "bob", "ann")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [person.exitcode for person in people] == [0, 0, 0]
    by = [d.reviewer for d in offered.decisions()]
    assert (by.count("ann"), by.count("bob")) == (30, 15)
