"""From the boxes of one frame to counts of cues, and to the frame's score (document 002 and its authors' code).

Two groupings live side by side in the source and count differently. A **cue group** has a confidence floor of its own
and feeds the gate; a **kind** counts every box the detector returned and feeds the frame's score.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What the frame's score calls its kinds; the classes are those of the authors' released script, in the project's
# names. Work equipment and bike lanes are of no kind there: they only enlarge the total.
KINDS: Mapping[str, tuple[str, ...]] = {
    "channelization": (
        "cone",
        "drum",
        "barricade",
        "barrier",
        "fence",
        "tubular_marker",
        "vertical_panel",
    ),
    "workers": ("worker", "police_officer"),
    "vehicles": ("work_vehicle", "police_vehicle"),
    "signs": ("temporary_traffic_control_sign",),
    "message_boards": ("message_board", "arrow_board"),
}


@dataclass(frozen=True)
class CueGroup:
    """Classes that speak for one cue."""

    classes: tuple[str, ...]
    confidence: float  # a box below it does not count, 0-1
    objects: int  # so many make the group present in a frame
    weight: float  # of its persistence in the gate's confidence


@dataclass(frozen=True)
class FrameScore:
    """logistic(slope * (sum of weight * share of the frame's objects - offset))."""

    weights: Mapping[str, float]  # by kind
    offset: float
    slope: float


def logistic(value: float) -> float:
    """1 / (1 + e^-value), between 0 and 1."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def cue_counts(
    labels: Sequence[str], confidence: Sequence[float], groups: Mapping[str, CueGroup]
) -> dict[str, int]:
    """How many boxes of each group reach the group's floor.

    Args:
        labels: class names of the frame's N boxes.
        confidence: their confidences, 0-1.
        groups: by name.
    """
    boxes = list(zip(labels, confidence, strict=True))
    return {
        name: sum(label in group.classes and score >= group.confidence for label, score in boxes)
        for name, group in groups.items()
    }


def present_groups(counts: Mapping[str, int], groups: Mapping[str, CueGroup]) -> frozenset[str]:
    """The groups with objects enough in this frame."""
    return frozenset(name for name, group in groups.items() if counts[name] >= group.objects)


def kind_counts(labels: Sequence[str]) -> dict[str, int]:
    """How many of the frame's boxes are of each kind of `KINDS`."""
    return {kind: sum(label in classes for label in labels) for kind, classes in KINDS.items()}


def frame_score(counts: Mapping[str, int], objects: int, rule: FrameScore) -> float:
    """The frame's score, which is no detector's confidence: it tells what the boxes are, not how sure they are.

    With the published constants it lies between .198 (no object, or none of any kind) and .900 (channelization only).

    Args:
        counts: boxes by kind.
        objects: all boxes of the frame, of a kind or of none.
        rule: weights, offset and slope.
    """
    shares = {kind: counts[kind] / objects if objects else 0.0 for kind in rule.weights}
    evidence = sum(weight * shares[kind] for kind, weight in rule.weights.items())
    return logistic(rule.slope * (evidence - rule.offset))
