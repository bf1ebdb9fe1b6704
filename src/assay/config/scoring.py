"""The rules that turn detections into a work zone's score and state: their constants, typed.

Source: document 002 and its authors' code. Values live in conf/task/timeline.yaml.
"""

from typing import Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Fraction, Positive, Strict


class CueGroup(Strict):
    """Objects that speak for the same cue."""

    classes: tuple[str, ...] = Field(min_length=1)
    confidence: Fraction = Field(description="a box below this does not count")
    objects: Count = Field(description="so many make the group present in a frame")
    weight: Positive = Field(description="of its persistence in the gate's confidence")


class Gate(Strict):
    """Several cues, each seen for a while: confidence = share * (base + extra * groups beyond the minimum)
    + (1 - share) * weighted persistence, capped at 1."""

    window: Count = Field(description="frames looked back on")
    sustained: Fraction = Field(description="share of the window in which a sustained group is present")
    min_groups: Count = Field(description="so many sustained groups pass")
    share: Fraction
    base: Fraction
    extra: Fraction


class FrameScore(Strict):
    """logistic(slope * (sum of weight * share of the frame's objects - offset)), between 0 and 1."""

    weights: dict[str, Positive] = Field(description="by kind of object")
    offset: float
    slope: Positive


class ClipScore(Strict):
    """logistic(slope * (similarity to positive - similarity to negative)), joined to the frame's score."""

    model: Literal["openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14"]
    positive: str
    negative: str
    slope: Positive
    above: Fraction = Field(description="CLIP runs where the smoothed frame score reaches this")
    share: Fraction = Field(description="of CLIP in the fused score")


class Smoothing(Strict):
    """Moving average, alpha = base + gain * evidence, evidence = share * min(objects / enough, 1)
    + (1 - share) * frame score."""

    base: Fraction
    gain: Fraction
    enough: Count = Field(description="objects that are full evidence")
    share: Fraction


class Zone(Strict):
    """Thresholds of the fused score, and frames to stay, between OUT, APPROACHING, INSIDE and EXITING."""

    approaching: Fraction
    inside: Fraction
    exiting: Fraction
    min_out: Count = Field(description="frames outside before INSIDE")
    min_inside: Count = Field(description="frames inside before EXITING")

    @model_validator(mode="after")
    def _ordered(self) -> "Zone":
        if not self.exiting <= self.approaching <= self.inside:
            raise ValueError("thresholds must rise: exiting <= approaching <= inside")
        return self


class Scoring(Strict):
    """Everything the rules need."""

    groups: dict[str, CueGroup] = Field(min_length=1)
    gate: Gate
    frame: FrameScore
    clip: ClipScore
    smoothing: Smoothing
    zone: Zone
