"""The multi-cue gate: several independent cues, each seen for a while (document 002 and its authors' code)."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from assay.mining.cues import CueGroup


@dataclass(frozen=True)
class Gate:
    """When cues are believed, and how much."""

    window: int  # frames looked back on; with a stride, frames looked at
    sustained: float  # share of the window in which a sustained group is present
    min_groups: int  # so many sustained groups pass
    share: float  # of the count in the confidence; the rest is persistence
    base: float  # count's part where exactly min_groups are sustained
    extra: float  # per group beyond min_groups


@dataclass(frozen=True)
class Passage:
    """What the gate says about one frame."""

    passed: bool
    sustained: tuple[str, ...]  # groups, in the rules' order
    confidence: float  # 0-1


class Persistence:
    """Share of the last `window` frames in which each group was present; holds nothing but those frames' groups.

    At the beginning of a clip the share is of the frames seen so far, as in the authors' released code: a cue that is
    there from the first frame on is sustained at once.
    """

    def __init__(self, groups: Collection[str], window: int) -> None:
        self._frames: deque[frozenset[str]] = deque(maxlen=window)
        self._groups = tuple(groups)

    def update(self, present: frozenset[str]) -> dict[str, float]:
        """Take in a frame's present groups; the share of each group, 0-1."""
        self._frames.append(present)
        return {
            group: sum(group in frame for frame in self._frames) / len(self._frames) for group in self._groups
        }


def pass_gate(persistence: Mapping[str, float], groups: Mapping[str, CueGroup], gate: Gate) -> Passage:
    """Decide a frame: confidence = share * (base + extra * groups beyond the minimum) + (1 - share) * persistence.

    Persistence is the mean of weight * share over the sustained groups, at most 1. Below the minimum the count's part
    goes on falling by `extra` (one of two groups: .3, as the authors have it); with nothing sustained all is 0.
    """
    sustained = tuple(name for name in groups if persistence[name] >= gate.sustained)
    if not sustained:
        return Passage(False, (), 0.0)
    weighted = sum(groups[name].weight * persistence[name] for name in sustained) / len(sustained)
    counted = gate.base + gate.extra * (len(sustained) - gate.min_groups)
    confidence = gate.share * min(max(counted, 0.0), 1.0) + (1 - gate.share) * min(weighted, 1.0)
    return Passage(len(sustained) >= gate.min_groups, sustained, confidence)
