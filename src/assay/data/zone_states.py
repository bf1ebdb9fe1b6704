"""The zone state that people gave each frame of a clip: intervals of the annotation files, laid on the clips."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.workzone import read_intervals
from assay.errors import UserError

ANNOTATIONS = "workzone_annotations*.json"


def annotated_clips(data: Path, clips: pd.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Clip -> state of each of its frames ("" where nobody said), of those clips that have any.

    Args:
        data: data/workzone, with its annotation files.
        clips: clip and frames, as clips.csv lists the readable ones.

    Raises:
        UserError: fewer than two recordings have states.
    """
    frames = dict(zip(clips["clip"], clips["frames"].astype(int), strict=True))
    found: dict[str, NDArray[np.str_]] = {}
    for path in sorted(data.glob(ANNOTATIONS)):
        table, _ = read_intervals(path, frames)
        for clip, rows in table[table["clip"].isin(frames)].groupby("clip", sort=True):
            if clip in found:  # a second file repeats the first
                continue
            states = np.full(frames[str(clip)], "", dtype="<U11")
            for row in rows.itertuples():
                states[int(row.start) : int(row.end) + 1] = row.state  # type: ignore[arg-type]
            found[str(clip)] = states
    recordings = clips.loc[clips["clip"].isin(found), "recording"].nunique()
    if recordings < 2:
        raise UserError(
            f"{data}: {recordings} of {len(frames)} clips have zone states; what tells states along a clip needs two "
            f"recordings at least: name the clips of videos/ in {ANNOTATIONS.replace('*', '')}"
        )
    return found
