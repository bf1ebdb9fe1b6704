"""Fetch a project's public originals, verified file by file before they take their place."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml

from assay.data.progress import track
from assay.data.source import NAME, combine, current_source, data_files, write_source
from assay.errors import UserError
from assay.files import fresh_folder, sha256_file

RECIPE = Path("conf/origins/sources.yaml")  # seen from the repository's root, where commands run
_FIELDS = ("url", "rev", "path", "checksums", "counts", "licence")


@dataclass(frozen=True)
class _Origin:
    """One project's entry of the recipe."""

    url: str
    rev: str
    path: str
    licence: str
    counts: dict[str, int]
    checksums: dict[str, str]  # relative POSIX path -> hex SHA-256


def fetch(
    project: str, data_root: Path, *, mirror: Path | None, recipe: Path = RECIPE, force: bool = False
) -> dict[str, Any]:
    """Fill `data_root/<project>` with the originals that `recipe` names and return its source description.

    The files are put beside their place, every checksum and count is verified, and only then they replace
    what is there. Originals that are there already and intact are left alone.

    Args:
        project: the entry of the recipe.
        data_root: the data folder, usually `data`.
        mirror: a local folder that holds `<project>/…`, or None to run `dvc get` on the public repository.
        recipe: the YAML file that names origins and checksums.
        force: replace data of another source; the sample, as it was generated, needs none.

    Raises:
        UserError: unknown project, other data is in the way, the origin can't be reached, or a file is
            missing, unexpected or does not match its checksum.
    """
    origin = _read_recipe(recipe, project)
    folder = data_root / project
    if folder.is_dir() and any(folder.iterdir()):
        present = current_source(folder, project=project)
        if present["source"] == "original" and present["content"] == combine(origin.checksums):
            return present
        if (
            not force and present["source"] != "sample"
        ):  # the sample can be made again, a person's data cannot
            raise UserError(
                f"{folder}: holds data of source {present['source']!r}; move it away, or replace it with the "
                "originals by force (--force, FORCE=1)"
            )
    with fresh_folder(folder) as target:
        if mirror is not None:
            _copy(mirror / project, target, list(origin.checksums))
        else:
            _dvc_get(origin, target)
        _verify(target, origin, project)
        where = f"{origin.url} at {origin.rev}, {origin.path}/" + (" (from a mirror)" if mirror else "")
        source = write_source(
            target, project=project, kind="original", note=f"{where}; licence: {origin.licence}"
        )
    return source


def read_checksums(path: Path) -> dict[str, str]:
    """Read `sha256  path` lines (the format of `sha256sum`) as path -> digest.

    Raises:
        UserError: the file is missing or a line is not of that form.
    """
    if not path.is_file():
        raise UserError(f"{path}: missing; it lists the checksums of the originals")
    checksums = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != 64 or not name:
            raise UserError(f"{path}, line {number}: expected `sha256  path`, found {line[:80]!r}")
        checksums[name] = digest
    return checksums


def _read_recipe(recipe: Path, project: str) -> _Origin:
    if not recipe.is_file():
        raise UserError(f"{recipe}: missing; it says where the originals come from")
    entries = yaml.safe_load(recipe.read_text("utf-8")) or {}
    if project not in entries:
        close = get_close_matches(project, entries, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UserError(
            f"{recipe}: no originals of {project!r}; {hint}there are some of: {', '.join(sorted(entries))}"
        )
    entry = entries[project]
    missing = [field for field in _FIELDS if field not in entry]
    if missing:
        raise UserError(f"{recipe}: {project}: the keys {', '.join(missing)} are missing")
    return _Origin(
        url=str(entry["url"]),
        rev=str(entry["rev"]),
        path=str(entry["path"]),
        licence=str(entry["licence"]),
        counts={str(name): int(count) for name, count in entry["counts"].items()},
        checksums=read_checksums(recipe.parent / entry["checksums"]),
    )


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy the listed files; a mirror may hold more, which is none of ours."""
    if not source.is_dir():
        raise UserError(
            f"{source}: the mirror has no such folder; MIRROR is the folder that holds {source.name}/"
        )
    for name in track(names, f"copying {source.name}", len(names)):
        if (source / name).is_file():  # what is missing is reported by name when all files are verified
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def _dvc_get(origin: _Origin, target: Path) -> None:
    """Let `dvc get` download the pinned folder; its progress goes to the terminal."""
    download = target / ".download"
    command = [
        sys.executable,
        "-m",
        "dvc",
        "get",
        origin.url,
        origin.path,
        "--rev",
        origin.rev,
        "-o",
        str(download),
    ]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        lines = [
            line for line in result.stderr.splitlines() if line.startswith("ERROR")
        ] or result.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else "dvc get failed"
        raise UserError(
            f"could not fetch {origin.path} of {origin.url} at {origin.rev}: {shorten(reason, 200)}; "
            "check the network, or give a local copy with MIRROR=<folder>"
        )
    for path in list(download.iterdir()):
        path.replace(target / path.name)
    shutil.rmtree(download)
    (target / NAME).unlink(missing_ok=True)


def _verify(folder: Path, origin: _Origin, project: str) -> None:
    found = {path.relative_to(folder).as_posix(): path for path in data_files(folder)}
    _refuse(project, "missing", sorted(origin.checksums.keys() - found.keys()))
    _refuse(project, "not in the list of checksums", sorted(found.keys() - origin.checksums.keys()))
    names = track(sorted(found), f"verifying {project}", len(found))
    _refuse(
        project,
        "not the published file (its SHA-256 differs)",
        [name for name in names if sha256_file(found[name]) != origin.checksums[name]],
    )
    counts = dict(Counter(Path(name).parent.as_posix() for name in found))
    if counts != origin.counts:
        raise UserError(
            f"{project}: found {counts} files, the recipe says {origin.counts}; nothing was replaced"
        )


def _refuse(project: str, what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise UserError(
            f"{project}/{names[0]}{more}: {what}; the originals are refused and nothing was replaced"
        )
