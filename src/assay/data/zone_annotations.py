"""The zone states that people gave clips: every annotation file of data/workzone as one table, oddities reported."""

from pathlib import Path
from typing import Any

import pandas as pd

from assay.data.workzone import read_intervals
from assay.files import atomic_write, write_json

FILES = "workzone_annotations*.json"
STATES, REPORT = "zone_states.csv", "zone_states.json"


def read_annotations(data: Path, clips: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read every `FILES` of `data`, in the order of their names.

    A clip that several files annotate is taken from the first one that has an interval of it.

    Args:
        data: the folder data/workzone.
        clips: clip, frames, as clips.csv lists them.

    Returns:
        A table with the columns clip, recording, start, end (frames, both inclusive), state, file; and a report:
        per file what `read_intervals` counts; `twice` (clips that a later file annotates too) and `differing` (those
        of them with other intervals there); `clips` (annotated at all) and `clips_here` (of which the video is here).

    Raises:
        UserError: a file is no such JSON, or names an unknown state.
    """
    frames = dict(zip(clips["clip"], clips["frames"].astype(int), strict=True))
    found: dict[str, pd.DataFrame] = {}
    report: dict[str, Any] = {"files": {}, "twice": 0, "differing": 0}
    for path in sorted(data.glob(FILES)):
        table, report["files"][path.name] = read_intervals(path, frames)
        for clip, part in table.assign(file=path.name).groupby("clip", sort=True):
            if str(clip) not in found:
                found[str(clip)] = part
                continue
            earlier = found[str(clip)].drop(columns="file").reset_index(drop=True)
            report["twice"] += 1
            report["differing"] += not earlier.equals(part.drop(columns="file").reset_index(drop=True))
    columns = ["clip", "recording", "start", "end", "state", "file"]
    everything = pd.concat([found[clip] for clip in sorted(found)] or [pd.DataFrame(columns=columns)])
    here = len(set(found) & set(frames))
    return everything.reset_index(drop=True), report | {"clips": len(found), "clips_here": here}


def write_annotations(dataset: Path, data: Path, clips: pd.DataFrame) -> dict[str, Any]:
    """Write zone_states.csv and zone_states.json into the prepared data set; returns the report."""
    table, report = read_annotations(data, clips)
    with atomic_write(dataset / STATES) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    write_json(dataset / REPORT, report)
    return report


def said_of(report: dict[str, Any]) -> list[str]:
    """The report as lines for a person: one per file, and one of all."""
    lines = []
    for name, counts in report["files"].items():
        odd = [f"{counts[key]} {words}" for key, words in _ODD.items() if counts[key]]
        lines.append(
            f"{name}: {counts['intervals']} intervals of {counts['clips']} clips from {counts['recordings']} recordings"
            + (f"; oddities: {', '.join(odd)}" if odd else "")
        )
    if lines:
        lines.append(
            f"{report['clips']} clips have zone states, {report['twice']} of them in several files "
            f"({report['differing']} with other intervals); {report['clips_here']} of these clips are here"
        )
    return lines


_ODD = {
    "empty": "clips without an interval",
    "reversed": "intervals that end before they begin",
    "overlaps": "overlaps",
    "gaps": "gaps",
    "beyond_end": "intervals beyond the clip's end",
}
