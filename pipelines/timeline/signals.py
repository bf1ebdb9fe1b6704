"""What every annotated clip tells, frame by frame: computed once per detector, clip and rules, kept for all jobs."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.timeline import TimelineConfig
from assay.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from assay.mining.frame_signals import Signals
    from assay.mining.verifier import Towers

CACHE = Path("runs/timelines")
NMS_IOU, MAX_BOXES = 0.7, 100  # of the detector's boxes, as when it mines
_SMALL_CLIP_SEED = 0  # all jobs share one small CLIP


def clips_of(cfg: TimelineConfig) -> "tuple[pd.DataFrame, dict[str, np.ndarray]]":
    """The annotated clips: their rows of clips.csv with leak added, by name; and the states of their frames.

    leak: the detector learnt from frames of the same recording.

    Raises:
        UserError: too few clips are annotated, or the data set is not prepared.
    """
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.workzone import recording

    dataset = Path(cfg.build) / "dataset"
    clips = pd.read_csv(dataset / "clips.csv", dtype={"clip": str})
    states = annotated_clips(Path(cfg.data), clips)
    manifest = read_manifest(dataset)
    learnt = manifest.loc[manifest["split"] == "train", "source"]
    seen = {recording(Path(name).stem.rpartition("_f")[0]) for name in learnt}
    rows = clips[clips["clip"].isin(states)].sort_values("clip", ignore_index=True)
    return rows.assign(leak=rows["recording"].isin(seen)), states


def annotated_clips(data: Path, clips: "pd.DataFrame") -> "dict[str, np.ndarray]":
    """Clip -> state of each of its frames ("" where nobody said), of those clips that have any.

    Args:
        data: the folder data/workzone, with its annotation files.
        clips: clip and frames, as clips.csv lists the readable ones.

    Raises:
        UserError: fewer than two recordings have states, or an annotation file is damaged.
    """
    import numpy as np

    from assay.data.zone_annotations import FILES, read_annotations
    from assay.evaluation.timeline import states_of

    frames = dict(zip(clips["clip"], clips["frames"].astype(int), strict=True))
    table, _ = read_annotations(data, clips)
    here = table[table["clip"].isin(frames)]
    if (recordings := here["recording"].nunique()) < 2:
        raise UserError(
            f"{data}: {recordings} of {len(frames)} clips have zone states; what tells states along a clip needs two "
            f"recordings at least: name the clips of videos/ in {FILES.replace('*', '')}"
        )
    spans = {clip: part[["start", "end", "state"]] for clip, part in here.groupby("clip", sort=True)}
    return {
        str(clip): np.array(states_of(part.itertuples(index=False, name=None), frames[str(clip)]))
        for clip, part in spans.items()
    }


def signals(cfg: TimelineConfig, clips: "pd.DataFrame") -> "tuple[dict[str, Signals], dict[str, Any]]":
    """What each clip's frames tell, and model.json of the detector that looked at them.

    Raises:
        UserError: the detector is not trained, or CLIP's weights are missing.
    """
    from assay.data.progress import track
    from assay.mining.frame_signals import signals_of
    from assay.mining.timeline import rules_from
    from assay.models import yolo_adapter
    from assay.models.detector import load_detector

    folder = Path(cfg.build) / "baseline"
    detector, info = load_detector(folder)
    if info["experiment"] != cfg.model.detector:
        raise UserError(
            f"{folder} holds {info['experiment']}, not model.detector={cfg.model.detector}; the graph trains the "
            f"project's baseline there: dvc repro baseline@{cfg.project.name}"
        )
    rules = rules_from(cfg.scoring.model_dump())
    kept = {str(row["clip"]): CACHE / f"{_key(cfg, row, info)}.npz" for row in clips.to_dict("records")}
    said = {name: _read(path) for name, path in kept.items()}
    missing = [name for name, one in said.items() if one is None]
    if missing:
        towers = _towers(cfg)
        paths = dict(zip(clips["clip"], clips["path"], strict=True))
        for name in track(missing, "looking at annotated clips", len(missing)):
            one = signals_of(
                Path(cfg.data) / paths[name],
                detector,
                towers,
                rules,
                classes=detector.classes,
                backbone=yolo_adapter.backbone(detector.module)[-1],
                stride=cfg.model.stride,
                nms_iou=NMS_IOU,
                max_boxes=MAX_BOXES,
            )
            _write(kept[name], one)
            said[name] = one
    return {name: one for name, one in said.items() if one is not None}, info


def _key(cfg: TimelineConfig, row: "dict[Any, Any]", info: "dict[str, Any]") -> str:
    """Name of a clip's file: everything its numbers depend on."""
    dataset = Path(cfg.build) / "dataset"
    known: dict[str, Any] = {
        "clip": row["sha256"],
        "detector": info["id"],
        "opinion": cfg.model.clip,
        "scoring": cfg.scoring.model_dump(mode="json"),
        "stride": cfg.model.stride,
        "boxes": [NMS_IOU, MAX_BOXES],
    }
    if cfg.model.clip == "sample_clip":
        from assay.files import sha256_file

        known["taught"] = [sha256_file(dataset / name) for name in ("manifest.parquet", "boxes.parquet")]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _towers(cfg: TimelineConfig) -> "Towers":
    from assay.mining.small_clip import small_clip_towers
    from assay.mining.verifier import clip_towers
    from assay.models import clip_adapter
    from pipelines.detection.mine import taught_clip

    prompts = {"positive": cfg.scoring.clip.positive, "negative": cfg.scoring.clip.negative}
    if cfg.model.clip == "sample_clip":
        model = taught_clip(Path(cfg.build) / "dataset", seed=_SMALL_CLIP_SEED, **prompts)
        return small_clip_towers(model, **prompts)
    weights = clip_adapter.resolve(
        cfg.model.clip,
        path=None,
        allow_download=cfg.profile.weights.allow_download,
        allow_random_init=False,
    )
    return clip_towers(cfg.model.clip, weights, **prompts)


def _read(path: Path) -> "Signals | None":
    """A kept file; None where it is missing or damaged."""
    import zipfile

    import numpy as np

    from assay.mining.frame_signals import Signals

    try:
        with np.load(path) as found:
            return Signals(**{name: found[name] for name in ("frames", "scores", "features", "rules")})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, one: "Signals") -> None:
    from dataclasses import asdict

    import numpy as np

    from assay.files import atomic_write

    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **asdict(one))
