"""Run an export on images of any size, without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.data.images import BadImage, fit, read_image
from assay.errors import UserError
from assay.export.runtimes import Opened, Runtime, open_export

Image = NDArray[np.uint8] | Path | str


@dataclass(frozen=True)
class Predictor:
    """A loaded export. metadata: see `assay.export.metadata.describe`."""

    metadata: Mapping[str, Any]
    opened: Opened

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "onnx", *, threads: int | None = None) -> "Predictor":
        """Load the export in `folder` for one runtime.

        threads: CPU threads of one prediction; None = all cores. Raises UserError as `open_export` does.
        """
        return cls(*open_export(folder, runtime, threads))

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probability columns."""
        return list(self.metadata["classes"])

    def predict(self, images: Sequence[Image], *, batch: int = 32) -> NDArray[np.float32]:
        """Class probabilities (N, C) of images of any size, given as paths or arrays.

        Arrays are uint8, (H, W, 3) RGB or (H, W) grey. Raises UserError naming a file that can't be read,
        ValueError for an array of another kind.
        """
        size = self.metadata["image_size"]
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(images), batch):
            pixels = np.stack([fit(pixels_of(image), size) for image in images[start : start + batch]])
            inputs = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
            parts.append(self.opened.run({"pixels": inputs}))
        return np.concatenate(parts)


def pixels_of(image: Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a path or an array. Raises as `Predictor.predict` does."""
    if isinstance(image, Path | str):
        try:
            return read_image(Path(image))
        except BadImage as error:
            raise UserError(f"{image}: {error}; give a readable image") from error
    if image.dtype != np.uint8 or not image.size or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise ValueError(f"expected uint8 (H, W, 3) or (H, W), got {image.dtype} {image.shape}")
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
