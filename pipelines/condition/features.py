"""Image features of every crop, computed once per backbone and data set and shared by the stages."""

import hashlib
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.config.condition import StageTwo
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.models.backbones import Backbone

CACHE = Path("runs/features")


def crops_of(cfg: StageTwo, rows: "pd.DataFrame") -> NDArray[np.uint8]:
    """(N, 224, 224, 3) crops, padded to squares."""
    from assay.data.images import load_images
    from assay.models.backbones import SIDE

    return load_images(Path(cfg.build) / "dataset", rows["crop"].tolist(), SIDE, progress="reading crops")


def image_features(
    cfg: StageTwo, rows: "pd.DataFrame", backbone: "Backbone", run: Run | None = None
) -> NDArray[np.float32]:
    """(N, width) features of the rows' crops.

    Kept in runs/features under the backbone's weights and the crops' pixels, so that the stages after the first
    find them there; a damaged or missing file is computed again. `run` is told the seconds.
    """
    from assay.files import atomic_write
    from assay.models.condition import features_of

    kept = CACHE / f"{_key(rows, backbone)}.npy"
    start = perf_counter()
    try:
        features = np.load(kept)
        if features.shape == (len(rows), backbone.width):
            return np.asarray(features, np.float32)
    except (OSError, ValueError, EOFError):
        pass
    features = features_of(backbone, crops_of(cfg, rows))
    seconds = perf_counter() - start
    print(f"{backbone.name}: features of {len(rows)} crops in {seconds:.0f} s")
    if run is not None:
        run.metric("features/seconds", seconds)
        run.metric("features/crops_per_second", len(rows) / seconds)
    with atomic_write(kept) as temporary, temporary.open("wb") as stream:
        np.save(stream, features)
    return features


def arrays_of(rows: "pd.DataFrame", info: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """What a head reads beside the picture: {"types", "spatial"} of the rows, as `info` wants them."""
    from assay.data.condition_features import spatial_of

    # torch wants arrays it may write to
    types = rows["object_type"].map(info["object_types"].index).to_numpy(np.int64, copy=True)
    return {"types": types, "spatial": spatial_of(rows, info["spatial_features"])}


def _key(rows: "pd.DataFrame", backbone: "Backbone") -> str:
    digest = hashlib.blake2b(backbone.name.encode(), digest_size=16)
    for tensor in backbone.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for pixels in rows["pixels"]:
        digest.update(pixels.encode())
    return digest.hexdigest()
