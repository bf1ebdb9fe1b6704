"""Reading images: one array type inside, whatever the file is."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from assay.data.progress import track
from assay.errors import UserError

Pixels = NDArray[np.uint8]

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "TIFF",
)  # Pillow knows many more; some run other programs, such as EPS
_SUBFILE_TYPE, _NO_PAGE = (
    254,
    0b101,
)  # TIFF's tag, and its bits for a smaller copy or the mask of another picture
MAX_PIXELS = 89_478_485  # Pillow's own decompression-bomb limit: 256 MiB of RGB


class BadImage(Exception):  # noqa: N818 - it names a state of the file, and the project's contract uses this name
    """An image that can't be used; `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_image(path: Path) -> Pixels:
    """Read an image file as uint8 RGB of shape (height, width, 3); see `decode`.

    Raises:
        BadImage: the file can't be read or is no usable image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from error
    return decode(data)


def decode(data: bytes, *, background: str = "black", place: int = 0) -> Pixels:
    """Decode an image file's bytes to uint8 RGB of shape (height, width, 3).

    EXIF rotation is applied, grey, palette, CMYK and other colour modes become RGB, 16 bits are scaled to 8.

    Args:
        data: of a file of one of `FORMATS`.
        background: what shows through transparency: black as around the crops, white of paper.
        place: which picture of a file of several, see `places`. Of an animation the first is taken.

    Raises:
        BadImage: empty, no image, damaged, truncated, too large, or of floating-point pixels.
    """
    with _opened(data) as image:
        image.seek(place)
        if image.width * image.height > MAX_PIXELS:
            raise BadImage(f"too large: {image.width}x{image.height} pixels")
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image), background)


def places(data: bytes) -> list[int]:
    """Where the pages of a picture are: [0], or more of a TIFF of several. Raises BadImage as `decode`."""
    with _opened(data) as image:
        if not isinstance(image, TiffImageFile):
            return [0]
        pages = []
        for place in range(image.n_frames):
            image.seek(place)
            if not image.tag_v2.get(_SUBFILE_TYPE, 0) & _NO_PAGE:
                pages.append(place)
        return pages or [0]


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The file, opened; what Pillow raises in the block becomes a BadImage."""
    if not data:
        raise BadImage("empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        raise BadImage("not an image") from error
    except Image.DecompressionBombError as error:
        raise BadImage("too large: a decompression bomb") from error
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error…
        reason = "truncated" if "truncated" in str(error).lower() else f"damaged ({error})"
        raise BadImage(reason) from error


def _to_rgb(image: Image.Image, background: str) -> Pixels:
    if image.mode == "F":
        raise BadImage("floating-point pixels have no defined range")
    if image.mode.startswith("I"):  # 16-bit grey: I;16, I;16B, or I from older files
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        grey = ((deep * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, background), image)
    return np.array(image.convert("RGB"))


def fit(image: Pixels, size: int) -> Pixels:
    """Pad (height, width, 3) to a square with black, resize it to (size, size, 3), bilinear, antialiased.

    An image of exactly that shape comes back unchanged.
    """
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    side = max(height, width)
    if height != width:
        square = np.zeros((side, side, 3), np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = image
        image = square
    if side == size:
        return image
    # Pillow's filter widens with the reduction, OpenCV's bilinear does not: it would alias thin stems away.
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def load_images(
    root: Path, names: Sequence[str], size: int, threads: int = 2, progress: str | None = None
) -> Pixels:
    """Load `names` (paths relative to `root`) as one uint8 array (N, size, size, 3), in their order.

    Args:
        root: folder the names are relative to.
        names: image paths.
        size: side of the square in pixels.
        threads: decoding threads; Pillow releases the interpreter lock while it decodes.
        progress: label of a progress bar, or None for none.

    Raises:
        UserError: an image is missing or unreadable: it changed after prepare had checked it.
    """
    images = np.empty((len(names), size, size, 3), np.uint8)
    with ThreadPoolExecutor(threads) as pool:
        loaded = pool.map(partial(_load, root, size), names)
        for index, image in enumerate(track(loaded, progress, len(names)) if progress else loaded):
            images[index] = image
    return images


def _load(root: Path, size: int, name: str) -> Pixels:
    try:
        return fit(read_image(root / name), size)
    except BadImage as error:
        raise UserError(
            f"{root / name}: {error.reason}; the data changed after prepare, run it again"
        ) from error
