"""What the review stage does whatever the task: read the decisions, apply them by the task's rule, write, log, say."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from assay.data.source import read_source
from assay.files import fresh_folder, read_json, write_json
from assay.review.decisions import Decision, read_decisions
from assay.tracking import Run

Truth = Callable[[pd.DataFrame], list[Decision]]  # of candidates: what the sample's generator says of them
# (candidates, decisions, sample_data=): examples, summary
Rule = Callable[..., tuple[pd.DataFrame, dict[str, Any]]]
Fill = Callable[[Path, pd.DataFrame], None]  # (folder, examples): writes more files


def settle(
    build: Path,
    run: Run,
    *,
    project: str,
    data: str,
    labels: Sequence[str],
    truth: Truth,
    rule: Rule,
    things: str,
    fill: Fill | None = None,
) -> dict[str, Any]:
    """Apply the recorded decisions to `build`/candidates and write `build`/hard_examples; returns the summary.

    Args:
        build: the project's folder of outputs.
        run: where the summary's numbers and files are logged.
        project: whose reviews/<project> is read.
        data: the data's folder, for the line that names it.
        labels: what a reviewer may answer.
        truth: asked on sample data only; what people said comes after it.
        rule: what the decisions mean for the task.
        things: what is decided about, in words.
        fill: writes into the new folder beside examples.csv and report.json.

    Raises:
        UserError: a file of decisions is damaged, or the data's source is not known.
    """
    source = read_source(build / "dataset")
    run.data(source)
    sample = source["source"] == "sample"
    candidates = pd.read_parquet(build / "candidates/candidates.parquet")
    decisions = read_decisions(Path("reviews") / project, labels)
    if sample:
        decisions = truth(candidates) + decisions
    examples, summary = rule(candidates, decisions, sample_data=sample)
    summary["mined_by"] = read_json(build / "candidates/mined_by.json")
    with fresh_folder(build / "hard_examples") as folder:
        if fill is not None:
            fill(folder, examples)
        examples.to_csv(folder / "examples.csv", index=False)
        write_json(folder / "report.json", summary)
    for name, value in summary.items():
        if isinstance(value, int | float):
            run.metric(name, value)
    for name in ("examples.csv", "report.json"):
        run.artifact(build / "hard_examples" / name)
    negatives = f", {summary['negatives']} of them hard negatives" if "negatives" in summary else ""
    negatives += f", {summary['labelled']} with boxes drawn by reviewers" if summary.get("labelled") else ""
    print(
        f"review of {project}: {summary['settled']} {things} settled{negatives}; of {summary['candidates']} candidates "
        f"{summary['waiting_for_human']} wait for a person (about {summary['minutes_waiting']} min): "
        f"see {build}/candidates/index.html"
    )
    if summary["not_in_data"]:
        print(f"{summary['not_in_data']} decisions are about {things} that are not in {data} (any more)")
    return summary
