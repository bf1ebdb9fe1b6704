"""Zone states along clips against what people marked: frames, events, transitions (as the authors' harness does).

The ledger gives the authors' names and numbers, not their definitions; these are ours, and each is one function:

- **frame accuracy**: share of the marked frames that have the marked state.
- **event**: a run of frames of one state that matters, `inside` unless said. One that was said is right, and one that
  was marked is found, when it shares a frame with one of the same state on the other side.
- **transition**: a frame whose state is not that of the frame before. One that was said is right when one that was
  marked has the same two states and lies at most `tolerance` frames away; each counts for one partner only.

Frames that nobody marked are judged by none of the three.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise

import numpy as np
import pandas as pd

from assay.evaluation.intervals import Interval, bootstrap

UNMARKED = ""
STATES = {"OUT": "outside", "APPROACHING": "approaching", "INSIDE": "inside", "EXITING": "exiting"}
EVENTS = ("inside",)


def states_of(intervals: Iterable[tuple[int, int, str]], frames: int) -> list[str]:
    """The state of every frame of one clip, from intervals with both ends included.

    Args:
        intervals: first frame, last frame, state; where two share frames, the one that begins later has them.
        frames: length of the clip; what lies beyond is cut off.

    Returns:
        `frames` states, UNMARKED where no interval lies.
    """
    states = [UNMARKED] * frames
    for first, last, state in sorted(intervals):
        for frame in range(max(first, 0), min(last + 1, frames)):
            states[frame] = state
    return states


def every_frame(looked_at: Mapping[int, str], frames: int) -> list[str]:
    """The state of every frame where only some were looked at: a state stays until the next frame looked at.

    Args:
        looked_at: frame -> state.
        frames: length of the clip.
    """
    states, current = [], UNMARKED
    for frame in range(frames):
        current = looked_at.get(frame, current)
        states.append(current)
    return states


def transitions(states: Sequence[str]) -> list[tuple[int, str, str]]:
    """Every change from one marked state to another in the next frame: the frame it is new in, from, to."""
    return [
        (frame, before, after)
        for frame, (before, after) in enumerate(pairwise(states), 1)
        if before != after and UNMARKED not in (before, after)
    ]


def events(states: Sequence[str], of: Sequence[str] = EVENTS) -> list[tuple[int, int, str]]:
    """Every run of one of the states `of`: first frame, last frame, state."""
    found, frame = [], 0
    for state, run in groupby(states):
        length = len(list(run))
        if state in of:
            found.append((frame, frame + length - 1, state))
        frame += length
    return found


def paired(
    said: Sequence[tuple[int, str, str]], marked: Sequence[tuple[int, str, str]], tolerance: int
) -> int:
    """How many transitions of `said` find a partner of their own in `marked`, at most `tolerance` frames away.

    From the first on, each takes the first partner that is near enough and still free: with one tolerance for all no
    other choice makes more pairs.
    """
    pairs = 0
    for change in {(before, after) for _, before, after in said}:
        free = sorted(frame for frame, *states in marked if tuple(states) == change)
        for frame in sorted(frame for frame, *states in said if tuple(states) == change):
            near = next((one for one in free if abs(one - frame) <= tolerance), None)
            if near is not None:
                free.remove(near)
                pairs += 1
    return pairs


def count_clip(
    said: Sequence[str], marked: Sequence[str], *, tolerances: Sequence[int], of: Sequence[str] = EVENTS
) -> dict[str, int]:
    """The counts of one clip, from which every metric is a ratio of sums.

    Args:
        said: state of every frame, by a model.
        marked: state of every frame, by people; UNMARKED frames are left out on both sides.
        tolerances: of transitions, frames.
        of: states whose runs are events.

    Raises:
        ValueError: the two differ in length.
    """
    if len(said) != len(marked):
        raise ValueError(f"{len(said)} states said, {len(marked)} marked: one per frame on both sides")
    judged = [one if other != UNMARKED else UNMARKED for one, other in zip(said, marked, strict=True)]
    counts = {
        "frames": sum(state != UNMARKED for state in marked),
        "frames_right": sum(one == other != UNMARKED for one, other in zip(said, marked, strict=True)),
    }
    ours, theirs = events(judged, of), events(marked, of)
    counts |= {
        "events_said": len(ours),
        "events_said_right": _meeting(ours, theirs),
        "events_marked": len(theirs),
        "events_marked_found": _meeting(theirs, ours),
    }
    changes, true = transitions(judged), transitions(marked)
    counts |= {"transitions_said": len(changes), "transitions_marked": len(true)}
    return counts | {f"transitions_{n}": paired(changes, true, n) for n in tolerances}


def _meeting(some: Sequence[tuple[int, int, str]], others: Sequence[tuple[int, int, str]]) -> int:
    """How many of `some` share a frame with one of `others` of the same state."""
    return sum(
        any(
            state == other and first <= other_last and other_first <= last
            for other_first, other_last, other in others
        )
        for first, last, state in some
    )


def ratios(tolerances: Sequence[int]) -> Iterator[tuple[str, str, str]]:
    """Every metric: its name, the count above the line and the one below."""
    yield "frame_accuracy", "frames_right", "frames"
    yield "event_precision", "events_said_right", "events_said"
    yield "event_recall", "events_marked_found", "events_marked"
    for n in tolerances:
        yield f"transition_precision_{n}", f"transitions_{n}", "transitions_said"
        yield f"transition_recall_{n}", f"transitions_{n}", "transitions_marked"


def timeline_metrics(
    counts: pd.DataFrame, *, tolerances: Sequence[int], draws: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Every metric over all clips, with 95 % bootstrap intervals that draw whole recordings.

    Args:
        counts: one row per clip: recording, and what `count_clip` counts.
        tolerances: as given to `count_clip`.
        draws: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        frame_accuracy, event_precision, event_recall, transition_precision_<n>, transition_recall_<n>, 0-1; NaN where
        nothing was said, or nothing marked.
    """
    wanted = list(ratios(tolerances))

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        sums = {
            name: weights @ counts[name].to_numpy(float)
            for name in {count for _, *pair in wanted for count in pair}
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            return {name: sums[above] / sums[below] for name, above, below in wanted}

    return bootstrap(metrics, counts["recording"].to_numpy(str), draws=draws, seed=seed)
