"""Scans and photos of document pages, as they are stored: on white paper, each page of a TIFF by itself."""

import io
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from assay.data.images import FORMATS, BadImage, decode, places
from assay.data.items import POOL, Bad, Item, size_problem
from assay.data.pages import page_name


def pictures_of(
    data: Path, path: Path, subset: str, claim: Callable[[str, str], str], max_side: int
) -> Iterator[Item | Bad]:
    """One picture, or each page of a TIFF, that can be read, without boxes, for the pool.

    Args:
        data: the data folder.
        path: of the file, in it.
        subset: the part of the layout that it belongs to.
        claim: file name and subset -> a name that is not taken.
        max_side: larger pictures are set aside, px.
    """
    source = path.relative_to(data).as_posix()
    try:
        content = path.read_bytes()
        found = places(content)
    except BadImage as error:
        yield Bad(source, error.reason)
        return
    except OSError as error:
        yield Bad(source, f"can't be read: {error.strerror}")
        return
    several = len(found) > 1
    for number, place in enumerate(found, 1):
        here = f"{source}#page={number}" if several else source
        try:
            height, width = decode(content, background="white", place=place).shape[:2]
        except BadImage as error:
            yield Bad(here, error.reason)
            continue
        if problem := size_problem(width, height, max_side):
            yield Bad(here, problem)
            continue
        read: Callable[[], bytes] = path.read_bytes
        name = page_name(path.stem, number) if several else path.name
        if several or _transparent(content):  # OpenCV would show what is hidden below, other readers black
            read, name = partial(_on_white, path, place), f"{Path(name).stem}.png"
        yield Item(
            source=here,
            name=claim(name, subset),
            split=POOL,
            subset=subset,
            group=f"{subset}/{path.stem}",
            width=width,
            height=height,
            boxes=(),
            read=read,
        )


def _transparent(content: bytes) -> bool:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return image.has_transparency_data


def _on_white(path: Path, place: int) -> bytes:
    """The picture as a PNG on white paper."""
    page = Image.fromarray(decode(path.read_bytes(), background="white", place=place))
    stream = io.BytesIO()
    page.save(stream, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    return stream.getvalue()
