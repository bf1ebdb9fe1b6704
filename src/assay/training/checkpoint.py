"""One file per training run that lets it go on after a kill, and only the very same run."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.files import atomic_write

logger = logging.getLogger(__name__)


def fingerprint(
    settings: Mapping[str, Any], arrays: Iterable[NDArray[Any]], state: Mapping[str, Tensor]
) -> str:
    """Hex digest of what decides a run's result: settings (JSON values), data and starting weights."""
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    tensors = [np.ascontiguousarray(tensor.detach().cpu().numpy()) for tensor in state.values()]
    for array in [*arrays, *tensors]:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Checkpoint:
    """Reads and replaces the checkpoint at `path`; one of another run (by fingerprint) counts as absent."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run
        self._warned = False

    def read(self) -> dict[str, Any] | None:
        """The last state written, on the CPU, or None where this run has written none."""
        for partial in self.path.parent.glob(f".{self.path.name}.*"):  # a kill in the middle of a write
            partial.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a damaged file makes of the reader: then training starts anew
            logger.warning("checkpoint %s: unreadable (%s); training starts anew", self.path, error)
            return None
        if not isinstance(state, dict) or state.get("run") != self.run:
            logger.warning("checkpoint %s: of other settings or data; training starts anew", self.path)
            return None
        return cast(dict[str, Any], state)

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint. A full disk costs the checkpoint, not the training: one warning, and on."""
        try:
            with atomic_write(self.path) as temporary:
                torch.save({**state, "run": self.run}, temporary)
        except (OSError, RuntimeError) as error:  # torch's writer turns the disk's errors into RuntimeError
            if not self._warned:
                reason = str(error).split("\n")[0]
                logger.warning("checkpoint %s: not written (%s); training goes on", self.path, reason)
            self._warned = True
