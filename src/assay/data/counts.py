"""What every preparation logs of the data set it made."""

from collections.abc import Mapping
from pathlib import Path

from assay.tracking import Run


def log_counts(run: Run, dataset: Path, counts: Mapping[str, float]) -> None:
    """Log the counts as metrics, and the report and the quarantine of `dataset` as files."""
    for name, value in counts.items():
        run.metric(name, value)
    for name in ("report.html", "report.json", "quarantine.csv"):
        run.artifact(dataset / name)
