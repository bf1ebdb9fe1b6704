"""Stretches of video in which no object of any class shows: there every box is a false alarm."""

from pathlib import Path

import pandas as pd

from assay.data.workzone import NEGATIVES

SHORTEST = 5  # frames; a truth that lasts less is the seam between two others
COLUMNS = ("clip", "recording", "path", "first", "last", "fps", "category", "held_out")


def negative_spans(clips: pd.DataFrame, data: Path) -> pd.DataFrame:
    """Every known stretch, by clip and first frame.

    A clip under negatives/videos is one as a whole, and held out: none of its frames may teach (see
    `pipelines.detection.fitting`). The sample's truth knows more of them, by lookalike: those are mined, so what was
    reviewed in them may have taught a detector.

    Args:
        clips: clip, path, frames, fps, recording, as clips.csv lists them.
        data: data/<project>; with truth_clips.csv (clip, first_frame, last_frame, truth, objects 0 or 1) on sample data.

    Returns:
        `COLUMNS`: frames from `first` to `last`, both included; category, "" where nobody said; held_out.
    """
    truth = data / "truth_clips.csv"
    said = pd.DataFrame(columns=["clip", "first_frame", "last_frame", "truth", "objects"])
    if truth.is_file():
        said = pd.read_csv(truth, dtype={"clip": str}, keep_default_na=False)
    empty = said[said["objects"].astype(int) == 0]
    rows = []
    for clip in clips.sort_values("clip").to_dict("records"):
        own = empty[empty["clip"] == clip["clip"]]
        about = {key: clip[key] for key in ("clip", "recording", "path", "fps")}
        if clip["path"].startswith(f"{NEGATIVES}/"):
            category = str(own["truth"].iloc[0]) if own["truth"].nunique() == 1 else ""
            last = int(clip["frames"]) - 1
            rows.append({**about, "first": 0, "last": last, "category": category, "held_out": True})
            continue
        for span in own.to_dict("records"):
            first, last = int(span["first_frame"]), min(int(span["last_frame"]), int(clip["frames"]) - 1)
            if last - first + 1 >= SHORTEST:
                rows.append(
                    {**about, "first": first, "last": last, "category": str(span["truth"]), "held_out": False}
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))
