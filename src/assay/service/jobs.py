"""Long documents: begun now, asked about later, fetched once. They live in memory only."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from assay.service.engine import Engine, Stop, Wanted
from assay.service.problems import Problem

_LOG = logging.getLogger("assay.service")


@dataclass
class Job:
    """One long document. content: until it is in work or dropped. ended: `time.monotonic` when it was."""

    content: bytes = b""
    pages: int | None = None  # not known before it is opened
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    pages_done: int = 0
    result: dict[str, Any] | None = None
    problem: Problem | None = None
    ended: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def said(self, name: str) -> dict[str, Any]:
        """What is told of it while it is not fetched."""
        told = {"id": name, "status": self.status, "pages": self.pages, "pages_done": self.pages_done}
        return told | ({"problem": self.problem.body()} if self.problem else {})


class Jobs:
    """One job is in work at a time, beside the engine's readers. Names can't be guessed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pool = ThreadPoolExecutor(1, "job")
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def count(self) -> int:
        """Jobs waiting, running, or finished and not fetched yet."""
        return len(self._jobs)

    def close(self) -> None:
        """Stop them all."""
        with self._lock:
            for job in self._jobs.values():
                job.stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def place(self) -> Iterator[str]:
        """The name of a new job, given before its upload; what is raised inside gives its place back.

        Raises Problem 429: too many jobs.
        """
        name = secrets.token_urlsafe(18)
        with self._lock:
            if len(self._jobs) >= self.engine.settings.jobs:
                raise Problem(429, "too many jobs; fetch or delete some first", {"Retry-After": "10"})
            self._jobs[name] = Job()
        try:
            yield name
        except BaseException:
            self.drop(name)
            raise

    def begin(self, name: str, content: bytes, wanted: Wanted) -> dict[str, Any]:
        """Take the document of a job that has its place. What is wrong with it is told by `about` and `fetch`."""
        job = self._job(name)
        job.content = content
        self._pool.submit(self._work, job, wanted)
        return job.said(name)

    def about(self, name: str) -> dict[str, Any]:
        """How far a job is. Raises Problem 404."""
        return self._job(name).said(name)

    def fetch(self, name: str, *, keep: bool = False) -> dict[str, Any]:
        """The result; it is forgotten unless `keep`. Raises Problem: 404, 409 not done yet, or why the job failed."""
        job = self._job(name)
        if job.status in ("waiting", "running"):
            raise Problem(
                409, f"{job.status}: {job.pages_done} of {job.pages or '?'} pages done", {"Retry-After": "1"}
            )
        if not keep:
            self.drop(name)
        if job.problem is not None:
            raise job.problem
        assert job.result is not None  # noqa: S101 - a job that is done has one
        return job.result

    def drop(self, name: str) -> None:
        """Stop and forget a job. Raises Problem 404."""
        job = self._job(name)
        job.stop.set()
        job.content = b""  # the job itself may wait in the pool for long
        with self._lock:
            self._jobs.pop(name, None)

    def _job(self, name: str) -> Job:
        job = self._jobs.get(name)
        if job is None:
            raise Problem(404, "no such job; results are forgotten once fetched, or after a while")
        return job

    async def tidy(self) -> None:
        """Forget, every second and without end, what is finished and was not fetched for `keep_seconds`."""
        while True:
            oldest = time.monotonic() - self.engine.settings.keep_seconds
            with self._lock:
                self._jobs = {
                    name: job for name, job in self._jobs.items() if not job.ended or job.ended > oldest
                }
            await asyncio.sleep(1)

    def _work(self, job: Job, wanted: Wanted) -> None:
        settings = self.engine.settings
        content, job.content = job.content, b""
        end = time.monotonic() + settings.job_seconds

        def tick(done: int) -> None:
            job.pages_done = done
            if job.stop.is_set():
                raise Stop
            if time.monotonic() > end:
                raise Problem(503, f"not done within {settings.job_seconds} s; send the document in parts")

        try:
            tick(0)
            job.status = "running"
            job.result = self.engine.look(
                content,
                wanted,
                settings.max_job_pages,
                tick,
                lambda pages: setattr(job, "pages", pages),
            )
            job.status = "done"
        except Stop:
            job.status = "failed"
        except Problem as problem:
            job.problem, job.status = problem, "failed"
        except Exception:
            _LOG.exception("a job failed")
            job.problem, job.status = Problem(500, "something went wrong here; the log says what"), "failed"
        finally:
            job.ended = time.monotonic()
