"""Read the workzone data: photos and frames with YOLO boxes, photos without a work zone, clips."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from assay.data.clips import SUFFIXES, BadClip, probe
from assay.data.images import BadImage, read_image
from assay.data.items import Bad, Item, size_problem
from assay.data.yolo_labels import BadLabel, boxes_of, read_labels, require_known
from assay.errors import UserError
from assay.files import atomic_write, sha256_file

STATES = ("outside", "approaching", "inside", "exiting")
NEGATIVES = "negatives"
CLIP_FOLDERS = ("videos", f"{NEGATIVES}/videos")

_SPLITS = {"train": "train", "valid": "val", "val": "val", "test": "test"}  # folder -> split
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_COPY = re.compile(r"\.rf\.[0-9a-zA-Z]+$")  # Roboflow's name for each augmented copy of one photo
_FRAME = re.compile(r"_f\d+$")  # <clip>_f<frame>
# <recording>_<part>_<frame>_snippet, as the annotations name clips
_SNIPPET = re.compile(r"_\d{6}_\d{5}_snippet$")


@dataclass(frozen=True)
class ClipRow:
    """One readable clip, as clips.csv lists it."""

    clip: str  # the file's name without its suffix; unique
    path: str  # POSIX, below data/<project>
    frames: int
    fps: float
    width: int
    height: int
    sha256: str
    recording: str  # clips of one recording are not independent


def read(
    data: Path, *, class_map: Mapping[str, str], ignore: Sequence[str], max_side: int
) -> Iterator[Item | Bad]:
    """Yield every labelled image of `data/<subset>/{train,valid,val,test}/{images,labels}` and every negative.

    A subset's class list is its data.yaml (`names`) or its classes.txt. Photos under negatives/images show no work
    zone and have no labels: they become background, every other one by name of train, the rest of test. (Never of
    the pool: what is known needs no review.) Augmented copies of one photo (`….rf.<hash>`) and frames of one clip
    (`<clip>_f<frame>`) share a group.

    Args:
        data: the folder data/workzone.
        class_map: name in the annotation -> class; -> "" = such a thing is background.
        ignore: annotated names whose regions must neither teach nor count.
        max_side: images with a longer side are set aside, px.

    Raises:
        UserError: no labelled images, no readable class list, or one with a name that `class_map` does not know.
    """
    subsets = sorted(
        {path.parent.parent.name for path in data.glob("*/*/images") if path.parent.name in _SPLITS}
    )
    if not subsets:
        raise UserError(
            f"{data}: no labelled images; expected <subset>/{{train,valid,test}}/{{images,labels}}, "
            "or run `make data` for the sample"
        )
    for subset in subsets:
        names = class_names(data / subset)
        require_known(data / subset, names, class_map, ignore)
        for folder in sorted(path for path in (data / subset).iterdir() if path.name in _SPLITS):
            labelled = _Labelled(data, subset, _SPLITS[folder.name], names, class_map, max_side)
            yield from labelled.read(folder)
    yield from _negatives(data, max_side)


def class_names(folder: Path) -> list[str]:
    """The class list of a YOLO data set, in the order of its class ids: `names` of data.yaml, or classes.txt.

    Raises:
        UserError: there is neither, or it cannot be read.
    """
    described, listed = folder / "data.yaml", folder / "classes.txt"
    if described.is_file():
        try:
            names = yaml.safe_load(described.read_text("utf-8"))["names"]
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise UserError(f"{described}: expected a key `names` with the list of classes") from error
        if isinstance(names, dict):  # 0: cone
            if sorted(names) != list(range(len(names))):
                raise UserError(
                    f"{described}: names has the ids {sorted(names)}; expected 0 to {len(names) - 1}"
                )
            names = [names[number] for number in range(len(names))]
        return [str(name) for name in names]
    if listed.is_file():
        lines = listed.read_text("utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]
    raise UserError(f"{folder}: no class list; write data.yaml (`names: [cone, …]`) or classes.txt there")


@dataclass(frozen=True)
class _Labelled:
    """One split of one subset."""

    data: Path
    subset: str
    split: str
    names: Sequence[str]
    class_map: Mapping[str, str]
    max_side: int

    def read(self, folder: Path) -> Iterator[Item | Bad]:
        images = sorted(path for path in (folder / "images").glob("*") if _is_data(path))
        seen: dict[str, str] = {}
        for path in images:
            if path.stem in seen and path.suffix.lower() in _IMAGES:
                yield Bad(self._source(path), f"{seen[path.stem]} has the same label file")
                continue
            seen[path.stem] = path.name
            yield self._item(path, folder / "labels" / f"{path.stem}.txt")
        for label in sorted((folder / "labels").glob("*")):
            if _is_data(label) and label.stem not in seen and label.name != "classes.txt":
                yield Bad(self._source(label), "no image of this name")

    def _item(self, path: Path, label: Path) -> Item | Bad:
        size = _size(path, self.max_side)
        if isinstance(size, str):
            return Bad(self._source(path), size)
        notes: list[str] = []
        try:
            found = read_labels(label, self.names, *size, notes)
        except BadLabel as error:
            return Bad(self._source(path), error.reason)
        boxes = boxes_of(found, self.class_map, notes)
        return Item(
            source=self._source(path),
            name=f"{self.subset}_{path.name}",
            split=self.split,
            subset=self.subset,
            group=f"{self.subset}/{_FRAME.sub('', _COPY.sub('', path.stem))}",
            width=size[0],
            height=size[1],
            boxes=boxes,
            read=path.read_bytes,
            notes=tuple(notes),
        )

    def _source(self, path: Path) -> str:
        return path.relative_to(self.data).as_posix()


def _negatives(data: Path, max_side: int) -> Iterator[Item | Bad]:
    paths = sorted(path for path in (data / NEGATIVES / "images").glob("*") if _is_data(path))
    groups = sorted({_road(path) for path in paths})
    for path in paths:
        source = path.relative_to(data).as_posix()
        size = _size(path, max_side)
        if isinstance(size, str):
            yield Bad(source, size)
            continue
        yield Item(
            source=source,
            name=f"{NEGATIVES}_{path.name}",
            split="test" if groups.index(_road(path)) % 2 else "train",
            subset=NEGATIVES,
            group=f"{NEGATIVES}/{_road(path)}",
            width=size[0],
            height=size[1],
            boxes=(),
            read=path.read_bytes,
        )


def _road(path: Path) -> str:
    return path.stem.rstrip("0123456789")  # curve.jpg, curve2.jpg: the same road


def copies_across_splits(items: Iterable[Item]) -> dict[str, int]:
    """Count groups that hold several images (`copies`), and those of them that lie in several splits (`across`)."""
    splits: dict[str, list[str]] = defaultdict(list)
    for item in items:
        splits[item.group].append(item.split)
    several = [found for found in splits.values() if len(found) > 1]
    return {"copies": len(several), "across": sum(len(set(found)) > 1 for found in several)}


def clips(data: Path) -> tuple[list[ClipRow], list[Bad]]:
    """List the readable clips of videos/ and negatives/videos/, sorted by path, and those that are not; see `probe`."""
    rows: dict[str, ClipRow] = {}
    bad = []
    for folder in CLIP_FOLDERS:
        for path in sorted(path for path in (data / folder).glob("*") if _is_data(path)):
            source = path.relative_to(data).as_posix()
            if path.suffix.lower() not in SUFFIXES:
                bad.append(Bad(source, f"not a video: the name ends in {path.suffix or 'nothing'}"))
                continue
            if path.stem in rows:
                bad.append(Bad(source, f"{rows[path.stem].path} has the same name; rename one"))
                continue
            try:
                clip = probe(path)
            except BadClip as error:
                bad.append(Bad(source, error.reason))
                continue
            rows[path.stem] = ClipRow(
                clip=path.stem,
                path=source,
                frames=clip.frames,
                fps=round(clip.fps, 4),
                width=clip.width,
                height=clip.height,
                sha256=sha256_file(path),
                recording=recording(path.stem),
            )
    return list(rows.values()), bad


def recording(clip: str) -> str:
    """The recording that a clip was cut from, by its name; a clip of another name is its own recording."""
    return _SNIPPET.sub("", clip)


def write_clips(path: Path, rows: Sequence[ClipRow]) -> None:
    """Write clips.csv: one row per clip, columns as the fields of `ClipRow`."""
    columns = list(ClipRow.__dataclass_fields__)
    table = pd.DataFrame([asdict(row) for row in rows], columns=columns)
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_intervals(
    path: Path, frames: Mapping[str, int] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read the zone states that people gave the frames of clips: `{clip.mp4: {state: [[first, last], …]}}`.

    Args:
        path: workzone_annotations*.json.
        frames: clip -> its number of frames, where known, to find intervals that reach beyond the end.

    Returns:
        A table with the columns clip (name without suffix), recording, start, end (frames, both inclusive) and state,
        sorted by clip and start; and counts: clips, recordings, intervals, and the oddities empty (clips without an
        interval), reversed (end before start; left out), overlaps and gaps (between neighbours, and before the first),
        beyond_end (of clips in `frames`).

    Raises:
        UserError: the file is no such JSON, or names an unknown state.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected {{clip: {{state: [[first, last], …]}}}}")
    counts = dict.fromkeys(
        ("clips", "recordings", "intervals", "empty", "reversed", "overlaps", "gaps", "beyond_end"), 0
    )
    rows = []
    for name, states in sorted(content.items()):
        clip = Path(name).stem
        found = _intervals(path, name, states)
        ordered = sorted(interval for interval in found if interval[0] <= interval[1])
        counts["empty"] += not ordered
        counts["reversed"] += len(found) - len(ordered)
        reached = -1
        for start, end, state in ordered:
            counts["overlaps"] += start <= reached
            counts["gaps"] += start > reached + 1
            counts["beyond_end"] += bool(frames and clip in frames and end >= frames[clip])
            reached = max(reached, end)
            rows.append((clip, recording(clip), start, end, state))
    table = pd.DataFrame(rows, columns=["clip", "recording", "start", "end", "state"])
    counts |= {"clips": len(content), "intervals": len(table)}
    counts["recordings"] = len({recording(Path(name).stem) for name in content})
    return table, counts


def _intervals(path: Path, name: str, states: Any) -> list[tuple[int, int, str]]:
    if not isinstance(states, dict):
        raise UserError(f"{path}: {name}: expected {{state: [[first, last], …]}}")
    if unknown := sorted(set(states) - set(STATES)):
        raise UserError(f"{path}: {name}: unknown state {unknown[0]!r}; expected one of {', '.join(STATES)}")
    found = []
    for state, pairs in states.items():
        for pair in pairs:
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(frame) is int for frame in pair)):
                raise UserError(f"{path}: {name}: {state}: {pair!r} is no pair of frames")
            found.append((pair[0], pair[1], state))
    return found


def _is_data(path: Path) -> bool:
    return (
        path.is_file()
        and not path.name.startswith(".")
        and path.name.lower() not in ("thumbs.db", "desktop.ini")
    )


def _size(path: Path, max_side: int) -> tuple[int, int] | str:
    """Width and height in px, or why the image can't be used."""
    if path.suffix.lower() not in _IMAGES:
        return f"not an image: the name ends in {path.suffix or 'nothing'}"
    try:
        height, width = read_image(path).shape[:2]
    except BadImage as error:
        return error.reason
    return size_problem(width, height, max_side) or (width, height)
