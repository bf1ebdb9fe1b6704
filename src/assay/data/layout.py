"""The folder layout of an image classification project, and one-line answers to any other layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from assay.data.source import NAME, data_files
from assay.errors import UserError

SPLITS = ("train", "val")
POOL = "pool"
_FOREIGN = {  # top-level folders that give another layout away
    "images": "a YOLO detection set",
    "labels": "a YOLO detection set",
    "annotations": "a COCO or Pascal VOC detection set",
    "videos": "a folder of videos",
    "clips": "a folder of videos",
    "pages": "a folder of document pages",
}


@dataclass(frozen=True)
class Listed:
    """One file of the data folder and the place it lies in."""

    image: str  # POSIX path relative to the data folder
    label: str  # class name, "" in the pool
    split: str  # train, val or pool


def list_images(data: Path, classes: Sequence[str]) -> list[Listed]:
    """List `{train,val}/<class>/**` and `pool/**` under `data`, sorted by path.

    Files at the top (SOURCE.yaml, truth.csv, a README) are not images and are passed over.

    Raises:
        UserError: the folder is missing, empty or laid out otherwise; a split or class folder is missing or
            unknown.
    """
    files = [path.relative_to(data) for path in data_files(data)] if data.is_dir() else []
    if not files:
        raise UserError(
            f"{data}: no data; run `make data` for the sample or lay out your own as {_expected(classes)}"
        )
    _check_layout(data, classes)
    listed = []
    for file in files:
        if file.parts[0] in SPLITS and len(file.parts) > 2:
            listed.append(Listed(file.as_posix(), label=file.parts[1], split=file.parts[0]))
        elif file.parts[0] == POOL and len(file.parts) > 1:
            listed.append(Listed(file.as_posix(), label="", split=POOL))
    return listed


def _check_layout(data: Path, classes: Sequence[str]) -> None:
    found = _folders(data)
    expected = _expected(classes)
    foreign = sorted({_FOREIGN[name.lower()] for name in found if name.lower() in _FOREIGN})
    if foreign:
        raise UserError(f"{data}: found {_names(found)}, which looks like {foreign[0]}; expected {expected}")
    missing = [split for split in SPLITS if split not in found]
    if missing:
        what = _names(found) if found else _files_at_top(data)
        raise UserError(f"{data}: no folder {' and no '.join(missing)} (found {what}); expected {expected}")
    for split in SPLITS:
        folders = _folders(data / split)
        for name in folders:
            if name not in classes:
                raise UserError(
                    f"{data / split / name}: unknown class folder; {_did_you_mean(name, classes)}"
                )
        for name in classes:
            if name not in folders:
                raise UserError(f"{data / split}: class folder {name!r} is missing (found {_names(folders)})")
        stray = [path.name for path in data_files(data / split) if path.parent == data / split]
        if stray:
            raise UserError(
                f"{data / split / stray[0]}: an image outside the class folders; move it into {expected}"
            )


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files_at_top(data: Path) -> str:
    names = sorted(path.name for path in data.iterdir() if path.is_file() and path.name != NAME)
    return _names(names) if names else "nothing"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) or "nothing"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _expected(classes: Sequence[str]) -> str:
    return f"{{train,val}}/{{{','.join(classes)}}}/*.png (and pool/*.png for unlabelled images)"


def _did_you_mean(name: str, classes: Sequence[str]) -> str:
    close = get_close_matches(name, classes, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}the classes are {', '.join(classes)}"
