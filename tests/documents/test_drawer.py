"""Drawing in another process, and what becomes of it when that process dies."""

import os
import signal
import time

import numpy as np
import pytest

from assay.data.pages import BadPage
from assay.documents import drawer
from assay.documents.drawer import Drawers
from assay.documents.drawing import annotated_pdf, pictures_as_pdf
from assay.documents.reading import Asked, read_pages
from assay.documents.sheets import Limits, Sheet, TooManyPages, sheets
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, model

SMALL = Limits(dpi=36, pages=4)


@pytest.fixture(scope="module")
def drawers():
    given = Drawers(1, seconds=5, memory_mb=3000)
    yield given
    given.close()


def draw(drawers, content, limits=SMALL, **rest):
    return drawers.pages(content, limits=limits, flat=False, **{"check": lambda: None, **rest})


def test_pages_are_those_that_are_drawn_here(drawers):
    def large(canvas):
        canvas.setPageSize((7200 * 3, 100))

    document = drawn.pdf(drawn.text, large, drawn.scan)
    counts = []
    there, here = list(draw(drawers, document, counted=counts.append)), list(sheets(document, limits=SMALL))
    assert counts == [3]
    assert (there[1].number, there[1].reason) == (here[1].number, here[1].reason)
    for one, other in ((there[0], here[0]), (there[2], here[2])):
        assert isinstance(one, Sheet) and one.origin == other.origin
        assert np.array_equal(one.picture, other.picture)


def test_a_document_is_written_to_there_as_it_would_be_here(drawers):
    document, picture = drawn.pdf(drawn.text, drawn.scan), drawn.with_code("x")
    pages = [read for read, _ in read_pages(model(*MARKS), sheets(document, limits=SMALL), Asked())]
    given = {"limits": SMALL, "flat": False, "check": lambda: None}
    for shown in ("grouped", "raw"):
        assert drawers.pdf(document, pages, shown, **given) == annotated_pdf(document, pages, shown)
    there = drawers.pdf(drawn.png(picture), pages[:1], "raw", **given)
    assert there == annotated_pdf(pictures_as_pdf([picture], SMALL.dpi), pages[:1], "raw")
    assert annotated_pdf(document, pages, "raw") != annotated_pdf(document, pages)
    process = drawers._all[0].process.pid
    for content, words in ((drawn.locked(), "encrypted"), (drawn.pdf(drawn.text), "can't be written to")):
        with pytest.raises(BadPage, match=words):  # the last has no second page
            drawers.pdf(content, pages, "raw", **given)
    assert drawers._all[0].process.pid == process


def test_refusals_come_through_and_the_process_stays(drawers):
    list(draw(drawers, drawn.pdf(drawn.text)))
    process = drawers._all[0].process.pid
    with pytest.raises(BadPage, match="encrypted"):
        list(draw(drawers, drawn.locked()))
    with pytest.raises(TooManyPages, match="5 pages; the limit is 4"):
        list(draw(drawers, drawn.pdf(*[drawn.nothing] * 5)))
    assert drawers._all[0].process.pid == process


def test_a_process_that_dies_costs_its_document_only(drawers):
    pages = draw(drawers, drawn.pdf(*[drawn.text] * 4))
    next(pages)
    os.kill(drawers._all[0].process.pid, signal.SIGKILL)
    with pytest.raises(BadPage, match="damaged: it can't be drawn"):
        list(pages)
    assert len(list(draw(drawers, drawn.pdf(drawn.text)))) == 1


def test_a_process_that_hangs_is_killed(drawers, monkeypatch):
    list(draw(drawers, drawn.pdf(drawn.text)))
    process = drawers._all[0].process
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(drawers._all[0], "seconds", 0.3)
    with pytest.raises(BadPage, match=r"can't be drawn within 0\.3 s"):
        list(draw(drawers, drawn.pdf(drawn.text)))
    process_is_gone(process.pid)
    monkeypatch.undo()
    assert len(list(draw(drawers, drawn.pdf(drawn.text)))) == 1


def process_is_gone(pid):
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_reader_that_goes_away_ends_the_drawing(drawers):
    class GoneError(Exception):
        pass

    def gone():
        raise GoneError

    list(draw(drawers, drawn.pdf(drawn.text)))
    process = drawers._all[0].process
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(GoneError):
        list(draw(drawers, drawn.pdf(drawn.text), check=gone))
    process_is_gone(process.pid)
    pages = draw(drawers, drawn.pdf(*[drawn.text] * 4))
    next(pages)
    pages.close()
    assert len(list(draw(drawers, drawn.pdf(drawn.text)))) == 1


def test_memory_is_limited():
    """Less than the process has already: not even a page of 149 x 210 px can be drawn."""
    given = Drawers(1, seconds=30, memory_mb=1)
    try:
        with pytest.raises(BadPage, match=r"too much memory|can't be drawn"):
            assert not any(isinstance(page, Sheet) for page in draw(given, drawn.pdf(drawn.text)))
            raise BadPage("can't be drawn: every page says so")
    finally:
        given.close()


def test_waiting_for_a_drawer_can_be_given_up(drawers):
    pages = draw(drawers, drawn.pdf(*[drawn.text] * 2))
    next(pages)
    end = time.monotonic() + 0.3

    class LateError(Exception):
        pass

    def late():
        if time.monotonic() > end:
            raise LateError

    with pytest.raises(LateError):
        list(draw(drawers, drawn.pdf(drawn.text), check=late))
    assert len(list(pages)) == 1
    assert drawer._POLL < 0.3
