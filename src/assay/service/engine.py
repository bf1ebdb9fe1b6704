"""Documents are read here, so many at a time and so long at most; what can't be read becomes a problem."""

import asyncio
import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from assay.data.pages import BadPage
from assay.documents.drawer import Drawers
from assay.documents.drawing import Drawn, draw_page
from assay.documents.reading import Asked, read_pages
from assay.documents.sheets import Limits, TooManyPages
from assay.documents.summary import summarise_document
from assay.service.models import Models
from assay.service.problems import Problem
from assay.service.settings import Settings

_NO_DOCUMENT = ("not an image", "not a PDF", "empty file")
_BUSY = {"Retry-After": "2"}


@dataclass(frozen=True)
class Wanted:
    """How a document is to be read.

    pictures: every page comes drawn too. pdf: so does the document. drawn: with which boxes. flat: cut the page out of a
    photo of it.
    """

    asked: Asked
    pictures: bool = False
    pdf: bool = False
    drawn: Drawn = "grouped"
    flat: bool = False


class Stop(Exception):  # noqa: N818
    """The request that wanted this document is over."""


class Engine:
    """Reads documents in threads. `close` ends it."""

    def __init__(self, settings: Settings, models: Models) -> None:
        self.settings, self.models = settings, models
        # one more for the job in work
        self.drawers = Drawers(
            settings.concurrency + 1, seconds=settings.seconds, memory_mb=settings.memory_mb
        )
        self.pool = ThreadPoolExecutor(settings.concurrency, "reader")
        self._lock = threading.Lock()
        self._inside = 0

    @property
    def inside(self) -> int:
        """Requests in work, from before their upload on, and documents still being read that nobody waits for."""
        return self._inside

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one request; ask for it before its upload is read. Raises Problem 429 where too many are inside."""
        with self._lock:
            if self._inside >= self.settings.concurrency + self.settings.queue:
                raise Problem(429, "too many documents at once; try again in a moment", _BUSY)
            self._inside += 1
        try:
            yield
        finally:
            self._left()

    def close(self) -> None:
        """Let go of everything that waits, and end what is being drawn."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.drawers.close()

    async def read(
        self, content: bytes, wanted: Wanted, deadline: float, *, drawn: int = 0
    ) -> dict[str, Any]:
        """The answer for one document, asked for inside `place`.

        deadline: of `time.monotonic`. A reader that is late goes on to the end of its page, and a place is taken until
        then: no more than `concurrency` pages are ever in work. drawn: see `look`.

        Raises:
            Problem: 413, 415, 422 for the document, 503 when it is late or without a model.
        """
        stop = threading.Event()
        late = Problem(
            503, f"not done within {self.settings.seconds} s; use job mode for long documents", _BUSY
        )
        task: Future[dict[str, Any]] = self.pool.submit(self._read, content, wanted, stop, deadline, drawn)
        answer = asyncio.wrap_future(task)
        # it may end with nobody waiting
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            done, _ = await asyncio.wait([answer], timeout=max(deadline - time.monotonic(), 0.001))
            if not done:
                raise late
            return answer.result()
        except Stop:
            raise late from None
        finally:
            stop.set()
            task.cancel()
            with self._lock:
                self._inside += 1
            task.add_done_callback(self._left)  # at once, unless it goes on though nobody waits

    def _left(self, _: Any = None) -> None:
        with self._lock:
            self._inside -= 1

    def _read(
        self, content: bytes, wanted: Wanted, stop: threading.Event, deadline: float, drawn: int
    ) -> dict[str, Any]:
        def tick(_: int) -> None:
            if stop.is_set() or time.monotonic() > deadline:
                raise Stop

        tick(0)
        return self.look(content, wanted, self.settings.max_pages, tick, drawn=drawn)

    def look(
        self,
        content: bytes,
        wanted: Wanted,
        pages: int,
        tick: Callable[[int], None],
        counted: Callable[[int], None] = lambda _: None,
        *,
        drawn: int = 0,
    ) -> dict[str, Any]:
        """The answer for one document of at most so many pages.

        tick: called with how many pages are done, after each and while one is awaited; what it raises ends the reading.
        counted: called with how many there are. drawn: bytes of drawn pages and PDFs that the answer holds already.
        """
        chosen = self.models.current()
        if chosen is None:
            raise Problem(503, self.models.problem or "no model is ready yet", _BUSY)
        limits = Limits(self.settings.dpi, self.settings.max_side, pages)
        start = time.perf_counter()
        room = self.settings.max_pictures_mb * 1_000_000 - drawn
        found: list[dict[str, Any]] = []
        try:
            coming = self.drawers.pages(
                content, limits=limits, flat=wanted.flat, check=lambda: tick(len(found)), counted=counted
            )
            for read, sheet in read_pages(chosen.model, coming, wanted.asked):
                if "error" in read:
                    read["error"] = _public(read["error"])
                if wanted.pictures and sheet is not None:
                    picture = _jpeg(draw_page(sheet.picture, read[wanted.drawn]))
                    room -= len(picture)
                    read["picture"] = picture if room >= 0 else None
                found.append(read)
                tick(len(found))
        except TooManyPages as error:
            most = self.settings.max_job_pages
            hint = f"; /v1/jobs takes up to {most}" if pages < error.pages <= most else ""
            raise Problem(413, f"{error}{hint}") from error
        except BadPage as error:
            raise _refusal(error.reason) from error
        except MemoryError as error:
            raise Problem(503, "too little memory for this document now", _BUSY) from error
        summary = summarise_document(found)
        if len(summary["failed_pages"]) == len(found):
            raise _refusal(found[0]["error"])
        answer: dict[str, Any] = {
            "model": {"version": chosen.version, "chosen": chosen.why},
            "pages": found,
            "summary": summary,
        }
        if wanted.pdf:
            check = partial(tick, len(found))
            try:
                pdf = self.drawers.pdf(
                    content, found, wanted.drawn, limits=limits, flat=wanted.flat, check=check
                )
            except BadPage:
                pdf = b""
            answer["pdf"] = _text(pdf) if 0 < len(pdf) * 4 / 3 <= room else None
        return answer | {"milliseconds": round(1000 * (time.perf_counter() - start), 1)}


def _refusal(reason: str) -> Problem:
    if reason in _NO_DOCUMENT:
        return Problem(415, f"{reason}: send a PDF, JPEG, PNG, WebP, BMP or TIFF")
    if reason.startswith("too large"):
        return Problem(413, reason)
    return Problem(422, _public(reason))


def _public(reason: str) -> str:
    """A reason without what a library said, which stands in brackets and may name anything."""
    return reason.partition(" (")[0]


def _jpeg(picture: Any) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=80)
    return _text(stream.getvalue())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
