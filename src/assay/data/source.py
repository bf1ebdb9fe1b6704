"""What is in a data folder and where it came from: SOURCE.yaml and the hash that keeps it honest."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from assay.errors import UserError
from assay.files import atomic_write, sha256_file

NAME = "SOURCE.yaml"
KINDS = ("sample", "original", "own")
_LITTER = {"thumbs.db", "desktop.ini"}  # written by file managers; dot-files are passed over too


def data_files(folder: Path) -> Iterator[Path]:
    """Every data file under `folder`, sorted by relative POSIX path; SOURCE.yaml and litter are left out."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(paths, key=lambda path: path.relative_to(folder).as_posix()):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.name.lower() not in _LITTER and relative.as_posix() != NAME:
            yield path


def content_hash(folder: Path) -> str:
    """Hex SHA-256 over the sorted (relative path, file SHA-256) pairs of a data folder."""
    return combine({path.relative_to(folder).as_posix(): sha256_file(path) for path in data_files(folder)})


def combine(hashes: dict[str, str]) -> str:
    """Hex SHA-256 over sorted `sha256  path` lines: the format `sha256sum` writes, so anyone can check it."""
    lines = (f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def count_files(folder: Path) -> dict[str, int]:
    """Files per folder, keyed by its relative path (`train/cherry_pit`); those at the top are not counted."""
    parents = (path.parent.relative_to(folder).as_posix() for path in data_files(folder))
    return dict(sorted(Counter(parent for parent in parents if parent != ".").items()))


def write_source(folder: Path, *, project: str, kind: str, note: str) -> dict[str, Any]:
    """Describe the data in `folder` in its SOURCE.yaml and return the description.

    Raises:
        ValueError: `kind` is none of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"source {kind!r} is none of {KINDS}")
    source = _describe(folder, project=project, kind=kind, note=note)
    write_source_file(folder / NAME, source)
    return source


def write_source_file(path: Path, source: dict[str, Any]) -> None:
    """Write a description as YAML, keys in the order given."""
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(source, sort_keys=False, allow_unicode=True), "utf-8")


def read_source(folder: Path) -> dict[str, Any]:
    """Read the SOURCE.yaml of a folder as it stands, unchecked.

    Raises:
        UserError: the file is missing or is not a description.
    """
    path = folder / NAME
    if not path.is_file():
        raise UserError(
            f"{path}: missing; it says where the data came from (`make data` and prepare write it)"
        )
    try:
        source = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(source, dict) or "source" not in source or "content" not in source:
        raise UserError(
            f"{path}: expected the keys project, source, counts, content; delete it if the data is your own"
        )
    return source


def current_source(folder: Path, *, project: str) -> dict[str, Any]:
    """Describe the data in `folder` as it is now; writes nothing.

    A folder without SOURCE.yaml is the user's `own`. One whose content no longer matches its SOURCE.yaml is
    reported as `own (modified sample)` or `own (modified original)`: numbers on it must not pass for those of
    the unmodified data.

    Raises:
        UserError: SOURCE.yaml is there but not readable, or names an unknown kind of source.
    """
    if not (folder / NAME).is_file():
        return _describe(folder, project=project, kind="own", note="a user's folder without SOURCE.yaml")
    source = read_source(folder)
    if source["source"] not in KINDS:
        raise UserError(f"{folder / NAME}: source: {source['source']!r}; expected one of {', '.join(KINDS)}")
    found = _describe(folder, project=project, kind=str(source["source"]), note=str(source.get("note", "")))
    if source["content"] != found["content"] and source["source"] != "own":
        found["source"] = f"own (modified {source['source']})"
        found["note"] = "files differ from those SOURCE.yaml describes"
    return found


def _describe(folder: Path, *, project: str, kind: str, note: str) -> dict[str, Any]:
    counts, content = count_files(folder), content_hash(folder)
    return {"project": project, "source": kind, "counts": counts, "content": content, "note": note}
