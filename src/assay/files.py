"""Writes that are whole or absent, and hashes of what is on disk."""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from assay.errors import UserError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` that takes its place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open(
            "rb"
        ) as written:  # on disk before the name: a power cut leaves old or new, no half
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk tells writers no name
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path, holding: str = "") -> Iterator[Path]:
    """Yield an empty folder beside `path` that takes its place (contents and all) when the block ends well.

    holding: a file that is in all that is written here: a folder without it is somebody's own. For a `path` that a person
    names.

    Raises UserError where a file lies, or a folder that holds something, but not that.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; name a folder, or move it away")
    if holding and path.is_dir() and any(path.iterdir()) and not (path / holding).is_file():
        raise UserError(
            f"{path}: holds something else (no {holding}) and would be replaced; name another folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f".{escape(path.name)}.*.old"):  # killed between the two renames below
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(old, path)
    for stale in path.parent.glob(f".{escape(path.name)}.*.partial"):  # what a killed process left behind
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
    os.chmod(temporary, 0o777 & ~_umask())
    try:
        yield temporary
        aside = temporary.with_suffix(".old")
        if path.exists():
            os.replace(path, aside)
        os.replace(temporary, path)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(folder: Path, option: str) -> None:
    """Make the folder that a person named by `option`. Raises UserError if nothing can be written there."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{option} {folder}: is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"{option} {folder}: can't be written to ({error.strerror}); name another folder"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a stable key order, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


def without_nan(value: Any) -> Any:
    """The same for programs that take JSON by the letter: null for NaN and infinities, which it has not."""
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> Any:
    """Read a JSON file written by `write_json`."""
    return json.loads(path.read_text("utf-8"))


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
