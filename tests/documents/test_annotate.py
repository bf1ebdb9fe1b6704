import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assay.documents.annotate import How, annotate, sources_of
from assay.documents.crew import Crew, members
from assay.documents.reading import Asked
from assay.documents.sheets import Limits
from assay.errors import UserError
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    given = tmp_path / "in"
    (given / "below").mkdir(parents=True)
    (given / "a.pdf").write_bytes(drawn.pdf(drawn.text, drawn.scan))
    (given / "below/b.png").write_bytes(drawn.png(drawn.with_code("in the picture")))
    (given / "locked.pdf").write_bytes(drawn.locked())
    (given / "notes.txt").write_text("not a document")
    return given


def how(*marks, **asked):
    return How(model(*(marks or MARKS)), Asked(**asked), Limits(dpi=36))


def crew(given):
    return Crew(lambda threads: given, 1)


def everything(output):
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def test_every_document_gets_a_folder_and_failed_ones_a_line(folder, tmp_path):
    output = tmp_path / "out"
    done = annotate(sources_of([folder]), output, crew(how()))
    assert (done.done, done.skipped) == (["a.pdf", "below__b.png"], [])
    assert done.problems == [("locked.pdf", 0, "encrypted: it asks for a password")]
    assert sorted(path.name for path in output.iterdir()) == [
        "a.pdf",
        "below__b.png",
        "documents.csv",
        "problems.csv",
    ]
    assert sorted(str(path.relative_to(output / "a.pdf")) for path in (output / "a.pdf").rglob("*.*")) == [
        "annotated.pdf",
        "document.json",
        "pages/p001.jpg",
        "pages/p002.jpg",
    ]
    document = json.loads((output / "a.pdf/document.json").read_text())
    assert [len(page["raw"]) for page in document["pages"]] == [3, 3]
    assert [len(page["grouped"]) for page in document["pages"]] == [2, 2]
    assert document["summary"]["origin"] == "mixed"
    with (output / "documents.csv").open(newline="") as stream:
        rows = {row["source"]: row for row in csv.DictReader(stream)}
    assert rows["below__b.png"]["qr_texts"] == '["in the picture"]'
    assert (rows["locked.pdf"]["status"], rows["a.pdf"]["has_stamp"]) == ("failed", "True")


def test_what_is_finished_is_skipped_until_file_or_settings_change(folder, tmp_path):
    output = tmp_path / "out"
    annotate(sources_of([folder]), output, crew(how()))
    before = everything(output)
    again = how()
    done = annotate(sources_of([folder]), output, crew(again))
    assert (done.done, done.skipped) == ([], ["a.pdf", "below__b.png"])
    assert again.model.predictor.looked_at == 0 and everything(output) == before
    assert annotate(sources_of([folder]), output, crew(how(confidence=0.3))).skipped == []
    (folder / "a.pdf").write_bytes(drawn.pdf(drawn.text))
    (folder / "locked.pdf").unlink()
    done = annotate(sources_of([folder]), output, crew(how(confidence=0.3)))
    assert (done.done, done.problems) == (["a.pdf"], [])
    assert not (output / "a.pdf/pages/p002.jpg").exists() and not (output / "problems.csv").exists()


def test_names_below_folders_and_twins(folder, tmp_path):
    twin = tmp_path / "a.pdf"
    twin.write_bytes(b"")
    assert list(sources_of([folder / "a.pdf", twin, folder / "below"])) == ["a.pdf", "a.pdf-2", "b.png"]


def test_results_are_no_sources(folder):
    output = folder / "below/out"
    annotate(sources_of([folder], output), output, crew(how()))
    assert list(sources_of([folder], output)) == ["a.pdf", "below__b.png", "locked.pdf"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone.pdf", "no such file or folder"),
        ("notes.txt", "expected one of .pdf"),
        ("empty", "holds nothing readable"),
    ],
)
def test_sources_that_are_mistakes(folder, path, said):
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=said):
        sources_of([folder / path])


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.documents.conftest import MARKS, Told, model
from tests.documents.test_annotate import crew, how
from assay.documents.annotate import annotate, sources_of
given = how()
predict = given.model.predictor.predict
def dies(images, **rest):
    if given.model.predictor.looked_at == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return predict(images, **rest)
given.model.predictor.predict = dies
annotate(sources_of([Path(sys.argv[1])]), Path(sys.argv[2]), crew(given))
"""


def test_killed_and_begun_again_gives_the_same_as_never_killed(folder, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    annotate(sources_of([folder]), whole, crew(how()))
    path = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(broken)], env=path, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (broken / "a.pdf").exists()  # page 2 was never read
    annotate(sources_of([folder]), broken, crew(how()))
    assert everything(broken) == everything(whole)


def test_a_crew_is_worth_its_start_for_some_documents_only():
    assert members(1) == members(7) == 1
    assert members(8) == min(2, os.cpu_count()) and members(10_000) == os.cpu_count()


def start(threads):
    assert threads == 1
    return how()


@pytest.mark.slow  # two processes start
def test_several_processes_leave_what_one_does_and_a_dead_one_is_said(folder, tmp_path):
    (folder / "c.pdf").write_bytes(drawn.pdf(drawn.logo))
    alone, together = tmp_path / "alone", tmp_path / "together"
    done = annotate(sources_of([folder]), alone, crew(how()))
    with Crew(start, 2) as two:
        assert annotate(sources_of([folder]), together, two) == done
    assert everything(together) == everything(alone)
    with Crew(start, 2) as two, pytest.raises(UserError, match="a process that reads documents died"):
        list(two.each(die, [1, 2]))


def die(given, item):
    os._exit(1)
