import json
import multiprocessing
import resource
from datetime import UTC, datetime, timedelta, timezone

import pytest

from assay.errors import UserError
from assay.review.decisions import (
    Covered,
    Decision,
    append_decisions,
    decisions_from_table,
    read_decisions,
    read_lines,
)

LABELS = ("clean", "maybe", "pit")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def decision(number=0, **changes):
    values = {
        "candidate": f"{number:012x}",
        "image": f"{number}.png",
        "label": "pit",
        "reviewer": "ann",
        "kind": "human",
        "at": NOON,
    }
    return Decision(**values | changes)


def test_what_is_appended_is_read_and_nothing_before_it_changes(tmp_path):
    path = append_decisions(tmp_path / "cherry", [decision(1)])
    before = path.read_bytes()
    append_decisions(tmp_path / "cherry", [decision(1, label="clean", note="looked again"), decision(2)])
    assert path.read_bytes().startswith(before)
    read = read_decisions(tmp_path / "cherry", LABELS)
    assert [(d.image, d.label, d.note) for d in read] == [
        ("1.png", "pit", ""),
        ("1.png", "clean", "looked again"),
        ("2.png", "pit", ""),
    ]


def test_every_reviewer_has_a_file_and_all_are_read_by_time(tmp_path):
    append_decisions(tmp_path, [decision(1, reviewer="zoe", at=NOON - timedelta(hours=1))])
    append_decisions(tmp_path, [decision(2, reviewer="Ann Ω / ../x", at=NOON)])
    # half past twelve at +02:00 is earlier than both
    early = datetime(2026, 1, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    append_decisions(tmp_path, [decision(3, reviewer="bot", kind="model", at=early)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Ann_Ω_.._x.jsonl", "bot.jsonl", "zoe.jsonl"]
    assert [d.image for d in read_decisions(tmp_path, LABELS)] == ["3.png", "1.png", "2.png"]


def test_a_withdrawal_takes_back_one_answer_of_its_reviewer_and_no_line_goes(tmp_path):
    append_decisions(tmp_path, [decision(1, label="maybe"), decision(1, label="pit")])
    append_decisions(tmp_path, [decision(1, label="clean", reviewer="bob")])
    append_decisions(
        tmp_path, [decision(1, label="withdrawn", at=NOON - timedelta(hours=1))]
    )  # a clock set back
    assert sorted(d.label for d in read_decisions(tmp_path, LABELS)) == ["clean", "maybe"]
    append_decisions(tmp_path, [decision(1, label="withdrawn"), decision(1, label="withdrawn")])
    assert [d.label for d in read_decisions(tmp_path, LABELS)] == ["clean"]
    assert len(read_lines(tmp_path, LABELS)) == 6


def test_one_line_covers_the_near_duplicates_it_names_until_it_is_withdrawn(tmp_path):
    others = tuple(Covered(candidate=f"{n:012x}", image=f"{n}.png") for n in (2, 3))
    path = append_decisions(tmp_path, [decision(1, covers=others)])
    assert json.loads(path.read_text())["covers"][1] == {"candidate": f"{3:012x}", "image": "3.png"}
    read = read_decisions(tmp_path, LABELS)
    assert [(d.image, d.label, d.covered_by) for d in read] == [
        ("1.png", "pit", ""),
        ("2.png", "pit", f"{1:012x}"),
        ("3.png", "pit", f"{1:012x}"),
    ]
    append_decisions(tmp_path, [decision(1, label="withdrawn")])
    assert read_decisions(tmp_path, LABELS) == []


def test_no_folder_no_decisions(tmp_path):
    assert read_decisions(tmp_path / "none", LABELS) == []


def test_two_reviewers_in_one_call_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one reviewer at a time"):
        append_decisions(tmp_path, [decision(1), decision(2, reviewer="bob")])
    assert list(tmp_path.iterdir()) == []


def _write(folder, start, count):
    for number in range(start, start + count):
        append_decisions(
            folder, [decision(number, note="x" * 3000), decision(number + 500_000, note="y" * 3000)]
        )


def test_two_processes_at_once_lose_no_line(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, start, 60)) for start in (0, 1000, 2000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    read = read_decisions(tmp_path, LABELS)
    assert len(read) == 360 and len({d.candidate for d in read}) == 360


@pytest.mark.parametrize("cut", [1, 40, "in a letter"])
def test_a_torn_line_stands_alone_is_named_and_costs_no_other(tmp_path, cut):
    append_decisions(tmp_path, [decision(1)])
    path = append_decisions(tmp_path, [decision(2, note="Süß")])
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex("ß".encode()) + 1] if cut == "in a letter" else whole[:-cut])
    append_decisions(tmp_path, [decision(3)])
    if cut == 1:  # only the newline was lost: nothing is
        assert [d.image for d in read_decisions(tmp_path, LABELS)] == ["1.png", "2.png", "3.png"]
        return
    with pytest.raises(UserError, match=r"ann\.jsonl:2: .*mend or remove the line") as caught:
        read_decisions(tmp_path, LABELS)
    assert "\n" not in str(caught.value)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:1] + lines[2:]))  # as it says
    assert [d.image for d in read_decisions(tmp_path, LABELS)] == ["1.png", "3.png"]


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path):
    path = append_decisions(tmp_path, [decision(1)])
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))  # room for half a line
    try:
        with pytest.raises(OSError):
            append_decisions(tmp_path, [decision(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes().startswith(before)


def test_a_note_may_hold_any_letter(tmp_path):
    note = 'line\nseparators \u2028 \x85 \x0b, "quotes", 桜'
    append_decisions(tmp_path, [decision(1, note=note), decision(2)])
    assert [d.note for d in read_decisions(tmp_path, LABELS)] == [note, ""]


def test_empty_lines_and_windows_line_ends_are_no_mistake(tmp_path):
    path = append_decisions(tmp_path, [decision(1), decision(2)])
    path.write_bytes(b"\r\n" + path.read_bytes().replace(b"\n", b"\r\n") + b"\n  \n")
    assert len(read_decisions(tmp_path, LABELS)) == 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"label": "pitt"}, r"'pitt' is none of clean, maybe, pit"),
        ({"kind": "robot"}, r"kind: .*'human', 'model' or 'sample-truth'"),
        ({"candidate": "12"}, "candidate: "),
        ({"reviewer": ""}, "reviewer: "),
        ({"at": "2026-01-01T12:00:00"}, "at: .*timezone"),  # would be older or newer depending on the reader
        ({"at": "yesterday"}, "at: "),
        ({"colour": "red"}, "colour: "),
        ({"label": None}, "label: "),
    ],
)
def test_a_line_that_is_no_decision_is_one_line_that_names_it(tmp_path, changes, message):
    path = append_decisions(tmp_path, [decision(1)])
    line = json.loads(decision(2).model_dump_json()) | changes
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    with pytest.raises(UserError, match=rf"ann\.jsonl:2: .*{message}") as caught:
        read_decisions(tmp_path, LABELS)
    assert "\n" not in str(caught.value)


def test_a_table_becomes_decisions():
    rows = [
        {"image": "a.png", "label": "pit", "note": "dark"},
        {"image": "b.png", "label": "maybe", "note": None},
    ]
    offered = {"a.png": "0" * 12, "b.png": "1" * 12}
    decisions = decisions_from_table(
        rows, offered, reviewer="bot 3", kind="model", labels=LABELS, shown="f" * 32
    )
    assert [(d.candidate, d.label, d.note) for d in decisions] == [
        ("0" * 12, "pit", "dark"),
        ("1" * 12, "maybe", ""),
    ]
    assert {(d.reviewer, d.kind, d.shown) for d in decisions} == {("bot 3", "model", "f" * 32)}
    assert all(d.at.tzinfo for d in decisions)


@pytest.mark.parametrize(
    "row, message",
    [
        (
            {"picture": "a.png", "label": "pit"},
            "row 3: needs the columns image and label, has picture, label",
        ),
        ({"image": "a.png", "label": ""}, "row 3: needs the columns"),
        ({"image": "z.png", "label": "pit"}, r"row 3: z\.png is no candidate; see candidates\.csv"),
        ({"image": "a.png", "label": "Pit"}, "row 3: label 'Pit' is none of clean, maybe, pit"),
    ],
)
def test_a_wrong_row_is_named_as_a_spreadsheet_counts_it(row, message):
    rows = [{"image": "a.png", "label": "pit"}, row]
    with pytest.raises(UserError, match=message):
        decisions_from_table(rows, {"a.png": "0" * 12}, reviewer="ann", kind="human", labels=LABELS)


def test_a_decision_without_a_reviewer_is_refused():
    with pytest.raises(UserError, match="reviewer: empty"):
        decisions_from_table([], {}, reviewer=" ", kind="human", labels=LABELS)
