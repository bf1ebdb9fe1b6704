"""Apply what reviewers decided to the candidates; never asks anything, says how many wait.

Reads reviews/<project>/*.jsonl. Human decisions count; a model's never do; the sample's generator answers for sample
data only. Writes build/<project>/hard_examples.
"""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.files import fresh_folder, read_json, write_json
    from assay.review.apply import apply_decisions, sample_truth
    from assay.review.decisions import read_decisions
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        source = source_of(build / "dataset")
        run.data(source)
        candidates = pd.read_parquet(build / "candidates/candidates.parquet")
        decisions = read_decisions(Path("reviews") / cfg.project.name, cfg.review.labels)
        sample = source["source"] == "sample"
        if sample:
            decisions = sample_truth(candidates, Path(cfg.data) / "truth.csv") + decisions
        manifest = read_manifest(build / "dataset")
        images = manifest[manifest["split"] != "val"].assign(candidate=lambda rows: rows["sha256"].str[:12])
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
        f"review of {cfg.project.name}: {summary['settled']} images settled; of {summary['candidates']} candidates "
        f"{summary['waiting_for_human']} wait for a person (about {summary['minutes_waiting']} min): "
        f"see {build}/candidates/index.html"
    )
    if summary["not_in_data"]:
        print(f"{summary['not_in_data']} decisions are about images that are not in {cfg.data} (any more)")
    return summary
