"""The model the service answers with: the registry's `production`, else the newest export; exchanged while running."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.documents.reading import Asked, Model, read_page
from assay.documents.sheets import Sheet
from assay.errors import UserError
from assay.registry.store import MLRUNS, aliased_export

NAME, ALIAS = "documents-detector", "production"
EXPORTS = (Path("build/documents/export"),)
_LOG = logging.getLogger("assay.service")


@dataclass(frozen=True)
class Chosen:
    """A model in use. version: of the registry, or of an export the first twelve digits of its SHA-256."""

    model: Model
    version: str
    why: str

    def said(self) -> dict[str, Any]:
        """What /model answers; nothing of the host."""
        return {"name": NAME, "version": self.version, "chosen": self.why, **self.model.about}


class Models:
    """Looks for another model at most every `every` seconds, and keeps the old one where the new can't be loaded."""

    def __init__(
        self,
        *,
        mlruns: Path = MLRUNS,
        exports: Sequence[Path] = EXPORTS,
        load: Callable[[Path], Model] = Model.load,
        every: float = 2.0,
    ) -> None:
        self.mlruns, self.exports, self.load, self.every = mlruns, exports, load, every
        self.problem = ""
        self._lock = threading.Lock()
        self._chosen: Chosen | None = None
        self._seen: tuple[Any, ...] | None = None
        self._looked = float("-inf")

    def current(self) -> Chosen | None:
        """The model to use now; None where there is none, and `problem` says why in words for the caller."""
        if time.monotonic() - self._looked < self.every:
            return self._chosen
        with self._lock:
            if time.monotonic() - self._looked >= self.every:
                self._look()
                self._looked = time.monotonic()
        return self._chosen

    def _look(self) -> None:
        try:
            folder, why, version = self._wanted()
            written = (folder / "model.onnx").stat()
            seen = (folder, version, written.st_mtime_ns, written.st_size)
            if seen == self._seen:
                return
            model = self.load(folder)
            # the first is slow
            read_page(model, Sheet(1, np.full((64, 64, 3), 255, np.uint8), "scanned"), Asked())
        except (UserError, OSError) as error:
            _LOG.warning("model: %s", error)  # the log may name folders; answers may not
            self.problem = (
                "the model can't be loaded, the log says why" if self._chosen else "no model is ready yet"
            )
            return
        self._seen, self.problem = seen, ""
        self._chosen = Chosen(model, version or str(model.about["sha256"])[:12], why)
        _LOG.info("model: %s of %s", self._chosen.version, why)

    def _wanted(self) -> tuple[Path, str, str]:
        """Export folder, why this one, its version in the registry or "". Raises UserError where there is none."""
        registered = aliased_export(NAME, ALIAS, self.mlruns)
        if registered is not None:
            version, folder = registered
            return folder, f"the registry's alias {ALIAS}", str(version)
        there = [folder for folder in self.exports if (folder / "model.onnx").is_file()]
        if not there:
            raise UserError(f"{NAME}: no version is {ALIAS}, and nothing is exported in {self.exports[0]}")
        newest = max(there, key=lambda folder: (folder / "model.onnx").stat().st_mtime)
        return newest, f"the newest export: no version has the alias {ALIAS}", ""
