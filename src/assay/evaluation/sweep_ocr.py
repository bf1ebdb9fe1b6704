"""What a sweep of sign readers says: `sweep.sections_of` for rows of that task."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluation import sweep
from assay.evaluation.sections import Section, interval_of, share
from assay.evaluation.sweep import Row
from assay.evaluation.sweep_timeline import pairs_section

JOBS = ("job", "status", "accuracy", "of signs that were read", "signs read", "characters wrong", "recall of work zones",
        "precision", "most frequent kind")  # fmt: skip
SEEDS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}


def sections_of(
    rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]
) -> list[Section]:
    """Everything the sweep has to say, in the order of its page."""
    return sweep.with_rows(
        jobs_section(rows),
        sweep.failures_section(rows),
        sweep.seeds_section(rows, SEEDS),
        sweep.experiments_section(experiments, rows, of="accuracies") if experiments else None,
        pairs_section(pairs, rows, things="signs", groups="texts", of="accuracy") if pairs else None,
    )


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job."""

    def cells(row: Row) -> list[str]:
        return [
            share(interval_of(row, "accuracy", "low", "high")),
            share(interval_of(row, "read_accuracy")),
            share(interval_of(row, "read_share")),
            share(interval_of(row, "character_errors")),
            share(interval_of(row, "recall_work_zone")),
            share(interval_of(row, "precision_work_zone")),
            f"{100 * row['majority_share']:.1f} %",
        ]

    return Section(
        "Every job",
        "A sign is told to be a work zone's or another from its recognised text alone. 95 % intervals of a "
        "bootstrap that draws whole texts, as one text is on several signs. Characters wrong: edit distance over the "
        "length of the true text, without blanks. A sign without a text counts as told to be the other kind.",
        JOBS,
        sweep.job_lines(rows, JOBS, cells),
    )
