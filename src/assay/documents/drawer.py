"""Files are opened in processes of their own: what a foreign one does to PDFium or Pillow, it does to one of those.

A drawer that crashes, hangs or needs too much memory is killed and the next document gets a new one; its own document is
refused. A drawer draws one page ahead of its reader: the next one waits in the pipe.
"""

import multiprocessing
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from assay.data.images import Pixels
from assay.data.pages import BadPage
from assay.documents.drawing import Drawn, annotated_pdf, pictures_as_pdf
from assay.documents.sheets import Limits, Sheet, TooManyPages, is_pdf, page_count, sheets

_POLL = 0.1  # seconds
_BLANK = np.full((32, 32, 3), 255, np.uint8)  # in the place of a page that can't be drawn


class Drawers:
    """So many drawing processes, started when they are needed; `close` ends them.

    count: documents that can be drawn at the same time. seconds: one page may take. memory_mb: one process may have.
    """

    def __init__(self, count: int, *, seconds: float, memory_mb: int) -> None:
        self._idle: queue.LifoQueue[_Drawer] = queue.LifoQueue()
        self._all = [_Drawer(seconds, memory_mb) for _ in range(count)]
        for drawer in self._all:
            self._idle.put(drawer)

    def start(self) -> None:
        """Start every process that is idle now, so that no document waits for it."""
        waiting = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for drawer in waiting:
            with suppress(BadPage):
                drawer.started()
            self._idle.put(drawer)

    def close(self) -> None:
        """Kill every process; an iterator that is in use ends in BadPage."""
        for drawer in self._all:
            drawer.kill()

    def pages(
        self,
        content: bytes,
        *,
        limits: Limits,
        flat: bool,
        check: Callable[[], None] = lambda: None,
        counted: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Sheet | BadPage]:
        """As `assay.documents.sheets.sheets`, from another process.

        check: called several times a second while a page is awaited; what it raises ends the drawing. counted: called
        with the number of pages before the first.
        """
        yield from self._ask((content, limits, flat), check, counted)

    def pdf(
        self,
        content: bytes,
        pages: Sequence[Mapping[str, Any]],
        drawn: Drawn,
        *,
        limits: Limits,
        flat: bool,
        check: Callable[[], None] = lambda: None,
    ) -> bytes:
        """As `assay.documents.drawing.annotated_pdf`, from another process; pictures become a PDF's pages.

        pages, drawn: of `annotated_pdf`; limits, flat: with which the pages were drawn; check: of `pages`. Raises BadPage
        for a document that can't be written to.
        """
        bare = [{key: page[key] for key in page if key != "picture"} for page in pages]
        (written,) = self._ask((content, limits, flat, bare, drawn), check)
        return bytes(written)

    def _ask(
        self,
        request: tuple[Any, ...],
        check: Callable[[], None],
        counted: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Any]:
        while True:
            try:
                drawer = self._idle.get(timeout=_POLL)
                break
            except queue.Empty:
                check()
        try:
            yield from drawer.answers(request, check, counted)
        finally:
            self._idle.put(drawer)


class _Drawer:
    def __init__(self, seconds: float, memory_mb: int) -> None:
        self.seconds, self.memory_mb = seconds, memory_mb
        self.process: Any = None
        self.line: Connection | None = None

    def kill(self) -> None:
        process, line, self.process, self.line = self.process, self.line, None, None
        if process is not None:
            process.kill()
            process.join()
        if line is not None:
            line.close()

    def started(self) -> Connection:
        if self.line is None or not self.process.is_alive():
            self.kill()
            # a fork would copy threads in the middle of something
            context = multiprocessing.get_context("spawn")
            self.line, theirs = context.Pipe()
            self.process = context.Process(target=_serve, args=(theirs, self.memory_mb), daemon=True)
            self.process.start()
            theirs.close()
            try:
                ready = self.line.poll(60) and self.line.recv() == "ready"
            except (EOFError, OSError):
                ready = False
            if not ready:
                self.kill()
                raise BadPage("can't be drawn: the drawing process does not start")
        return self.line

    def answers(
        self, request: tuple[Any, ...], check: Callable[[], None], counted: Callable[[int], None]
    ) -> Iterator[Any]:
        line, finished = self.started(), False
        try:
            line.send(request)
            while True:
                kind, value = self._answer(line, check)
                finished = kind in ("end", "refused", "too many")
                if kind == "count":
                    counted(value)
                elif kind == "sheet":
                    sheet, shape = value
                    yield replace(sheet, picture=_received(line, shape))
                elif kind == "pdf":
                    yield value
                elif kind == "bad":
                    yield BadPage(*value)
                elif kind == "refused":
                    raise BadPage(value)
                elif kind == "too many":
                    raise TooManyPages(*value)
                else:
                    return
        except (EOFError, OSError) as error:
            raise BadPage("damaged: it can't be drawn") from error
        finally:
            if not finished:  # it died, or goes on with what nobody wants
                self.kill()

    def _answer(self, line: Connection, check: Callable[[], None]) -> tuple[str, Any]:
        end = time.monotonic() + self.seconds
        while not line.poll(_POLL):
            check()
            if time.monotonic() > end:
                raise BadPage(f"can't be drawn within {self.seconds:g} s")
        answer: tuple[str, Any] = line.recv()
        return answer


def _serve(line: Connection, memory_mb: int) -> None:
    """The other process: documents in, pages out, until the line is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asked
    with suppress(ImportError, ValueError, OSError):  # not every system has such a limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 1_000_000,) * 2)
    line.send("ready")
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            line.send(_answer(line, *line.recv()))


def _answer(line: Connection, content: bytes, limits: Limits, flat: bool, *marks: Any) -> tuple[str, Any]:
    """Send the pages, or with marks the PDF that has them; returns how it ended."""
    try:
        if marks:
            line.send(("pdf", _pdf(content, limits, flat, *marks)))
        else:
            count = page_count(content)
            if limits.pages is not None and count > limits.pages:
                return "too many", (count, limits.pages)
            line.send(("count", count))
            for page in sheets(content, limits=limits, flat=flat):
                if isinstance(page, BadPage):
                    line.send(("bad", (page.reason, page.number)))
                else:
                    line.send(("sheet", (replace(page, picture=_BLANK), page.picture.shape)))
                    _send(line, page.picture)
    except BadPage as error:
        return "refused", error.reason
    except TooManyPages as error:
        return "too many", (error.pages, limits.pages)
    except MemoryError:
        return "refused", "too large: it takes too much memory"
    return "end", None


def _send(line: Connection, picture: Pixels) -> None:
    """The bare pixels: pickled, a page of 12 MB is copied five times on its way."""
    left = np.ascontiguousarray(picture).reshape(-1).data
    while left:
        left = left[os.write(line.fileno(), left) :]


def _received(line: Connection, shape: tuple[int, ...]) -> Pixels:
    """What `_send` sent. Raises EOFError: the other side died."""
    picture = np.empty(shape, np.uint8)
    left = picture.reshape(-1).data
    while left:
        count = os.readv(line.fileno(), [left])
        if count == 0:
            raise EOFError
        left = left[count:]
    return picture


def _pdf(
    content: bytes, limits: Limits, flat: bool, pages: Sequence[Mapping[str, Any]], drawn: Drawn
) -> bytes:
    try:
        if not is_pdf(content):
            drawn_there = sheets(content, limits=limits, flat=flat)
            content = pictures_as_pdf(
                (_BLANK if isinstance(page, BadPage) else page.picture for page in drawn_there), limits.dpi
            )
        return annotated_pdf(content, pages, drawn)
    except (OSError, ValueError, RuntimeError) as error:  # pypdfium2's own error is a RuntimeError
        raise BadPage(f"can't be written to ({error})") from error
