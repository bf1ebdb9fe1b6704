"""Apply what reviewers decided about conditions; never asks anything, says how many wait.

Reads reviews/conditions/*.jsonl. Human decisions count; a model's never do; the sample's generator answers for
sample data only. Writes build/conditions/hard_examples.
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
    import pandas as pd

    from assay.data.condition import read_manifest
    from assay.data.source import read_source
    from assay.files import fresh_folder, read_json, write_json
    from assay.review.apply import apply_decisions
    from assay.review.decisions import read_decisions
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        source = read_source(build / "dataset")
        run.data(source)
        candidates = pd.read_parquet(build / "candidates/candidates.parquet")
        decisions = read_decisions(Path("reviews") / cfg.project.name, cfg.review.labels)
        sample = source["source"] == "sample"
        if sample:
            decisions = _sample_truth(candidates, Path(cfg.data) / TRUTH) + decisions
        manifest = read_manifest(build / "dataset")
        images = manifest[manifest["split"] == "train"].assign(candidate=lambda rows: rows["sha256"].str[:12])
        examples, summary = apply_decisions(candidates, decisions, images=images, sample_data=sample)
        summary["mined_by"] = read_json(build / "candidates/mined_by.json")
        with fresh_folder(build / "hard_examples") as folder:
            examples.to_csv(folder / "examples.csv", index=False)
            write_json(folder / "report.json", summary)
        for name, value in summary.items():
            if isinstance(value, int | float):
                run.metric(name, value)
        run.artifact(build / "hard_examples/examples.csv")
        run.artifact(build / "hard_examples/report.json")
    print(
        f"review of {cfg.project.name}: {summary['settled']} boxes settled; of {summary['candidates']} candidates "
        f"{summary['waiting_for_human']} wait for a person (about {summary['minutes_waiting']} min): "
        f"see {build}/candidates/index.html"
    )
    if summary["not_in_data"]:
        print(f"{summary['not_in_data']} decisions are about boxes that are not in {cfg.data} (any more)")
    return summary


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
