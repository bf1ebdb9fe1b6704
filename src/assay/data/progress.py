"""One transient progress bar for long loops over files."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], label: str, total: int) -> Iterator[Item]:
    """Yield `items` under a progress bar on standard error; silent where that is not a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, label, total, console=Console(stderr=True), transient=True)
