"""The candidates of all clips as one table, their snapshots beside it, and the numbers document 002 reports."""

import csv
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.files import read_json, write_json
from assay.mining.clip import ROWS, TIMELINE
from assay.mining.clips import MinedClips

# What review needs, then the published columns (the authors' mining report), then what we add.
COLUMNS = (
    "candidate",
    "image",
    "label",
    "reason",
    "about",
    "group",
    "surprise",
    "video",
    "snapshot",
    "frame",
    "time_sec",
    "yolo_score",
    "yolo_score_ema",
    "fused_score_ema",
    "state",
    "clip_used",
    "clip_score",
    "count_channelization",
    "count_workers",
    "p1_multi_cue_pass",
    "p1_num_sustained",
    "p1_confidence",
    "p1_sustained",
    "verifier",
    "boxes",
    "model",
    "runtime",
    "clip_sha256",
    "mined_at",
)
BINS = {"0": (0, 0), "1-5": (1, 5), "6-10": (6, 10), "11-20": (11, 20), "21+": (21, 10**9)}


def assemble(mined: MinedClips, folder: Path) -> pd.DataFrame:
    """Fill an empty folder from the finished clips and return the table, sorted by clip and frame.

    Writes candidates.parquet, candidates.csv, statistics.json, quarantine.csv, and per clip <clip>/timeline.csv and
    <clip>/<clip>_f<frame>.jpg. There are as many rows as snapshots, because both come from the same list.

    Args:
        mined: what `mine_clips` returned.
        folder: the output, empty; see `assay.files.fresh_folder`.
    """
    rows: list[dict[str, Any]] = []
    clips: list[dict[str, Any]] = []
    for finished in mined.finished:
        result = read_json(finished / ROWS)
        own = folder / result["clip"]
        own.mkdir()
        _place(finished / TIMELINE, own / TIMELINE)
        for row in result["rows"]:
            _place(finished / Path(row["image"]).name, folder / row["image"])
        rows += result["rows"]
        clips.append(result)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["mined_at"] = mined.begun
    table["clip_score"] = table["clip_score"].astype(float)
    table.to_parquet(folder / "candidates.parquet", index=False)
    table.to_csv(folder / "candidates.csv", index=False)
    with (folder / "quarantine.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("clip", "reason"), *mined.quarantine])
    counts = {
        "clips": len(clips),
        "quarantined": len(mined.quarantine),
        "frames": sum(clip["frames"] for clip in clips),
        "inferred": sum(clip["inferred"] for clip in clips),
    }
    write_json(folder / "statistics.json", {**counts, **statistics(table)})
    return table


def statistics(table: pd.DataFrame) -> dict[str, Any]:
    """Document 002's summary of a candidates' table: scores, states, sustained cues, channelization."""
    cones = table["count_channelization"].to_numpy(int)
    confidence = table["p1_confidence"].to_numpy(float)
    passed = table["p1_multi_cue_pass"].to_numpy(int)
    return {
        "candidates": len(table),
        "clips_with_candidates": int(table["group"].nunique()),
        "yolo_score": _spread(table["yolo_score"]),
        "yolo_score_at_least_.80": _share(table["yolo_score"].to_numpy(float) >= 0.8),
        "fused_score_ema": _spread(table["fused_score_ema"]),
        "gate_passed": int(passed.sum()),
        "p1_confidence_at_least": {
            ".50": _share(confidence >= 0.5),
            ".70": _share(confidence >= 0.7),
        },
        "verified": int(table["clip_used"].sum()),
        "states": dict(sorted(Counter(table["state"]).items())),
        "sustained_cues": {str(k): n for k, n in sorted(Counter(table["p1_num_sustained"]).items())},
        "channelization": {
            "mean": round(float(cones.mean()), 3) if len(cones) else None,
            **{name: int(((cones >= low) & (cones <= high)).sum()) for name, (low, high) in BINS.items()},
        },
    }


def _spread(scores: pd.Series) -> dict[str, float | None]:
    values = scores.to_numpy(float)
    if not len(values):
        return {"mean": None, "std": None, "min": None, "max": None}
    numbers = {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
    return {name: round(float(value), 4) for name, value in numbers.items()}


def _share(chosen: np.ndarray) -> float | None:
    return round(float(chosen.mean()), 4) if len(chosen) else None


def _place(source: Path, target: Path) -> None:
    """A second name for the same bytes; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
