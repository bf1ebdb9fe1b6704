"""What a sweep's page and its published table say, from the rows of table.csv and the comparisons."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from assay.evaluation.classification import equals_share
from assay.evaluation.sections import Section, interval_of, points, share
from assay.evaluation.seeds import spread

if TYPE_CHECKING:
    import pandas as pd

    from assay.evaluation.plots import ForestRow

Row = Mapping[str, Any]
"""A row of table.csv without its empty cells."""

JOBS = (
    "job", "status", "weights from", "clean", "without leaks", "as published", "without leaks", "published",
)  # fmt: skip
CHOICES = (
    "job", "epoch: clean / as published", "clean minus as published", "the same without leaks", "p",
    "all minus without leaks: clean", "as published",
)  # fmt: skip


def rows_of(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of table.csv without their empty cells."""
    import pandas as pd

    rows = table.to_dict("records")
    return [{str(key): value for key, value in row.items() if pd.notna(value)} for row in rows]


def ending(row: Row) -> str:
    """How a job ended: ok, failed and why, COLLAPSED and how, or an accuracy that takes no picture.

    And whether its profile made it the same as another experiment, so that its own question is not answered.
    """
    if row["status"] != "ok":
        return f"{row['status']}: {row['error']}"
    if row.get("collapsed"):
        return f"COLLAPSED: {row['collapsed']}"
    majority = round(row.get("majority_share", 0.0) * row["n"])
    first = "clean" if "as_published" in row else "accuracy"
    same = [
        said
        for said, name in ((first, "accuracy"), ("as published", "as_published"))
        if name in row and "majority_share" in row
        if equals_share(row[name], majority, row["n"])
    ]
    said = (
        f"{' and '.join(same)}: the share of the majority class ({majority} of {row['n']})" if same else "ok"
    )
    return f"{said}; the same as {row['same_as']} in this profile" if "same_as" in row else said


def named(row: Row) -> str:
    """The job's name, and that it collapsed, wherever a number of it is shown."""
    return f"{row['job']} (COLLAPSED)" if row.get("collapsed") else str(row["job"])


def names_of(rows: Sequence[Row]) -> dict[str, str]:
    """What jobs and experiments are called beside a number: with how many of an experiment's seeds collapsed."""
    good = [row for row in rows if row["status"] == "ok"]
    names = {row["job"]: named(row) for row in good}
    for variant in {row["variant"] for row in good}:
        seeds = [bool(row.get("collapsed")) for row in good if row["variant"] == variant]
        names[variant] = variant + (f" ({sum(seeds)} of {len(seeds)} COLLAPSED)" if any(seeds) else "")
    return names


def published_text(row: Row) -> str:
    """The published accuracy, why it does not compare, and whether it is a collapse; empty where there is none."""
    if "published" not in row:
        return ""
    text, n = f"{100 * row['published']:.2f} %", int(row["n"])
    majority = round(row.get("majority_share", 0.0) * n)
    if equals_share(row["published"], majority, n):
        text += f", the share of the majority class ({majority} of {n}): collapsed"
    if row.get("comparable", "yes") != "yes":
        text += f" (not comparable: {str(row['comparable']).removeprefix('no: ')})"
    return text


def sections_of(
    rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]
) -> list[Section]:
    """Everything a sweep has to say, in the order of its page."""
    if (task := task_of(rows)) in ("condition", "detection", "ocr", "timeline"):
        found: list[Section] = import_module(f"assay.evaluation.sweep_{task}").sections_of(
            rows, pairs, experiments
        )
        return found
    return with_rows(
        jobs_section(rows),
        failures_section(rows),
        choices_section(rows),
        seeds_section(rows, _SEEDS),
        experiments_section(experiments, rows) if experiments else None,
        pairs_section(pairs, rows) if pairs else None,
    )


def with_rows(*sections: Section | None) -> list[Section]:
    """Those of a page's sections that have something to say."""
    return [section for section in sections if section and section.rows]


def job_lines(
    rows: Sequence[Row], header: Sequence[str], cells: Callable[[Row], list[str]]
) -> list[list[str]]:
    """A line per job for a table with `header`: its name, how it ended and, where that was well, its `cells`."""
    lines = []
    for row in rows:
        good = row["status"] == "ok"
        line = [str(row["job"]), ending(row) if good else row["status"], *(cells(row) if good else [])]
        lines.append([*line, *[""] * (len(header) - len(line))])
    return lines


def forest_of(rows: Sequence[Row]) -> "tuple[str, list[ForestRow]]":
    """What the forest plot shows, in words, and its lines: one per job that ended well."""
    from assay.evaluation.intervals import Interval
    from assay.evaluation.plots import ForestRow

    task = task_of(rows)
    label = {
        "detection": "mAP50 on the {split} images",
        "condition": "accuracy on the {split} instances",
        "ocr": "accuracy on the {split} signs",
        "timeline": "frame accuracy",
    }
    lines = []
    for row in (row for row in rows if row["status"] == "ok"):
        ends = ("map50", "map50_low", "map50_high") if task == "detection" else ("accuracy", "low", "high")
        chosen = Interval(**interval_of(row, "as_published")) if "as_published" in row else None
        published = row["published"] if row.get("comparable") == "yes" else None
        lines.append(ForestRow(named(row), Interval(**interval_of(row, *ends)), published, chosen))
    split = next((row["split"] for row in rows if "split" in row), "val")
    return label.get(task, "accuracy").format(split=split), lines


def task_of(rows: Sequence[Row]) -> str:
    """What the jobs that ended well do; tables without the column are of classifiers."""
    good = [row for row in rows if row["status"] == "ok"]
    return str(next((row["task"] for row in (good or rows) if "task" in row), "classification"))


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job: both choices of the epoch, each on all images and without leaks."""

    def cells(row: Row) -> list[str]:
        return [
            row["weights"],
            share(interval_of(row, "accuracy", "low", "high")),
            f"{100 * row['without_leaks']:.1f} %",
            share(interval_of(row, "as_published")),
            f"{100 * row['as_published_without_leaks']:.1f} %",
            published_text(row),
        ]

    return Section(
        "Every job",
        "Accuracy with 95 % intervals (Wilson). Clean: the epoch is the best on training images kept back. As published: "
        "it is the best on the very images reported, as the source chose it, so a published number stands beside that "
        "one. Without leaks: without the images that equal a training image.",
        JOBS,
        job_lines(rows, JOBS, cells),
    )


def choices_section(rows: Sequence[Row]) -> Section:
    """One line per job that ended well: what the choice of the epoch, and what the leaks add."""
    shown = []
    for row in (row for row in rows if row["status"] == "ok"):
        same = row["epoch"] == row["as_published_epoch"]
        chosen = [
            "the same epoch" if same else points(interval_of(row, f"clean_minus_as_published{part}"))
            for part in ("", "_without_leaks")
        ]
        leaks = [points(interval_of(row, name)) for name in ("leaks_add", "leaks_add_as_published")]
        epochs = f"{row['epoch']:.0f} / {row['as_published_epoch']:.0f}"
        p = "" if same else f"{row['clean_minus_as_published_p']:.2g}"
        shown.append([named(row), epochs, *chosen, p, *leaks])
    return Section(
        "What the choice of the epoch and the leaks add",
        "Differences of accuracy on the same images, with a paired bootstrap interval that keeps near-duplicates "
        "together; p of McNemar's test on all images, not adjusted.",
        CHOICES,
        shown,
    )


def failures_section(rows: Sequence[Row]) -> Section:
    """The jobs that failed or that the program refused, and why."""
    failed = [row for row in rows if row["status"] != "ok"]
    kinds = " and ".join(sorted({str(row["status"]) for row in failed}))
    return Section(
        f"{kinds.capitalize()} jobs",
        header=("job", "why"),
        rows=[[row["job"], row["error"]] for row in failed],
    )


def seeds_section(rows: Sequence[Row], columns: Mapping[str, str]) -> Section | None:
    """Mean and spread over the seeds of each experiment; None where no experiment has several.

    columns: cell of a row, a share -> the header it gets.
    """
    several: dict[str, list[Row]] = {}
    for row in rows:
        if row["status"] == "ok":
            several.setdefault(row["variant"], []).append(row)
    if all(len(one) < 2 for one in several.values()):
        return None
    shown = []
    for variant, one in several.items():
        fallen = sum(bool(row.get("collapsed")) for row in one)
        count = str(len(one)) + (f", {fallen} COLLAPSED" if fallen else "")
        shown.append(
            [variant, count, *(_spread([row[name] for row in one if name in row]) for name in columns)]
        )
    return Section(
        "Seeds: mean ± standard deviation (lowest to highest)",
        "Each seed is a training of its own, scored on the same images. The standard deviation is that of the trainings, "
        "divided by n - 1; it says nothing of other images.",
        ["experiment", "seeds", *columns.values()],
        shown,
    )


_SEEDS = {
    "accuracy": "clean",
    "without_leaks": "without leaks",
    "as_published": "as published",
    "as_published_without_leaks": "without leaks",
}


def experiments_section(
    pairs: Sequence[Mapping[str, Any]],
    rows: Sequence[Row],
    *,
    title: str = "Every pair of experiments, over their seeds",
    of: str = "accuracies of the clean choice",
    counted: str = " with the share of trainings that get it right",
) -> Section:
    """Every pair of experiments over their seeds. pairs: `seeds.compare_experiments`.

    of: what the means are means of. counted: how an image counts.
    """
    names = names_of(rows)
    return Section(
        title,
        f"Difference of the mean {of}, first minus second. Seeds are no further images: each "
        f"image counts once,{counted}; the variance of the images (bootstrap by "
        "group) and that of the trainings (between seeds) add up; Student's interval with Welch's degrees of freedom, "
        "p adjusted for the number of pairs (Holm).",
        ["first", "second", "seeds", "difference", "sd of images / seeds", "p", "verdict"],
        [
            [
                names[pair["first"]],
                names[pair["second"]],
                " / ".join(map(str, pair["seeds"])),
                points(pair["difference"]),
                f"{_or_unknown(pair['sd_images'])} / {_or_unknown(pair['sd_seeds'])} points",
                f"{pair['p_holm']:.2g}",
                pair["verdict"] + (" (one seed: its own spread is unknown)" if pair["one_seed"] else ""),
            ]
            for pair in pairs
        ],
    )


def pairs_section(
    pairs: Sequence[Mapping[str, Any]], rows: Sequence[Row], *, of: str = " of the clean choice"
) -> Section:
    """Every pair of trained networks on the same images. pairs: `comparison.compare_all`."""
    names = names_of(rows)
    return Section(
        "Every pair of networks, on the same images",
        f"Difference{of} in points of accuracy, first minus second, with a paired bootstrap interval that "
        "keeps near-duplicates together; p of McNemar's test (exact below 25 differing images), adjusted for the number "
        "of pairs (Holm). A verdict is of these two trained networks, with several seeds only those of the same seed.",
        ["first", "second", "difference", "right alone", "p", "verdict"],
        [
            [
                names[pair["candidate"]],
                names[pair["reference"]],
                points(pair["accuracy_difference"]),
                f"{pair['candidate_only']} / {pair['reference_only']}",
                f"{pair['p_holm']:.2g}",
                pair["verdict"],
            ]
            for pair in pairs
        ],
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "undefined"
    found = spread(values)
    if found["n"] < 2:
        return f"{100 * found['mean']:.2f} % (one seed)"
    ends = f"{100 * found['low']:.2f} to {100 * found['high']:.2f}"
    return f"{100 * found['mean']:.2f} ± {100 * found['sd']:.2f} % ({ends})"


def _or_unknown(value: float) -> str:
    return f"{100 * value:.1f}" if value == value else "unknown"  # noqa: PLR0124 - NaN is the one number unequal to itself
