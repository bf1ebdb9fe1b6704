"""Pictures of one thing: identical pixels, and neighbouring frames of the same object on a black background.

A hash of the whole frame is useless on such crops: the background decides most bits and makes a hundred
thousand false matches in 4,902 images. So the object is cut out first. Two steps follow, each cheap where the
other is strict: difference hashes of the red and blue planes propose pairs, and the correlation of the two
cut-outs at their true size, at the best shift of a few pixels, confirms them. Green is left out because
back-lit fruit passes none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.data.images import Pixels, fit

FRAME = 128  # pixels; the originals' own size
HASH_SIDE = 12  # of 8, 12 and 16 the one that ranks the known neighbouring frames of the original highest
HASH_BITS = 4 * HASH_SIDE * HASH_SIDE  # red and blue, along rows and along columns
BACKGROUND = 16  # grey levels of 255; 40 ranks the originals' pairs alike
SHIFT = 8  # pixels a cut-out may lie off: the crop's edge jumps between frames
SIZE_TOLERANCE = 0.15  # the same object a frame later is as large, within what the crop's edge cuts
MIN_CORRELATION = 0.90  # by eye on the original: above it nearly all pairs are one cherry, just below it few
_PLANES = (0, 2)  # red, blue
_ROWS_AT_ONCE = 1024  # bounds the distance matrix to this many rows


@dataclass(frozen=True)
class Pair:
    """Two images, by index, that show the same thing."""

    first: int
    second: int
    distance: float  # share of hash bits that differ, 0 to 1
    correlation: float  # mean over red and blue at the best shift, -1 to 1


def cut_out(image: Pixels) -> Pixels:
    """The bounding box of what is brighter than the background; the whole image where nothing is.

    The image is first fitted to `FRAME`, which leaves the originals as they are and bounds the work for large
    photos.
    """
    image = fit(image, FRAME)
    rows, columns = np.nonzero(image.max(axis=2) > BACKGROUND)
    if len(rows) == 0:
        return image
    return image[
        rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
    ].copy()  # not a view: let the frame go


def hash_bits(cutout: Pixels) -> NDArray[np.bool_]:
    """Difference hash of a cut-out, padded to a square: bool array (HASH_BITS,)."""
    height, width = cutout.shape[:2]
    square = Image.new("RGB", (max(height, width),) * 2)
    square.paste(
        Image.fromarray(cutout), ((max(height, width) - width) // 2, (max(height, width) - height) // 2)
    )
    planes = square.split()
    return np.concatenate(
        [
            method(planes[plane], HASH_SIDE).hash.ravel()
            for plane in _PLANES
            for method in (imagehash.dhash, imagehash.dhash_vertical)
        ]
    )


def near_pairs(cutouts: list[Pixels], bits: NDArray[np.bool_], max_distance: float) -> list[Pair]:
    """Pairs of cut-outs that show the same object in neighbouring frames, identical ones included.

    Args:
        cutouts: what `cut_out` returned, N of them.
        bits: their hashes, bool (N, HASH_BITS).
        max_distance: share of hash bits, 0 to 1, up to which a pair is looked at. Of the
            original's 12 million pairs 0.19 proposes about 300, 0.23 about 4,000 and 0.26 about 35,000.

    Returns:
        Pairs with first < second, sorted.
    """
    pairs = []
    for first, second, distance in _proposals(bits, max_distance):
        correlation = _correlation(cutouts[first], cutouts[second])
        if correlation >= MIN_CORRELATION:
            pairs.append(Pair(first, second, distance, correlation))
    return pairs


def groups(count: int, pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Each image's connected component, named by the lowest index in it: int64 (count,)."""
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    _, component = connected_components(links, directed=False)
    _, lowest = np.unique(component, return_index=True)
    return lowest[component].astype(np.int64)


def _proposals(bits: NDArray[np.bool_], max_distance: float) -> Iterator[tuple[int, int, float]]:
    # Signs turn the Hamming distance into a matrix product, which runs at the processor's full speed:
    # 12 million distances of 576 bits take a second. Sums of 576 ones are exact in float32.
    signs = np.where(bits, np.float32(1), np.float32(-1))
    width = bits.shape[1]
    for start in range(0, len(signs), _ROWS_AT_ONCE):
        distances = (width - signs[start : start + _ROWS_AT_ONCE] @ signs[start:].T) / (2 * width)
        rows, columns = np.nonzero(np.triu(distances <= max_distance, k=1))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            yield start + row, start + column, float(distances[row, column])


def _correlation(one: Pixels, other: Pixels) -> float:
    """Best normalised correlation of two cut-outs under a shift; 0 where their sizes differ too much."""
    sizes = np.array(one.shape[:2]) / np.array(other.shape[:2])
    if np.abs(sizes - 1).max() > SIZE_TOLERANCE:
        return 0.0
    padded = cv2.copyMakeBorder(other, SHIFT, SHIFT, SHIFT, SHIFT, cv2.BORDER_CONSTANT)
    template = one[: padded.shape[0], : padded.shape[1]]
    scores = [
        cv2.matchTemplate(padded[..., plane].copy(), template[..., plane].copy(), cv2.TM_CCOEFF_NORMED)
        for plane in _PLANES
        if np.ptp(template[..., plane]) > 0
        and np.ptp(other[..., plane]) > 0  # a flat plane correlates as noise
    ]
    return float(np.mean(scores, axis=0).max()) if scores else 0.0
