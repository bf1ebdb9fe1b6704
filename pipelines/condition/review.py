"""Apply what reviewers decided about conditions; never asks anything, says how many wait.

Reads reviews/conditions/*.jsonl. Human decisions count, a model's where review.kinds asks for it; the sample's
generator answers for sample data only. Writes build/conditions/hard_examples.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import ConditionConfig

if TYPE_CHECKING:
    import pandas as pd

    from assay.review.decisions import Decision

TRUTH = "truth_conditions.csv"  # of the sample: instance, truth, note


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    from functools import partial

    from assay.data.condition import read_manifest
    from assay.review.apply import apply_decisions
    from assay.review.settle import settle
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        manifest = read_manifest(build / "dataset")
        boxes = manifest[manifest["split"] == "train"].assign(candidate=lambda rows: rows["sha256"].str[:12])
        return settle(
            build,
            run,
            project=cfg.project.name,
            data=cfg.data,
            labels=cfg.review.labels,
            truth=lambda candidates: _sample_truth(candidates, Path(cfg.data) / TRUTH),
            rule=partial(apply_decisions, images=boxes, kinds=cfg.review.kinds),
            things="boxes",
        )


def _sample_truth(candidates: "pd.DataFrame", truth: Path) -> "list[Decision]":
    """The generator's own answers about the sample's boxes; none where it wrote no table of them."""
    import pandas as pd

    from assay.review.decisions import Decision

    if not truth.is_file():
        return []
    table = pd.read_csv(truth, keep_default_na=False).set_index("instance")["truth"]
    return [
        Decision(
            candidate=row["candidate"],
            image=row["image"],
            label=table[row["image"]],
            reviewer="sample-generator",
            kind="sample-truth",
            at=datetime(2000, 1, 1, tzinfo=UTC),  # fixed: the same sample gives the same bytes
        )
        for row in candidates.to_dict("records")
        if row["image"] in table.index
    ]
