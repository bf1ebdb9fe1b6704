"""Documents read by several processes at once, each with a model of its own; none opens a file itself (`drawer`)."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from assay.errors import UserError

EACH = 4  # documents for each process: fewer are done before a process has started
_Tool = TypeVar("_Tool")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_held: dict[str, Any] = {}  # in a process of the crew: what `start` gave


def members(documents: int) -> int:
    """How many processes so many documents are worth: one for each core at most."""
    return max(1, min(os.cpu_count() or 1, documents // EACH))


class Crew(Generic[_Tool]):
    """Processes that each hold what `start` gives, e.g. a model; a context manager. With one, it is this process.

    start: called once in each process with its number of threads, None = all; it and what is done must be picklable.
    """

    def __init__(self, start: Callable[[int | None], _Tool], count: int) -> None:
        self._start, self._pool = start, None
        if count > 1:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(count, spawn, initializer=_begin, initargs=(start,))
        self._own: _Tool | None = None

    def __enter__(self) -> "Crew[_Tool]":
        """The crew; its processes start with the first item."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and what was not begun."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def each(self, do: Callable[[_Tool, _Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Yield `do(tool, item)` for every item, in order.

        Raises:
            UserError: a process died, most likely for want of memory.
        """
        if self._pool is None:
            self._own = self._start(None) if self._own is None else self._own
            for item in items:
                yield do(self._own, item)
            return
        waiting = [self._pool.submit(_do, do, item) for item in items]
        try:
            for one in waiting:
                yield one.result()
        except BrokenProcessPool as error:
            raise UserError(
                "a process that reads documents died, most likely of too little memory; run again with --jobs 1, what is "
                "finished stays"
            ) from error


def _begin(start: Callable[[int | None], Any]) -> None:
    import signal

    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who waits for the results
    cv2.setNumThreads(1)
    _held["tool"] = start(1)


def _do(do: Callable[[Any, Any], Any], item: Any) -> Any:
    return do(_held["tool"], item)
