"""Fetch a project's public originals, verified file by file before they take their place."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Any

import yaml

from assay.data.progress import track
from assay.data.source import combine, current_source, data_files, write_source
from assay.errors import UserError
from assay.files import fresh_folder, sha256_file

RECIPES = Path("conf/origins")  # seen from the repository's root, where commands run
_PART_KEYS = ("url", "rev", "path", "to", "licence")
_KEYS = ("parts", "checksums", "counts")
_CONVERSIONS = {"conditions": "conditions.csv"}  # what a part's `convert` may say -> the file it makes


@dataclass(frozen=True)
class _Part:
    """One folder or file of a public git repository."""

    url: str
    rev: str
    path: str  # in the repository
    to: str  # folder below data/<project>, "" = its top
    licence: str
    convert: str = ""  # "" = files are kept as published; else a key of _CONVERSIONS

    @property
    def where(self) -> str:
        return f"{self.path} of {self.url} at {self.rev}"


@dataclass(frozen=True)
class _Origin:
    """One project's recipe."""

    parts: tuple[_Part, ...]
    counts: dict[str, int]
    checksums: dict[str, str]  # POSIX path below data/<project> -> hex SHA-256; the list is complete

    @property
    def converted(self) -> set[str]:
        return {
            (PurePosixPath(part.to) / _CONVERSIONS[part.convert]).as_posix()
            for part in self.parts
            if part.convert
        }


def fetch(
    project: str, data_root: Path, *, mirror: Path | None, recipes: Path = RECIPES, force: bool = False
) -> dict[str, Any]:
    """Fill `data_root/<project>` with the originals of `recipes/<project>.yaml`; return its source description.

    The files are put beside their place, every checksum and count is verified, and only then they replace
    what is there. Originals that are there already and intact are left alone.

    A file that has to be converted (see `_CONVERSIONS`) is left out, and that is said, where the conversion
    does not give the listed one: the published files are none the worse for it.

    Args:
        project: the recipe's name.
        data_root: the data folder, usually `data`.
        mirror: a local folder that holds `<project>/…`, or None to run `dvc get` on the public repositories.
        recipes: the folder of the YAML files that name origins and checksums.
        force: replace data of another source; the sample, as it was generated, needs none.

    Raises:
        UserError: unknown project, other data is in the way, an origin can't be reached, or a file is
            missing, unexpected or does not match its checksum.
    """
    origin = _read_recipe(recipes, project)
    folder = data_root / project
    if folder.is_dir() and any(folder.iterdir()):
        present = current_source(folder, project=project)
        if present["source"] == "original" and present["content"] in _contents(origin):
            return present
        # the sample can be made again, a person's data cannot
        if not force and present["source"] != "sample":
            raise UserError(
                f"{folder}: holds data of source {present['source']!r}; move it away, or replace it with the "
                "originals by force (--force, FORCE=1)"
            )
    with fresh_folder(folder) as target:
        if mirror is not None:
            _copy(mirror / project, target, list(origin.checksums))
        else:
            for part in origin.parts:
                _get(part, target, origin.checksums)
            origin = _without_failed_conversions(target, origin, project)
        _verify(target, origin, project)
        note = "; ".join(f"{part.where}, licence: {part.licence}" for part in origin.parts)
        source = write_source(
            target, project=project, kind="original", note=note + (" (from a mirror)" if mirror else "")
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
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{path}, line {number}: {name!r} leaves the data folder")
        checksums[name] = digest
    return checksums


def _contents(origin: _Origin) -> set[str]:
    """Content hashes of intact originals: with what was converted, and without."""
    plain = {name: digest for name, digest in origin.checksums.items() if name not in origin.converted}
    return {combine(origin.checksums), combine(plain)}


def _read_recipe(recipes: Path, project: str) -> _Origin:
    known = sorted(path.stem for path in recipes.glob("*.yaml"))
    if not known:
        raise UserError(f"{recipes}: no recipes (*.yaml) here; they say where the originals come from")
    if project not in known:
        close = get_close_matches(project, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UserError(
            f"{recipes}: no originals of {project!r}; {hint}there are some of: {', '.join(known)}"
        )
    path = recipes / f"{project}.yaml"
    try:
        recipe = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from error
    _require(path, recipe, _KEYS)
    if not isinstance(recipe["parts"], list) or not recipe["parts"]:
        raise UserError(f"{path}: parts: expected a list of at least one origin")
    return _Origin(
        parts=tuple(_part(f"{path}: parts[{k}]", part) for k, part in enumerate(recipe["parts"])),
        counts={str(name): int(count) for name, count in recipe["counts"].items()},
        checksums=read_checksums(recipes / recipe["checksums"]),
    )


def _part(where: str, part: Any) -> _Part:
    _require(where, part, _PART_KEYS)
    unknown = sorted(part.keys() - {*_PART_KEYS, "convert"})
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(_PART_KEYS)}, convert")
    numbers = [key for key in part if not isinstance(part[key], str)]
    if numbers:  # a revision such as 1234567 or 12e4567 is a number to YAML, and another one at that
        raise UserError(f"{where}: {numbers[0]}: {part[numbers[0]]!r} is no text; put it in quotes")
    if ".." in PurePosixPath(part["to"]).parts or PurePosixPath(part["to"]).is_absolute():
        raise UserError(f"{where}: to: {part['to']!r} leaves the data folder")
    if part.get("convert", "") not in {"", *_CONVERSIONS}:
        raise UserError(f"{where}: convert: {part['convert']!r}; there is {', '.join(_CONVERSIONS)}")
    return _Part(**part)


def _require(where: Path | str, entry: Any, keys: Sequence[str]) -> None:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: expected the keys {', '.join(keys)}")
    missing = [key for key in keys if key not in entry]
    if missing:
        raise UserError(f"{where}: the keys {', '.join(missing)} are missing")


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


def _get(part: _Part, target: Path, listed: Iterable[str]) -> None:
    """Download one part and keep what is listed of it; its progress goes to the terminal."""
    with tempfile.TemporaryDirectory(dir=target, prefix=".download.") as folder:
        download = Path(folder) / PurePosixPath(part.path).name
        _dvc_get(part, download)
        if part.convert:
            _convert(part, download, target)
            return
        root = download if download.is_dir() else download.parent
        for name in listed:
            if not PurePosixPath(name).is_relative_to(part.to):
                continue
            published = root / PurePosixPath(name).relative_to(part.to)
            if published.is_file() and not (target / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                published.replace(target / name)


def _dvc_get(part: _Part, download: Path) -> None:
    command = [sys.executable, "-m", "dvc", "get", part.url, part.path]
    command += ["--rev", part.rev, "-o", str(download)]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        lines = [
            line for line in result.stderr.splitlines() if line.startswith("ERROR")
        ] or result.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else "dvc get failed"
        raise UserError(
            f"could not fetch {part.where}: {shorten(reason, 200)}; "
            "check the network, or give a local copy with MIRROR=<folder>"
        )


def _convert(part: _Part, download: Path, target: Path) -> None:
    from assay.data.conditions_pickles import convert_pickles

    out = target / part.to / _CONVERSIONS[part.convert]
    try:
        convert_pickles(download, out, data=target)
    except UserError as error:
        print(f"{out.name}: left out: {error}", file=sys.stderr)


def _without_failed_conversions(folder: Path, origin: _Origin, project: str) -> _Origin:
    """The origin less what could not be converted to the listed file; that file is removed and named."""
    failed = set()
    for name in sorted(origin.converted):
        path = folder / name
        if path.is_file() and sha256_file(path) == origin.checksums.get(name):
            continue
        if path.is_file():
            print(f"{project}/{name}: left out: the conversion gives another file", file=sys.stderr)
            path.unlink()
        failed.add(name)
    if not failed:
        return origin
    checksums = {name: digest for name, digest in origin.checksums.items() if name not in failed}
    folders = Counter(Path(name).parent.as_posix() for name in failed)
    counts = {name: count - folders[name] for name, count in origin.counts.items()}
    counts = {name: count for name, count in counts.items() if count}
    return replace(origin, checksums=checksums, counts=counts)


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
