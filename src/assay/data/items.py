"""What every reader of a detection project yields: one image to store, or one file that is set aside."""

from collections.abc import Callable
from dataclasses import dataclass, field

POOL = "pool"
SPARE = "spare"  # held-out images of a subset that is not scored: described, never used
SMALLEST = 8  # px: a picture with a shorter side shows no object that can be learnt or found
HELD_OUT = ("val", "test")
SPLITS = ("train", "val", "test", POOL, SPARE)


@dataclass(frozen=True)
class Box:
    """One annotated object, or one region that must neither teach nor count (`ignore`, label "")."""

    label: str  # class name; "" for a region to ignore
    xyxy: tuple[float, float, float, float]  # left top right bottom, pixels of the stored image
    raw: str  # the name in the annotation, before it was merged into `label`
    ignore: bool = False


@dataclass(frozen=True)
class Item:
    """One readable image with its boxes, not loaded yet."""

    source: str  # POSIX path below data/<project>; a page of a document is "a.pdf#page=3"
    name: str  # file name below images/<split>/, unique there, with its suffix
    split: str  # one of SPLITS; images of the pool have no boxes
    subset: str  # folder of the data it belongs to, "" where there is one only
    group: str  # flight, document, recording: images of one are not independent; "" = a group of its own
    width: int  # pixels of the stored image
    height: int
    boxes: tuple[Box, ...]
    read: Callable[[], bytes] = field(repr=False, compare=False)  # the file to store, called once
    notes: tuple[str, ...] = ()  # what was mended: boxes clipped, boxes without area dropped


@dataclass(frozen=True)
class Bad:
    """A file that can't be used."""

    source: str  # POSIX path below data/<project>
    reason: str


def size_problem(width: int, height: int, max_side: int | None = None) -> str:
    """Why a picture of this size (px) can't be used, in a few words; "" where it can. max_side: None = no limit."""
    if max_side is not None and max(width, height) > max_side:
        return f"too large: {width}x{height} pixels, at most {max_side} a side"
    if min(width, height) < SMALLEST:
        return f"too small: {width}x{height} pixels, at least {SMALLEST} a side"
    return ""
