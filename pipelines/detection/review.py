"""pipelines/review.py for detectors: decisions become hard negatives, or work for an annotator."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import pandas as pd


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    import pandas as pd

    from assay.data.classification import source_of
    from assay.files import fresh_folder, read_json, write_json
    from assay.review.decisions import read_decisions
    from assay.review.hard_examples import apply_box_decisions, sample_box_truth
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        source = source_of(build / "dataset")
        run.data(source)
        candidates = pd.read_parquet(build / "candidates/candidates.parquet")
        decisions = read_decisions(Path("reviews") / cfg.project.name, cfg.review.labels)
        sample = source["source"] == "sample"
        if sample:
            decisions = sample_box_truth(candidates, Path(cfg.data)) + decisions
        images, root = _images(cfg, candidates)
        examples, summary = apply_box_decisions(
            candidates, decisions, images=images, classes=cfg.project.classes, sample_data=sample
        )
        summary["mined_by"] = read_json(build / "candidates/mined_by.json")
        with fresh_folder(build / "hard_examples") as folder:
            (folder / "images").mkdir()
            for row in examples[examples["use"] == "negative"].to_dict("records"):
                shutil.copyfile(root / row["image"], folder / "images" / row["picture"])
            examples.to_csv(folder / "examples.csv", index=False)
            write_json(folder / "report.json", summary)
        for name, value in summary.items():
            if isinstance(value, int | float):
                run.metric(name, value)
        for name in ("examples.csv", "report.json"):
            run.artifact(build / "hard_examples" / name)
    print(
        f"review of {cfg.project.name}: {summary['settled']} settled, {summary['negatives']} of them hard negatives; of "
        f"{summary['candidates']} candidates {summary['waiting_for_human']} wait for a person (about "
        f"{summary['minutes_waiting']} min): see {build}/candidates/index.html"
    )
    if summary["not_in_data"]:
        print(f"{summary['not_in_data']} decisions are about images that are not in {cfg.data} (any more)")
    return summary


def _images(cfg: DetectionConfig, candidates: "pd.DataFrame") -> "tuple[pd.DataFrame, Path]":
    """What a decision may be about, and the folder its pictures are in: frames that were mined, or the data set's.

    `picture` is the file name under which a negative is kept for training.
    """
    from assay.data.classification import read_manifest
    from assay.mining.images import minable

    build = Path(cfg.build)
    if cfg.mine.of == "clips":
        pictures = candidates["image"].map(lambda image: Path(image).name)
        return candidates.assign(picture=pictures, labelled=0), build / "candidates"
    rows = minable(read_manifest(build / "dataset"))
    rows = rows[rows["split"].isin(("train", "pool"))]
    images = rows.assign(
        candidate=rows["sha256"].str[:12],
        labelled=rows["boxes"],
        picture=rows["sha256"].str[:12] + rows["image"].map(lambda image: Path(image).suffix),
    )
    return images, build / "dataset"
