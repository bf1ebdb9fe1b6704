"""Apply what reviewers decided to the candidates; never asks anything, says how many wait.

Reads reviews/<project>/*.jsonl. Human decisions count, a model's where review.kinds asks for it; the sample's
generator answers for sample data only. Writes build/<project>/hard_examples.
"""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    from functools import partial

    from assay.data.classification import read_manifest
    from assay.review.apply import apply_decisions, sample_truth
    from assay.review.settle import settle
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        manifest = read_manifest(build / "dataset")
        images = manifest[manifest["split"] != "val"].assign(candidate=lambda rows: rows["sha256"].str[:12])
        return settle(
            build,
            run,
            project=cfg.project.name,
            data=cfg.data,
            labels=cfg.review.labels,
            truth=lambda candidates: sample_truth(candidates, Path(cfg.data) / "truth.csv"),
            rule=partial(apply_decisions, images=images, kinds=cfg.review.kinds),
            things="images",
        )
