"""The published conditions are Python pickles, which may run code when read; here they may hold data only.

What is assumed of their structure is what the authors' code writes (clip-model, stage2_conditional/scripts/
binary_dataset.py): `<split>_detections.pkl` is a list of dictionaries with `image_path` (text), `bbox` (left, top,
right, bottom in pixels), `object_type`, `spatial_features` (9 float32), `binary_label`, `original_class` and
`yolo_confidence`.
"""

import csv
import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from assay.data.conditions_table import BOX, COLUMNS, FEATURES
from assay.errors import UserError
from assay.files import atomic_write

_SPLITS = {"train": "train", "valid": "val", "test": "test"}
_KEYS = ("image_path", "bbox", "object_type", "spatial_features", "binary_label", "original_class")
_NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
_DIGITS = 6  # of what is written


def convert_pickles(folder: Path, out: Path, *, data: Path) -> int:
    """Write the pickles of `folder` as the table that `read_conditions` reads; returns its number of rows.

    Boxes become shares of their image's sides. Images are looked up by file name below `data`; rows whose image
    is not there are left out. Rows keep the order of the pickles, train before val before test.

    Raises:
        UserError: no pickle is there, or one asks for more than plain data, is damaged or of another structure.
    """
    paths = {split: folder / f"{name}_detections.pkl" for name, split in _SPLITS.items()}
    if not any(path.is_file() for path in paths.values()):
        raise UserError(f"{folder}: no *_detections.pkl; expected train, valid or test")
    images: dict[str, str] = {}
    for path in sorted(data.rglob("*.jpg"), key=lambda path: path.relative_to(data).as_posix()):
        images.setdefault(path.name, path.relative_to(data).as_posix())
    rows = [
        _row(f"{path.name}: instance {number}", sample, split=split, data=data, images=images)
        for split, path in paths.items()
        if path.is_file()
        for number, sample in enumerate(_samples(path))
    ]
    kept = [row for row in rows if row is not None]
    with atomic_write(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    return len(kept)


def load_plain(content: bytes) -> Any:
    """Unpickle containers, text, numbers and numeric numpy arrays.

    Raises:
        UserError: the pickle asks for anything else, which is named, or is damaged.
    """
    try:
        return _Reader(io.BytesIO(content)).load()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle may raise anything at all
        raise UserError(f"a damaged pickle: {type(error).__name__}: {error}") from error


class _Type:
    """Stands for a numpy.dtype while reading: numpy itself never sees the state that a pickle gives it."""

    def __init__(self, name: Any, *flags: Any) -> None:
        if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
            raise UserError(f"an array of {name!r}: only arrays of numbers are read")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for a numpy array; `np.asarray` gives it."""

    def __init__(self, *ignored: Any) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        self.values = _frombuffer(content, kind, shape, "F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values.astype(dtype or self.values.dtype)


def _dtype(name: Any, *flags: Any) -> _Type:
    return _Type(name, *flags)


def _array(*arguments: Any) -> _Array:
    return _Array(*arguments)


def _scalar(kind: _Type, content: bytes) -> Any:
    return np.frombuffer(content, kind.dtype, count=1)[0]


def _frombuffer(content: Any, kind: _Type, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _bytes(text: str, encoding: str = "latin1") -> bytes:
    """What pickles of protocol 2 write for bytes: `_codecs.encode(text, "latin1")`."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UserError("bytes in another encoding than latin1")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _bytes,
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _Reader(pickle.Unpickler):
    """An unpickler that knows the six names numpy's arrays need, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return None  # an argument of _reconstruct only: nothing to be called
        if (module, name) not in _ALLOWED:
            raise UserError(f"the pickle asks for {module}.{name}, which is no plain data; it is not read")
        return _ALLOWED[module, name]


def _samples(path: Path) -> list[Any]:
    try:
        samples = load_plain(path.read_bytes())
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from error
    if not isinstance(samples, list):
        raise UserError(f"{path.name}: holds a {type(samples).__name__}; expected a list of instances")
    return samples


def _row(where: str, sample: Any, *, split: str, data: Path, images: dict[str, str]) -> dict[str, Any] | None:
    missing = [key for key in _KEYS if key not in sample] if isinstance(sample, dict) else list(_KEYS)
    if missing:
        raise UserError(f"{where}: no {', '.join(missing)}")
    image = images.get(PurePosixPath(str(sample["image_path"]).replace("\\", "/")).name)
    if image is None:
        return None
    try:
        box = np.asarray(sample["bbox"], np.float64).reshape(4)
        features = np.asarray(sample["spatial_features"], np.float64).reshape(len(FEATURES))
        label = int(sample["binary_label"])
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from error
    with Image.open(data / image) as picture:
        box = box / np.array([*picture.size, *picture.size])
    raw = str(sample["original_class"])
    condition = next((word for word in ("blocked", "damaged") if word in raw.lower()), "normal")
    values = dict(zip([*BOX, *FEATURES], [round(x, _DIGITS) for x in [*box, *features]], strict=True))
    return {
        "split": split,
        "image": image,
        "object_type": str(sample["object_type"]),
        "original_class": raw,
        "condition": condition,
        "label": label,
    } | {name: float(value) for name, value in values.items()}
