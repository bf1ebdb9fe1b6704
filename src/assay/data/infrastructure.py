"""The infrastructure project's layout: YOLO folders by subset and split, names in data.yaml, flights in file names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import yaml
from PIL import Image, UnidentifiedImageError

from assay.data.items import POOL, Bad, Item, size_problem
from assay.data.source import data_files
from assay.data.yolo_labels import BadLabel, boxes_of, read_labels, require_known
from assay.errors import UserError

_SPLITS = {"train": "train", "val": "val", "valid": "val", "test": "test"}
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
_TURNED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_EXPORT = re.compile(r"(_(jpe?g|png))?\.rf\.[0-9a-f]+(_dup\d+)?$", re.IGNORECASE)  # what Roboflow appends
_FRAME = re.compile(r"^(?P<flight>.*[A-Za-z].*?)_(\d+)(_[A-Z])?$")
# What cameras and frame grabbers call any picture. DJI_0006_W (a letter for the lens) is a name of the published photos,
# which stay grouped as they were measured.
_CAMERA = re.compile(r"(IMG|DJI|DSCN?|PXL|GOPR|MVIMG|frame|image|img|photo|picture|pic)_\d+", re.IGNORECASE)
_EXPECTED = "{data.yaml, {train,val,test}/{images,labels}/*}, in one folder or in one folder per subset"


@dataclass(frozen=True)
class _Place:
    """Where an image belongs, and what is allowed there."""

    data: Path
    split: str
    subset: str
    max_side: int


def read(
    data: Path, *, class_map: Mapping[str, str], ignore: Sequence[str], max_side: int
) -> Iterator[Item | Bad]:
    """Yield every image below `data` with its boxes, and every file that can't be used with the reason.

    The folder holds subsets (merged_375, original_120, any name), each with data.yaml (`names`),
    {train,val,valid,test}/{images,labels}, or it is one subset itself; `pool/images` is optional and has no
    labels.

    Args:
        data: the project's data folder.
        class_map: name in data.yaml -> class; must know every name there that is not in `ignore`.
        ignore: names whose boxes are regions to ignore.
        max_side: longest side in pixels; larger pictures are set aside.

    Raises:
        UserError: no data, another layout, or a name that `class_map` does not know.
    """
    if not data.is_dir() or next(data_files(data), None) is None:
        raise UserError(f"{data}: no data; run `make data` for the sample or lay out your own as {_EXPECTED}")
    subsets = [path.parent for path in sorted(data.glob("data.yaml")) + sorted(data.glob("*/data.yaml"))]
    if not subsets:
        found = ", ".join(sorted(path.name for path in data.iterdir() if not path.name.startswith("."))[:5])
        raise UserError(f"{data}: no data.yaml with the class names (found {found}); expected {_EXPECTED}")
    names = {subset: _names(subset / "data.yaml", class_map, ignore) for subset in subsets}
    splits = {subset: [name for name in _SPLITS if (subset / name / "images").is_dir()] for subset in subsets}
    for subset in subsets:
        if not {"train"} <= {_SPLITS[name] for name in splits[subset]}:
            raise UserError(f"{subset}: no folder train/images; expected {_EXPECTED}")
    for subset in subsets:
        label = subset.relative_to(data).as_posix()
        for split in splits[subset]:
            place = _Place(data, _SPLITS[split], "" if len(subsets) == 1 else label, max_side)
            yield from _read_split(place, subset / split, names[subset], class_map)
    pool = data / POOL / "images" if (data / POOL / "images").is_dir() else data / POOL
    if pool.is_dir():
        for path in data_files(pool):
            yield _item(_Place(data, POOL, "", max_side), path)


def flight(name: str) -> str:
    """The flight that a file name tells: what stands before the frame's number; "" where it tells none.

    `Lagoon1_R6_31_V_jpg.rf.57e2….jpg` is of flight Lagoon1_R6; names of hexadecimal digits tell nothing, and neither
    do those that every camera counts up from the start, such as IMG_0001.jpg.
    """
    stem = _EXPORT.sub("", Path(name).stem)
    match = _FRAME.match(stem)
    if not match or re.fullmatch(r"[0-9a-f]{16}", stem) or _CAMERA.fullmatch(stem):
        return ""
    return match["flight"]


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as shown, EXIF rotation included, from the header alone.

    Raises:
        OSError: not readable, or no image.
    """
    with Image.open(path) as picture:
        width, height = picture.size
        turned = picture.getexif().get(0x0112) in _TURNED
    return (height, width) if turned else (width, height)


def _names(path: Path, class_map: Mapping[str, str], ignore: Sequence[str]) -> list[str]:
    try:
        names = (yaml.safe_load(path.read_text("utf-8")) or {}).get("names")
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from error
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[number] for number in sorted(names)]
    if not isinstance(names, list) or not names:
        raise UserError(f"{path}: names: expected the list of class names that the labels number")
    names = [str(name) for name in names]
    require_known(path, names, class_map, ignore)
    return names


def _read_split(
    place: _Place, folder: Path, names: Sequence[str], class_map: Mapping[str, str]
) -> Iterator[Item | Bad]:
    images, labels = folder / "images", folder / "labels"
    seen = set()
    for path in data_files(images):
        relative = path.relative_to(images)
        label = (labels / relative).with_name(relative.stem + ".txt")
        seen.add(label)
        yield _labelled(place, path, label, names, class_map)
    if labels.is_dir():
        for label in data_files(labels):
            if label.suffix == ".txt" and label not in seen and label.name != "classes.txt":
                yield Bad(label.relative_to(place.data).as_posix(), "a label file without its image")


def _labelled(
    place: _Place, path: Path, label: Path, names: Sequence[str], class_map: Mapping[str, str]
) -> Item | Bad:
    item = _item(place, path)
    if isinstance(item, Bad):
        return item
    notes: list[str] = []
    try:
        found = read_labels(label, names, item.width, item.height, notes)
    except BadLabel as error:
        return Bad(item.source, error.reason)
    boxes = boxes_of(found, class_map, notes)
    return replace(item, boxes=boxes, notes=tuple(notes))


def _item(place: _Place, path: Path) -> Item | Bad:
    source = path.relative_to(place.data).as_posix()
    if path.suffix.lower() not in _IMAGES:
        return Bad(source, f"not an image file: {path.suffix or 'no suffix'}")
    try:
        width, height = picture_size(path)
    except UnidentifiedImageError:
        return Bad(source, "not an image" if path.stat().st_size else "empty file")
    except OSError as error:
        return Bad(source, f"cannot be read: {error.strerror or error}")
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        bomb = isinstance(error, Image.DecompressionBombError)
        return Bad(source, "too large: a decompression bomb" if bomb else f"damaged ({error})")
    if problem := size_problem(width, height, place.max_side):
        return Bad(source, problem)
    return Item(
        source=source,
        name=f"{place.subset}__{path.name}" if place.subset else path.name,
        split=place.split,
        subset=place.subset,
        group=flight(path.name),
        width=width,
        height=height,
        boxes=(),
        read=partial(Path.read_bytes, path),
    )
