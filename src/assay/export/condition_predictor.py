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
from assay.export.metadata import KEY, to_text
from assay.export.predictor import Image, pixels_of
from assay.files import read_json

FILE = "model.onnx"


@dataclass(frozen=True)
class ConditionPredictor:
    """A loaded export; runs without torch. metadata: see `describe`."""

    metadata: Mapping[str, Any]
    session: Any

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> "ConditionPredictor":
        """Load the export in `folder`; threads: CPU threads of one prediction, None = all cores.

        Raises UserError when a file is missing or damaged, or when the two are of different exports.
        """
        import onnxruntime

        path = folder / FILE
        for needed in (path, folder / "metadata.json"):
            if not needed.is_file():
                raise UserError(f"{needed}: not found; run the export stage to write it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        try:
            metadata = read_json(folder / "metadata.json")
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's exceptions share no base class
            raise UserError(
                f"{folder}: cannot be loaded ({str(error)[:200]}); run the export stage again"
            ) from error
        if session.get_modelmeta().custom_metadata_map.get(KEY, "") != to_text(metadata):
            raise UserError(
                f"{path}: not the export that metadata.json describes; run the export stage again"
            )
        return cls(metadata, session)

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
        asked = {part.name for part in self.session.get_inputs()}
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(crops), batch):
            end = start + batch
            pixels = np.stack([fit(pixels_of(crop), size) for crop in crops[start:end]])
            fed = {
                "pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32),
                "types": types[start:end],
                "spatial": numbers[start:end].astype(np.float32),
            }
            parts += self.session.run(["probabilities"], {key: fed[key] for key in asked})
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
