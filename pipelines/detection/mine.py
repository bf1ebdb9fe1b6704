"""pipelines/mine.py for detectors: frames of clips (document 002), or images and pages."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import pandas as pd


def main(cfg: DetectionConfig) -> dict[str, float]:
    """Score, choose and write the candidates; returns how many there are and why."""
    from assay.data.classification import source_of
    from assay.files import fresh_folder, write_json
    from assay.models.detector import load_detector
    from assay.training.precision import start_torch
    from pipelines.recording import stage_run

    start_torch(cfg.seed)
    build = Path(cfg.build)
    with stage_run(
        cfg, "mine", sections=("project", "data", "mine"), tags={"experiment": cfg.baseline.experiment}
    ) as run:
        run.data(source_of(build / "dataset"))
        detector, info = load_detector(build / "baseline")
        with fresh_folder(build / "candidates") as folder:
            mine = _clips if cfg.mine.of == "clips" else _images
            table, counts = mine(cfg, detector, info["id"], folder)
            mined_by = {key: info[key] for key in ("id", "experiment", "profile", "weights")}
            write_json(folder / "mined_by.json", mined_by)
        counts |= {str(reason): float(n) for reason, n in table["reason"].value_counts().items()}
        for name, value in counts.items():
            run.metric(name, value)
        for name in ("candidates.csv", "index.html"):
            run.artifact(build / "candidates" / name)
    print(
        f"{build}/candidates/index.html: {len(table)} candidates of {counts['looked_at']:.0f} {_THINGS[cfg.mine.of]}"
    )
    return counts


_THINGS = {"clips": "frames", "images": "images"}


def _clips(
    cfg: DetectionConfig, detector: Any, model: str, folder: Path
) -> "tuple[pd.DataFrame, dict[str, float]]":
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.mining.boxes_page import write_boxes_page
    from assay.mining.clip_table import assemble
    from assay.mining.clips import ClipSettings, minable_clips, mine_clips
    from assay.mining.timeline import rules_from

    how, dataset = cfg.mine, Path(cfg.build) / "dataset"
    zone = how.scoring.zone  # type: ignore[union-attr]
    settings = ClipSettings(
        classes=tuple(detector.classes),
        rules=rules_from(how.scoring.model_dump()),  # type: ignore[union-attr]
        nms_iou=cfg.evaluate.inference.nms_iou,
        max_boxes=cfg.evaluate.max_boxes,
        **how.model_dump(include={"stride", "cap", "score_range", "gate", "verifier"}),
    )
    mined = mine_clips(
        minable_clips(pd.read_csv(dataset / "clips.csv", dtype={"clip": str}), read_manifest(dataset)),
        Path(cfg.data),
        detector,
        Path("runs/mining") / cfg.project.name,
        settings,
        model_id=model,
    )
    table = assemble(mined, folder)
    write_boxes_page(
        folder / "index.html",
        table,
        lambda image: read_image(folder / image),
        project=cfg.project.name,
        classes=cfg.project.classes,
        labels=cfg.review.labels,
        summary=f"{cfg.baseline.experiment} looked at every {settings.stride}. frame of {len(mined.finished)} clips.",
        says="Say in the column objects (yes or no) whether any object of any class shows: only frames without one "
        "may become hard negatives.",
        timelines={clip: folder / clip / "timeline.csv" for clip in sorted(table["group"].unique())},
        thresholds=(zone.approaching, zone.inside),
    )
    frames = sum(len(pd.read_csv(path)) for path in folder.glob("*/timeline.csv"))
    counts = {"clips": len(mined.finished), "clips_quarantined": len(mined.quarantine), "looked_at": frames}
    return table, {"candidates": float(len(table)), **{name: float(value) for name, value in counts.items()}}


def _images(
    cfg: DetectionConfig, detector: Any, model: str, folder: Path
) -> "tuple[pd.DataFrame, dict[str, float]]":
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.mining.boxes_page import write_boxes_page
    from assay.mining.images import minable, rank_images

    dataset = Path(cfg.build) / "dataset"
    images = minable(read_manifest(dataset))
    images = images[images["split"].isin(("train", "pool"))].reset_index(drop=True)

    def load(image: str) -> Any:
        return read_image(dataset / image)

    table = rank_images(
        images,
        detector,
        load,
        truth=pd.read_parquet(dataset / "boxes.parquet"),
        classes=cfg.project.classes,
        nms_iou=cfg.evaluate.inference.nms_iou,
        max_boxes=cfg.evaluate.max_boxes,
        **cfg.mine.model_dump(include={"uncertain", "match_iou", "max_candidates"}),
    )
    table = table.assign(model=model)
    table.to_parquet(folder / "candidates.parquet", index=False)
    table.to_csv(folder / "candidates.csv", index=False)
    write_boxes_page(
        folder / "index.html",
        table,
        load,
        project=cfg.project.name,
        classes=cfg.project.classes,
        labels=cfg.review.labels,
        summary=f"{cfg.baseline.experiment} looked at {len(images)} images, each as it is and mirrored.",
        says="no_object means that the whole image holds no object of any class.",
    )
    return table, {"candidates": float(len(table)), "looked_at": float(len(images))}
