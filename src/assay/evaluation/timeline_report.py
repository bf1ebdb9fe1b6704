"""Stored timelines of mined clips against the zone states that people marked: one table, as CSV, Markdown and JSON."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd

from assay.evaluation.sections import Section, share, to_markdown
from assay.evaluation.timeline import STATES, count_clip, every_frame, states_of, timeline_metrics
from assay.files import write_json

NAMES = {
    "frame_accuracy": "frames right",
    "event_precision": "events: precision",
    "event_recall": "events: recall",
}


def judge(
    timelines: dict[str, Path], clips: pd.DataFrame, intervals: pd.DataFrame, *, tolerances: Sequence[int]
) -> pd.DataFrame:
    """The counts of every clip that has both a stored timeline and marked states.

    Args:
        timelines: clip -> timeline.csv with the columns frame and state, as mining writes it.
        clips: clip, frames, recording.
        intervals: clip, start, end, state.
        tolerances: of transitions, frames.

    Returns:
        One row per clip: clip, recording, and what `count_clip` counts; empty where no clip has both.
    """
    rows = []
    marked = dict(iter(intervals.groupby("clip")))
    for clip in clips.to_dict("records"):
        if clip["clip"] not in timelines or clip["clip"] not in marked:
            continue
        stored = pd.read_csv(timelines[clip["clip"]], usecols=["frame", "state"])
        said = {int(frame): STATES[state] for frame, state in stored.itertuples(index=False)}
        spans = marked[clip["clip"]][["start", "end", "state"]].itertuples(index=False, name=None)
        counts = count_clip(
            every_frame(said, int(clip["frames"])),
            states_of(spans, int(clip["frames"])),
            tolerances=tolerances,
        )
        rows.append({"clip": clip["clip"], "recording": clip["recording"], **counts})
    return pd.DataFrame(rows)


def section_of(
    counts: pd.DataFrame, *, tolerances: Sequence[int], draws: int, seed: int
) -> tuple[Section, dict[str, Any]]:
    """The table of all metrics, and the same for JSON. counts: as `judge` returns them, not empty."""
    found = timeline_metrics(counts, tolerances=tolerances, draws=draws, seed=seed)
    rows = [[_name(name), share(interval.as_dict())] for name, interval in found.items()]
    section = Section(
        "Zone states against those that people marked",
        f"{len(counts)} clips of {counts['recording'].nunique()} recordings, {counts['frames'].sum()} marked frames; "
        "intervals draw whole recordings. A run inside is an event, right when it meets a marked one; a transition is "
        "right when the same one was marked so many frames away at most.",
        ("metric", "value"),
        rows,
    )
    values = {
        name: {end: None if isnan(value) else value for end, value in interval.as_dict().items()}
        for name, interval in found.items()
    }
    return section, {
        "clips": len(counts),
        "recordings": int(counts["recording"].nunique()),
        "metrics": values,
    }


def write_timeline_metrics(
    folder: Path, counts: pd.DataFrame, *, tolerances: Sequence[int], draws: int, seed: int
) -> dict[str, Any]:
    """Write timeline_metrics.json and .md and timeline_clips.csv into `folder`; returns what the JSON holds."""
    section, found = section_of(counts, tolerances=tolerances, draws=draws, seed=seed)
    counts.to_csv(folder / "timeline_clips.csv", index=False)
    write_json(folder / "timeline_metrics.json", found)
    (folder / "timeline_metrics.md").write_text(to_markdown(section), "utf-8")
    return found


def _name(metric: str) -> str:
    if metric in NAMES:
        return NAMES[metric]
    kind, _, frames = metric.removeprefix("transition_").partition("_")
    return f"transitions within {frames} frames: {kind}"
