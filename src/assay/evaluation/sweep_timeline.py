"""What a sweep of zone timelines says: `sweep.sections_of` for rows of that task."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluation import sweep
from assay.evaluation.detection_comparison import HOW_P
from assay.evaluation.sections import Section, interval_of, points, share
from assay.evaluation.sweep import Row

STATES = ("outside", "approaching", "inside", "exiting")
JOBS = (
    "job", "status", "reads", "second opinion", "frame accuracy", "balanced", "most frequent state", "published",
)  # fmt: skip
SEEDS = {"accuracy": "frame accuracy", "balanced_accuracy": "balanced accuracy"}


def sections_of(
    rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]
) -> list[Section]:
    """Everything the sweep has to say, in the order of its page."""
    return sweep.with_rows(
        jobs_section(rows),
        sweep.failures_section(rows),
        recall_section(rows),
        events_section(rows),
        sweep.seeds_section(rows, SEEDS),
        sweep.experiments_section(experiments, rows, of="frame accuracies") if experiments else None,
        pairs_section(pairs, rows) if pairs else None,
    )


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job."""

    def cells(row: Row) -> list[str]:
        return [
            row["reads"],
            row["clip"],
            share(interval_of(row, "accuracy", "low", "high")),
            _share(row, "balanced_accuracy"),
            f"{100 * row['majority_share']:.1f} %",
            sweep.published_text(row),
        ]

    good = next((row for row in rows if row["status"] == "ok"), None)
    of = f"{good['n']:.0f} frames of {good['groups']:.0f} recordings" if good else "the frames"
    return Section(
        "Every job",
        f"On {of}, each judged by a network that learnt from other recordings (the rules learn nothing); 95 % intervals "
        "of a bootstrap that draws whole recordings. Most frequent state: the accuracy of always saying it. Second "
        "opinion: sample_clip is a small CLIP taught from the labelled frames' captions, not OpenAI's.",
        JOBS,
        sweep.job_lines(rows, JOBS, cells),
    )


def recall_section(rows: Sequence[Row]) -> Section:
    """Which states are found."""
    shown = [
        [
            sweep.named(row),
            *(_share(row, f"recall_{state}") for state in STATES),
        ]
        for row in rows
        if row["status"] == "ok"
    ]
    return Section("Share of each state's frames that is found", header=("job", *STATES), rows=shown)


def events_section(rows: Sequence[Row]) -> Section:
    """Which runs inside a work zone are found, and which changes of state, by how many frames they may be off."""
    good = [row for row in rows if row["status"] == "ok"]
    prefix = "transition_recall_"
    tolerances = sorted(
        {int(key.removeprefix(prefix)) for row in good for key in row if key.removeprefix(prefix).isdigit()}
    )
    header = ["job", "events right", "events found"]
    names = ["event_precision", "event_recall"]
    for frames in tolerances:
        header += [f"changes right within {frames} frames", f"changes found within {frames} frames"]
        names += [f"transition_precision_{frames}", f"transition_recall_{frames}"]
    return Section(
        "Events and changes of state",
        "An event is a run of frames inside; one that is told is right, and one that was marked is found, when it meets "
        "one of the other side. A change is right when the same one was marked so many frames away at most. Intervals "
        "draw whole recordings.",
        header,
        [[sweep.named(row), *(_share(row, name) if name in row else "" for name in names)] for row in good],
    )


def _share(row: Row, name: str) -> str:
    """A share with its ends; undefined where a state does not occur."""
    return share(interval_of(row, name)) if f"{name}_low" in row else "undefined"


def pairs_section(
    pairs: Sequence[Mapping[str, Any]],
    rows: Sequence[Row],
    *,
    things: str = "frames",
    groups: str = "recordings",
    of: str = "frame accuracy",
) -> Section:
    """Every pair of jobs by accuracy. pairs: `frames.compare_frames`; things, groups, of: what they are about."""
    names, first = sweep.names_of(rows), pairs[0]
    return Section(
        f"Every pair, on the same {first['n']} {things} of {first['groups']} {groups}",
        f"Difference in points of {of}, later minus earlier job, with a paired bootstrap interval that draws whole "
        f"{groups}. {HOW_P[0].upper() + HOW_P[1:]}; adjusted for the number of pairs (Holm).",
        ["later", "earlier", "difference", f"{things} right alone", "p", "verdict"],
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
