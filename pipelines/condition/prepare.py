"""Cut the annotated boxes out of their photos; quarantine what is damaged.

Reads data/infrastructure/conditions.csv and its photos, writes build/conditions/dataset: crops, the manifest with
spatial features, near-duplicate groups and leaks between splits, the quarantine, and a report (report.html).
"""

from pathlib import Path
from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Prepare the data set; returns its counts."""
    from assay.data.condition import counts_line, prepare
    from assay.data.counts import log_counts
    from assay.data.source import read_source
    from pipelines.recording import stage_run

    dataset = Path(cfg.build) / "dataset"
    with stage_run(cfg, "prepare", sections=("project", "data", "prepare")) as run:
        counts = prepare(
            Path(cfg.data),
            dataset,
            classes=cfg.project.classes,
            object_types=cfg.prepare.object_types,
            near_duplicate_distance=cfg.prepare.near_duplicate_distance,
        )
        run.data(read_source(dataset))
        log_counts(run, dataset, counts)
    print(f"{dataset}/report.html: {counts_line(counts)}")
    return counts
