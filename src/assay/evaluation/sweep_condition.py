"""What a sweep of condition classifiers says: `sweep.sections_of` for rows of that task."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluation import sweep
from assay.evaluation.sections import Section, interval_of, share
from assay.evaluation.sweep import Row

JOBS = (
    "job", "status", "backbone", "weights from", "accuracy", "without leaks", "balanced", "own classes",
    "object's type alone", "published",
)  # fmt: skip
SEEDS = {"accuracy": "accuracy", "without_leaks": "without leaks", "balanced_accuracy": "balanced accuracy"}


def sections_of(
    rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]
) -> list[Section]:
    """Everything the sweep has to say, in the order of its page."""
    return sweep.with_rows(
        jobs_section(rows),
        sweep.failures_section(rows),
        sweep.seeds_section(rows, SEEDS),
        sweep.experiments_section(experiments, rows, of="accuracies") if experiments else None,
        sweep.pairs_section(pairs, rows, of="") if pairs else None,
    )


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job, on the test instances as normal or conditional."""

    def cells(row: Row) -> list[str]:
        return [
            row["backbone"],
            row["weights"],
            share(interval_of(row, "accuracy", "low", "high")),
            f"{100 * row['without_leaks']:.1f} %",
            share(interval_of(row, "balanced_accuracy")),
            f"{100 * row['own_classes']:.1f} %" if "own_classes" in row else "",
            f"{100 * row['type_alone']:.1f} %",
            sweep.published_text(row),
        ]

    return Section(
        "Every job",
        "Accuracy on the test instances as normal or conditional, 95 % intervals (Wilson); finer classes are summed to "
        "those two, and own classes is the accuracy on the finer ones. Without leaks: without crops that equal one of "
        "training. Object's type alone: the accuracy of always giving the type's more frequent training label, which "
        "takes no picture.",
        JOBS,
        sweep.job_lines(rows, JOBS, cells),
    )
