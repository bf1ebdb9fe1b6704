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
    seeds, failures = sweep.seeds_section(rows, SEEDS), sweep.failures_section(rows)
    return [
        jobs_section(rows),
        *([failures] if failures.rows else []),
        *([seeds] if seeds else []),
        *([sweep.experiments_section(experiments, rows, of="accuracies")] if experiments else []),
        *([pairs_section(pairs, rows, things="signs", groups="texts", of="accuracy")] if pairs else []),
    ]


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job."""
    shown = []
    for row in rows:
        cells = [str(row["job"]), sweep.ending(row) if row["status"] == "ok" else row["status"]]
        if row["status"] == "ok":
            cells += [
                share(interval_of(row, "accuracy", "low", "high")),
                share(interval_of(row, "read_accuracy")),
                share(interval_of(row, "read_share")),
                share(interval_of(row, "character_errors")),
                share(interval_of(row, "recall_work_zone")),
                share(interval_of(row, "precision_work_zone")),
                f"{100 * row['majority_share']:.1f} %",
            ]
        shown.append([*cells, *[""] * (len(JOBS) - len(cells))])
    return Section(
        "Every job",
        "A sign is told to be a work zone's or another from its recognised text alone. 95 % intervals of a "
        "bootstrap that draws whole texts, as one text is on several signs. Characters wrong: edit distance over the "
        "length of the true text, without blanks. A sign without a text counts as told to be the other kind.",
        JOBS,
        shown,
    )
