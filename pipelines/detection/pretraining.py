"""Where a detector learns from frames without labels first (`pretrain`): the frames, and the weights they leave."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import numpy as np

    from assay.models.detector_weights import DetectorWeights
    from assay.tracking import Run

ROOM = 1.25  # a frame's shorter side beside a view's side: views are cut out of it


def pretrained(cfg: DetectionConfig, weights: "DetectorWeights", work: Path, run: "Run") -> "DetectorWeights":
    """The starting weights after their backbone has learnt from the clips; `weights` unless `pretrain` is asked for.

    What was learnt is kept in `work`, so that a detector's training that was killed goes on from the same start.

    Raises:
        UserError: there is no readable clip, or lightly is not installed.
    """
    if cfg.pretrain is None:
        return weights
    import hashlib

    from safetensors.torch import load_file, save_file

    from assay.files import atomic_write, read_json, write_json
    from assay.models import yolo_adapter
    from assay.training.self_supervised import pretrain_backbone

    how, classes = cfg.pretrain, cfg.project.classes
    pictures, clips = unlabelled(cfg)
    module = yolo_adapter.build(cfg.model.architecture, classes, seed=cfg.seed)
    yolo_adapter.carry_over(module, weights.state, classes=classes, known=weights.classes)
    key = hashlib.sha256(pictures.tobytes())
    for part in (how.model_dump_json(), str(cfg.seed), weights.detail, cfg.model.architecture, *classes):
        key.update(part.encode())
    kept, about = work / "pretrained.safetensors", work / "pretrained.json"
    known = read_json(about) if kept.is_file() and about.is_file() else {}
    if known.get("key") == key.hexdigest():
        module.load_state_dict(load_file(kept))
        rows: list[dict[str, float]] = known["rows"]
    else:
        rows = pretrain_backbone(
            yolo_adapter.backbone(module),
            pictures,
            crop=how.image_size,
            epochs=how.epochs,
            batch=how.batch,
            lr=how.lr,
            weight_decay=how.weight_decay,
            seed=cfg.seed,
            log=run.metric,
        )
        state = {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}
        with atomic_write(kept) as temporary:
            save_file(state, temporary)
        write_json(about, {"key": key.hexdigest(), "rows": rows})
    said = (
        f"{how.method} on {len(pictures)} frames of {clips} clips, {how.epochs} epochs: loss {rows[-1]['loss']:.3f}, "
        f"spread {rows[-1]['spread']:.2f}"
    )
    print(f"backbone: {said}", flush=True)
    run.tag("pretrained", said)
    return replace(
        weights,
        detail=f"{weights.detail}; then {said}",
        state={name: tensor.detach().clone() for name, tensor in module.state_dict().items()},
        classes=tuple(classes),
    )


def unlabelled(cfg: DetectionConfig) -> "tuple[np.ndarray, int]":
    """Frames of the clips that may be mined, uint8 (N, H, W, 3) with equal sides, and of how many clips they are.

    Clips of a recording from which an image is held out are left out, as in mining.

    Raises:
        UserError: no clip can be read.
    """
    import cv2
    import numpy as np
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.clips import BadClip, frames
    from assay.errors import UserError
    from assay.mining.clips import minable_clips

    assert cfg.pretrain is not None  # noqa: S101 - asked by the caller
    dataset, side = Path(cfg.build) / "dataset", round(ROOM * cfg.pretrain.image_size)
    table = dataset / "clips.csv"
    listed: Any = pd.read_csv(table, dtype={"clip": str}) if table.is_file() else None
    found: list[np.ndarray] = []
    clips = 0
    if listed is not None:
        for path in minable_clips(listed, read_manifest(dataset)).sort_values("path")["path"]:
            before = len(found)
            try:
                for _, _, rgb in frames(Path(cfg.data) / path, stride=cfg.pretrain.stride):
                    found.append(cv2.resize(_square(rgb), (side, side), interpolation=cv2.INTER_AREA))
            except BadClip as bad:
                print(f"note: {path} is read up to where it is damaged: {bad.reason}")
            clips += len(found) > before
    if not found:
        raise UserError(
            f"pretrain: {table} lists no readable clip; put clips into {cfg.data}/videos and run `dvc repro "
            f"prepare@{cfg.project.name}`"
        )
    return np.stack(found), clips


def _square(rgb: "np.ndarray") -> "np.ndarray":
    """The middle square of a frame."""
    height, width = rgb.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    return rgb[top : top + edge, left : left + edge]
