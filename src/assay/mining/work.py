"""The folder of finished clips, shared by every process that mines: shards, a second terminal, a killed run's heir.

Each clip's folder is named by its content and written under a lock of its own, so two processes never write one
clip, and a process that is killed leaves no lock behind. What nobody needs any more is removed only by a process that
is alone.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from filelock import FileLock

from assay.files import atomic_write

LOCKS, BEGUN = ".locks", ".begun"


class WorkFolder:
    """A folder of finished clips in use by this process; see `open_work`."""

    def __init__(self, path: Path, held: IO[bytes]) -> None:
        self.path = path
        self._held = held

    def clip(self, key: str, *, wait: bool) -> AbstractContextManager[object]:
        """The right to write the folder `key`: a context that raises `filelock.Timeout` where another process has it.

        Args:
            key: name of the clip's finished folder.
            wait: until the other process has done it; False = not at all.
        """
        return FileLock(self.path / LOCKS / key, timeout=-1 if wait else 0)

    def begun(self, key: str) -> str:
        """When the mining called `key` began, UTC to the second; whoever asks first says so, killed or not.

        SOURCE_DATE_EPOCH (reproducible-builds.org) stops the clock, for two runs that are to be the same bytes.
        """
        path = self.path / BEGUN / key
        with FileLock(self.path / LOCKS / BEGUN):
            if not path.is_file():
                fixed = os.environ.get("SOURCE_DATE_EPOCH")
                now = datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)
                with atomic_write(path) as temporary:
                    temporary.write_text(now.strftime("%Y-%m-%dT%H:%M:%SZ"), "utf-8")
        return path.read_text("utf-8")

    def forget(self, keep: Collection[str]) -> bool:
        """Remove all but what is called `keep`; False, and nothing is removed, while another process mines here."""
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            for folder in self.path.iterdir():
                if folder.is_dir() and folder.name not in {LOCKS, BEGUN, *keep}:
                    shutil.rmtree(folder, ignore_errors=True)
            for lock in (self.path / LOCKS).iterdir():
                lock.unlink(missing_ok=True)
            for begun in (self.path / BEGUN).glob("*"):
                if begun.name not in keep:
                    begun.unlink(missing_ok=True)
        finally:
            fcntl.flock(self._held, fcntl.LOCK_SH)
        return True


@contextmanager
def open_work(path: Path) -> Iterator[WorkFolder]:
    """Use `path`, made where it is missing, as the folder of finished clips; while this lasts nobody else empties it."""
    (path / LOCKS).mkdir(parents=True, exist_ok=True)
    with (path / ".in_use").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        yield WorkFolder(path, held)
