import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from assay.documents.annotate import How, annotate
from assay.documents.crew import Crew, members
from assay.documents.drawer import Drawers
from assay.documents.reading import Asked
from assay.documents.sheets import Limits, page_count
from assay.documents.sources import sources_of
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


DRAWERS = Drawers(1, seconds=60, memory_mb=3000)  # it starts with the first page, and ends with the tests


def how(*marks, **asked):
    return How(model(*(marks or MARKS)), Asked(**asked), Limits(dpi=36), DRAWERS)


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


def test_what_other_code_wrote_is_done_again(folder, tmp_path, monkeypatch):
    from assay.documents import annotate as module

    sources = sources_of([folder / "a.pdf"])
    annotate(sources, tmp_path, crew(how()))
    assert annotate(sources, tmp_path, crew(how())).skipped == ["a.pdf"]
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert annotate(sources, tmp_path, crew(how())).done == ["a.pdf"]


def test_results_are_no_sources(folder):
    output = folder / "below/out"
    annotate(sources_of([folder], output), output, crew(how()))
    assert list(sources_of([folder], output)) == ["a.pdf", "below__b.png", "locked.pdf"]


def test_a_source_is_never_replaced_by_its_result(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    content = Path("a.pdf").read_bytes()
    for sources, output in ((["a.pdf"], "."), (["below"], "below"), (["a.pdf", "locked.pdf"], "below/..")):
        paths = [Path(one) for one in sources]
        with pytest.raises(UserError, match="would be replaced by its result"):
            annotate(sources_of(paths), Path(output), crew(how()))
    (tmp_path / "out/a.pdf/pages").mkdir(parents=True)
    kept = tmp_path / "out/a.pdf/pages/p001.jpg"
    kept.write_bytes(drawn.png(drawn.with_code("x")))
    with pytest.raises(UserError, match=r"p001\.jpg: would be replaced by its result"):
        annotate(sources_of([Path("a.pdf"), kept]), tmp_path / "out", crew(how()))
    assert Path("a.pdf").read_bytes() == content and kept.is_file()


def test_what_somebody_else_put_there_stays(folder, tmp_path):
    output = tmp_path / "out"
    kept = {"a.pdf/notes.txt": "mine", "locked.pdf/document.json": "{}", "below__b.png": "a file"}
    for name, text in kept.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(text)
    (folder / "c.png").write_bytes(drawn.png(drawn.with_code("x")))
    done = annotate(sources_of([folder]), output, crew(how()))
    assert done.done == ["c.png"] and [name for name, _, _ in done.problems] == [
        "a.pdf",
        "below__b.png",
        "locked.pdf",
    ]
    assert "notes.txt: is not of `assay annotate`" in done.problems[0][2]
    assert all((output / name).read_text() == text for name, text in kept.items())
    (output / "documents.csv").write_text("name,birthday\n")
    with pytest.raises(UserError, match=r"documents\.csv: is not of"):
        annotate(sources_of([folder]), output, crew(how()))


def test_every_page_of_a_tiff_is_annotated(tmp_path):
    first, *others = (Image.new("L", (298, 420), shade) for shade in (255, 250, 245))
    first.save(tmp_path / "fax.tif", save_all=True, append_images=others)
    output = tmp_path / "out"
    assert annotate(sources_of([tmp_path / "fax.tif"]), output, crew(how())).done == ["fax.tif"]
    assert len(json.loads((output / "fax.tif/document.json").read_text())["pages"]) == 3
    assert len(list((output / "fax.tif/pages").iterdir())) == 3
    before = (output / "fax.tif/annotated.pdf").read_bytes()
    assert page_count(before) == 3
    annotate(sources_of([tmp_path / "fax.tif"]), output, crew(how(confidence=0.2)))
    assert (output / "fax.tif/annotated.pdf").read_bytes() == before


def test_a_damaged_result_is_made_again(folder, tmp_path):
    output = tmp_path / "out"
    annotate(sources_of([folder]), output, crew(how()))
    whole = everything(output)
    found = output / "a.pdf/document.json"
    found.write_bytes(found.read_bytes()[:100])
    assert annotate(sources_of([folder]), output, crew(how())).done == ["a.pdf"]
    assert everything(output) == whole


def test_lines_of_earlier_calls_stay_while_their_documents_do(folder, tmp_path):
    output = tmp_path / "out"
    annotate(sources_of([folder]), output, crew(how()))
    (output / "a.pdf/document.json").unlink()
    (folder / "c.pdf").write_bytes(drawn.pdf(drawn.logo))
    annotate(sources_of([folder / "c.pdf"]), output, crew(how()))
    with (output / "documents.csv").open(newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == ["below__b.png", "c.pdf"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "can't be written: No space left on device"),
        (ValueError("odd"), "can't be annotated (odd)"),
        (RuntimeError("Failed to load page."), "can't be annotated (Failed to load page.)"),
        (MemoryError(), "can't be annotated (too little memory)"),
    ],
)
def test_one_source_that_fails_ends_no_other(folder, tmp_path, monkeypatch, error, said):
    from assay.documents import annotate as module

    def fails(path, document, write=module.write_json):
        if document["source"] == "a.pdf":
            raise error
        write(path, document)

    monkeypatch.setattr(module, "write_json", fails)
    done = annotate(sources_of([folder]), tmp_path / "out", crew(how()))
    assert done.done == ["below__b.png"] and done.problems[0] == ("a.pdf", 0, said)
    assert not (tmp_path / "out/a.pdf").exists()


def test_a_file_that_crashes_the_drawing_fails_alone(folder, tmp_path, monkeypatch):
    from assay.documents import reading

    def dies(model, sheet, asked, read=reading.read_page):
        if sheet.origin == "digital":  # a.pdf's first page came; its second never will
            os.kill(DRAWERS._all[0].process.pid, signal.SIGKILL)
        return read(model, sheet, asked)

    monkeypatch.setattr(reading, "read_page", dies)
    (folder / "a.pdf").write_bytes(drawn.pdf(*[drawn.text] * 4))
    done = annotate(sources_of([folder]), tmp_path / "out", crew(how()))
    assert done.done == ["below__b.png"]
    assert done.problems[0] == ("a.pdf", 0, "damaged: it can't be drawn")


def test_an_output_that_can_not_be_written_to_is_said_first(folder):
    given = how()
    for output, said in ((folder / "a.pdf", "is a file"), (Path("/proc/x"), "can't be written to")):
        with pytest.raises(UserError, match=f"--output {output}: {said}"):
            annotate(sources_of([folder]), output, crew(given))
    assert given.model.predictor.looked_at == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.documents.conftest import MARKS, Told, model
from tests.documents.test_annotate import crew, how
from assay.documents.annotate import annotate
from assay.documents.sources import sources_of
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
