"""Which files a command reads and what each is called, and that no result takes the place of something else."""

import hashlib
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from assay.errors import UserError

SUFFIXES = (".pdf", ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_LONGEST = (
    200  # bytes of a name: a file system takes 255, and results are written beside it under longer names
)


def sources_of(
    paths: Sequence[Path], output: Path | None = None, *, suffixes: Sequence[str] = SUFFIXES
) -> dict[str, Path]:
    """Name -> file, for files and for everything with one of `suffixes` below folders, in order.

    A file's name is its own, or its path below the folder that was given, with "/" as "__"; where two would be alike the
    second gets "-2", see `free_name`, and of a name that is too long to be a file's the end becomes a hash. What lies in
    `output` is a result, not a source.

    Raises UserError for a path that is not there, a folder without such files, another kind of file.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file()
            )
            if not files:
                raise UserError(f"{path}: holds nothing readable ({', '.join(suffixes)})")
            if output is not None:
                files = [file for file in files if not file.resolve().is_relative_to(output.resolve())]
            if not files:
                raise UserError(
                    f"{path}: all it holds lies in --output {output}, where results are; name another --output"
                )
            named = [("__".join(file.relative_to(path).parts), file) for file in files]
        elif not path.is_file():
            raise UserError(f"{path}: no such file or folder; name files or folders of them")
        elif path.suffix.lower() not in suffixes:
            raise UserError(f"{path}: expected one of {', '.join(suffixes)}")
        else:
            named = [(path.name, path)]
        for wanted, file in named:
            found[free_name(_writable(wanted), found)] = file
    return found


def free_name(name: str, taken: Container[str]) -> str:
    """`name`, or where that is taken a.png as a-2.png, a-3.png and so on."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{Path(name).stem}-{number}{Path(name).suffix}"
    return free


def keep_sources(sources: Iterable[Path], targets: Iterable[Path]) -> None:
    """Raises UserError if a result would be written over a source, or over a folder that holds one."""
    held = {above: path for path in sources for above in (path.resolve(), *path.resolve().parents)}
    for target in targets:
        if target.resolve() in held:
            raise UserError(
                f"{held[target.resolve()]}: would be replaced by its result {target}; name another --output"
            )


def _writable(name: str) -> str:
    """The name in letters that every file takes, and not too long."""
    name = name.encode("utf-8", "backslashreplace").decode()  # other bytes than UTF-8
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    end = f"-{hashlib.sha256(encoded).hexdigest()[:12]}{Path(name).suffix}"
    return encoded[: _LONGEST - len(end)].decode(errors="ignore") + end
