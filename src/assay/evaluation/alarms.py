"""False alarms along video that shows no object: how many, and per minute."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from assay.evaluation.intervals import CONFIDENCE, Interval


def alarms_of(looked_at: Sequence[int], shown: Sequence[int]) -> int:
    """How many runs of frames show a box: what stays from one frame to the next is one alarm, not many.

    Args:
        looked_at: the frames that the detector saw, in order.
        shown: those of them that show a box.
    """
    there = set(shown)
    flags = [frame in there for frame in looked_at]
    return sum(now and not before for before, now in zip([False, *flags], flags, strict=False))


def per_unit(count: int, exposure: float) -> Interval:
    """Alarms per minute or page with the exact Poisson interval (Garwood 1936; statsmodels); NaN without exposure."""
    from statsmodels.stats.rates import confint_poisson

    if not exposure > 0:
        return Interval(np.nan, np.nan, np.nan)
    low, high = confint_poisson(count, exposure, method="exact-c", alpha=1 - CONFIDENCE)
    low = 0.0 if count == 0 else float(low)
    return Interval(count / exposure, low, float(high))


def count_alarms(
    boxes: pd.DataFrame, spans: pd.DataFrame, *, stride: int, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """What one detector shows in every stretch of negative video.

    Args:
        boxes: clip, frame, label, score of every box it found there.
        spans: clip, first, last, fps and whatever else; see `assay.data.negative_video`.
        stride: every so many frames of a clip were looked at, from its frame 0 on.
        thresholds: class -> confidence from which a box is shown.

    Returns:
        `spans` with minutes, alarms (see `alarms_of`) and frames_shown (frames with a box) added.
    """
    limit = boxes["label"].map(thresholds).to_numpy(float)
    shown = boxes[boxes["score"].to_numpy(float) >= limit]
    frames = {str(clip): np.unique(part["frame"].to_numpy(int)) for clip, part in shown.groupby("clip")}
    rows = []
    for span in spans.to_dict("records"):
        looked = [frame for frame in range(span["first"], span["last"] + 1) if frame % stride == 0]
        own = frames.get(str(span["clip"]), np.empty(0, int))
        own = own[(own >= span["first"]) & (own <= span["last"])]
        rows.append(
            {
                **span,
                "minutes": (span["last"] - span["first"] + 1) / span["fps"] / 60,
                "alarms": alarms_of(looked, own.tolist()),
                "frames_shown": len(own),
            }
        )
    return pd.DataFrame(rows, columns=[*spans.columns, "minutes", "alarms", "frames_shown"])
