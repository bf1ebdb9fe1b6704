"""Check, deduplicate and group a project's data; quarantine what is damaged.

Reads data/<project>, writes build/<project>/dataset: the manifest of usable images with their near-duplicate groups
and leaks between splits, the quarantine, and a report to look at (report.html).
"""

from pathlib import Path

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, float]:
    """Prepare the data set; returns its counts."""
    from assay.data.classification import prepare, source_of
    from assay.data.counts import log_counts
    from pipelines.recording import stage_run

    dataset = Path(cfg.build) / "dataset"
    with stage_run(cfg, "prepare", sections=("project", "data", "prepare")) as run:
        counts = prepare(
            Path(cfg.data),
            dataset,
            classes=cfg.project.classes,
            image_size=cfg.prepare.image_size,
            near_duplicate_distance=cfg.prepare.near_duplicate_distance,
        )
        run.data(source_of(dataset))
        log_counts(run, dataset, counts)
    print(
        f"{dataset}/report.html: {counts['images']:.0f} images, {counts['quarantined']:.0f} files quarantined"
    )
    return counts
