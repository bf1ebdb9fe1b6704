"""Run the export of a condition classifier, without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.images import fit
from assay.errors import UserError
from assay.export.predictor import Image, pixels_of
from assay.export.runtimes import Opened, Runtime, open_export


@dataclass(frozen=True)
class ConditionPredictor:
    """A loaded export; runs without torch. metadata: see `describe`."""

    metadata: Mapping[str, Any]
    opened: Opened

    @classmethod
    def load(
        cls, folder: Path, runtime: Runtime = "onnx", *, threads: int | None = None
    ) -> "ConditionPredictor":
        """Load the export in `folder` for one runtime; threads: CPU threads of one prediction, None = all cores.

        Raises UserError as `assay.export.runtimes.open_export` does.
        """
        return cls(*open_export(folder, runtime, threads))

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probability columns."""
        return list(self.metadata["classes"])

    def predict(
        self, crops: Sequence[Image], object_types: Sequence[str], spatial: NDArray[Any], *, batch: int = 32
    ) -> NDArray[np.float32]:
        """Class probabilities (N, C).

        crops: boxes cut out of photos, of any size, as paths or uint8 arrays. object_types: a name each.
        spatial: (N, numbers) in the order of metadata["spatial_features"].
        Raises UserError for an unreadable file, an unknown type, or numbers that are missing.
        """
        types = self._types(object_types)
        wanted = len(self.metadata["spatial_features"])
        numbers = (
            np.asarray(spatial, np.float32).reshape(len(crops), -1) if wanted else np.zeros((len(crops), 0))
        )
        if numbers.shape[1] != wanted or not np.isfinite(numbers).all() or len(types) != len(crops):
            raise UserError(
                f"spatial {numbers.shape} and {len(types)} types for {len(crops)} crops: expected finite "
                f"{', '.join(self.metadata['spatial_features']) or 'nothing'} for each"
            )
        size = self.metadata["image_size"]
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(crops), batch):
            end = start + batch
            pixels = np.stack([fit(pixels_of(crop), size) for crop in crops[start:end]])
            fed: dict[str, NDArray[Any]] = {
                "pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32),
                "types": types[start:end],
                "spatial": numbers[start:end].astype(np.float32),
            }
            parts.append(self.opened.run({name: fed[name] for name in self.opened.inputs}))
        return np.concatenate(parts)

    def predict_table(self, table: pd.DataFrame, crops: Sequence[Image]) -> pd.DataFrame:
        """Probabilities of every class and the most probable one: columns <class>…, predicted.

        table: a row per crop with the columns object_type and metadata["spatial_features"]. Raises UserError for a
        column that is missing.
        """
        wanted = ["object_type", *self.metadata["spatial_features"]]
        if missing := [name for name in wanted if name not in table]:
            raise UserError(
                f"column {', '.join(missing)} missing; found {', '.join(map(str, table.columns))}"
            )
        spatial = table[wanted[1:]].to_numpy(np.float32)
        found = self.predict(crops, table["object_type"].tolist(), spatial)
        frame = pd.DataFrame(found, columns=self.classes, index=table.index)
        return frame.assign(predicted=[self.classes[index] for index in found.argmax(axis=1)])

    def _types(self, names: Sequence[str]) -> NDArray[np.int64]:
        known = {name: index for index, name in enumerate(self.metadata["object_types"])}
        if unknown := sorted(set(names) - set(known)):
            raise UserError(f"object type {unknown[0]!r}: expected one of {', '.join(known)}")
        return np.array([known[name] for name in names], np.int64)
