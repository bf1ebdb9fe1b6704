"""pipelines/review.py for detectors: decisions become hard negatives, corrected boxes, or work for an annotator."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import pandas as pd

    from assay.review.decisions import Decision


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    from assay.review.hard_examples import apply_box_decisions, box_labels, sample_box_truth
    from assay.review.settle import settle
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    root = build / ("candidates" if cfg.mine.of == "clips" else "dataset")  # where the pictures are

    def rule(
        candidates: "pd.DataFrame", decisions: "list[Decision]", *, sample_data: bool
    ) -> "tuple[pd.DataFrame, dict[str, Any]]":
        images = _images(cfg, candidates)
        return apply_box_decisions(
            candidates,
            decisions,
            images=images,
            classes=cfg.project.classes,
            sample_data=sample_data,
            kinds=cfg.review.kinds,
        )

    def keep_pictures(folder: Path, examples: "pd.DataFrame") -> None:
        (folder / "images").mkdir()
        for row in examples[examples["use"].isin(("negative", "labelled"))].to_dict("records"):
            shutil.copyfile(root / row["image"], folder / "images" / row["picture"])

    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        return settle(
            build,
            run,
            project=cfg.project.name,
            data=cfg.data,
            labels=box_labels(cfg.review.labels),
            truth=lambda candidates: sample_box_truth(candidates, Path(cfg.data)),
            rule=rule,
            things="images",
            fill=keep_pictures,
        )


def _images(cfg: DetectionConfig, candidates: "pd.DataFrame") -> "pd.DataFrame":
    """What a decision may be about: frames that were mined, or the data set's images.

    `picture` is the file name under which a negative, or one with boxes drawn, is kept for training.
    """
    from assay.data.classification import read_manifest
    from assay.mining.images import minable

    if cfg.mine.of == "clips":
        pictures = candidates["image"].map(lambda image: Path(image).name)
        return candidates.assign(picture=pictures, labelled=0)
    rows = minable(read_manifest(Path(cfg.build) / "dataset"))
    rows = rows[rows["split"].isin(("train", "pool"))]
    return rows.assign(
        candidate=rows["sha256"].str[:12],
        labelled=rows["boxes"],
        picture=rows["sha256"].str[:12] + rows["image"].map(lambda image: Path(image).suffix),
    )
