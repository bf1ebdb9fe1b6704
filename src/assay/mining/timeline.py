"""All rules in their order, frame by frame: boxes -> frame score -> smoothing and fusion -> gate -> zone state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from supervision import Detections

from assay.errors import UserError
from assay.mining.cues import (
    KINDS,
    CueGroup,
    FrameScore,
    cue_counts,
    frame_score,
    kind_counts,
    logistic,
    present_groups,
)
from assay.mining.gate import Gate, Persistence, pass_gate
from assay.mining.zone import State, Zone, ZoneMachine


@dataclass(frozen=True)
class Smoothing:
    """alpha = base + gain * evidence; evidence = share * min(objects / enough, 1) + (1 - share) * frame score."""

    base: float
    gain: float
    enough: int
    share: float


@dataclass(frozen=True)
class Fusion:
    """How a second opinion on a frame, the verifier's, joins the frame's score."""

    slope: float  # logistic(slope * (similarity to positive - similarity to negative))
    above: float  # it is asked where the smoothed frame score reaches this
    share: float  # of the verifier in the fused score


@dataclass(frozen=True)
class Rules:
    """Everything that turns boxes into a timeline."""

    groups: Mapping[str, CueGroup]
    gate: Gate
    frame: FrameScore
    fusion: Fusion
    smoothing: Smoothing
    zone: Zone

    @property
    def confidence(self) -> float:
        """The lowest floor of any group: boxes below it never count."""
        return min(group.confidence for group in self.groups.values())


@dataclass(frozen=True)
class FrameState:
    """One row of a clip's timeline, in the columns' published names; scores 0-1."""

    yolo_score: float
    yolo_score_ema: float
    fused_score: float
    fused_score_ema: float
    state: State
    clip_used: int  # whether the verifier was asked
    clip_score: float | None
    objects: int
    count_channelization: int
    count_workers: int
    count_vehicles: int
    count_signs: int
    count_message_boards: int
    p1_multi_cue_pass: int
    p1_num_sustained: int
    p1_sustained: str  # groups, joined by +
    p1_confidence: float


def rules_from(values: Mapping[str, Any]) -> Rules:
    """Build the rules from nested mappings as conf/scoring has them: groups, gate, frame, clip, smoothing, zone.

    Raises:
        UserError: `frame.weights` names a kind of object that the frame's score does not know.
    """
    unknown = sorted(set(values["frame"]["weights"]) - set(KINDS))
    if unknown:
        raise UserError(
            f"scoring.frame.weights: {', '.join(unknown)} is no kind of object; kinds are {', '.join(KINDS)}"
        )
    clip = values["clip"]
    return Rules(
        groups={
            name: CueGroup(**{**group, "classes": tuple(group["classes"])})
            for name, group in values["groups"].items()
        },
        gate=Gate(**values["gate"]),
        frame=FrameScore(**values["frame"]),
        fusion=Fusion(slope=clip["slope"], above=clip["above"], share=clip["share"]),
        smoothing=Smoothing(**values["smoothing"]),
        zone=Zone(**values["zone"]),
    )


def smooth(former: float | None, score: float, alpha: float) -> float:
    """Exponential moving average; the first value stands as it is."""
    return score if former is None else alpha * score + (1 - alpha) * former


def smoothing_alpha(objects: int, score: float, rule: Smoothing) -> float:
    """The share of the new frame: the more it shows, the faster the average follows."""
    evidence = rule.share * min(objects / rule.enough, 1.0) + (1 - rule.share) * score
    return rule.base + rule.gain * evidence


def similarity_score(positive: float, negative: float, rule: Fusion) -> float:
    """A verifier's score from the cosine similarities of a frame to the positive and the negative prompt, 0-1."""
    return logistic(rule.slope * (positive - negative))


class Timeline:
    """Walks one clip. Holds the gate's window and a few numbers, never a frame."""

    def __init__(self, rules: Rules, classes: Sequence[str]) -> None:
        self._rules, self._classes = rules, tuple(classes)
        self._persistence = Persistence(rules.groups, rules.gate.window)
        self._machine = ZoneMachine(rules.zone)
        self._yolo: float | None = None
        self._fused: float | None = None

    def step(self, found: Detections, verify: Callable[[], float] | None = None) -> FrameState:
        """Take in the next frame that was looked at.

        Args:
            found: its boxes; `class_id` indexes the classes given at the start. Boxes below the rules' lowest floor
                are left out.
            verify: asks the verifier about this frame, 0-1; called only where the smoothed frame score is high
                enough. Without one the fused score is the frame's score.
        """
        rules = self._rules
        if found.class_id is None or found.confidence is None:
            raise ValueError("the boxes of a frame need class_id and confidence")
        scores = [round(float(score), 6) for score in found.confidence]  # float32 .35 is below .35
        boxes = [
            (self._classes[number], score)
            for number, score in zip(found.class_id, scores, strict=True)
            if score >= rules.confidence
        ]
        labels, confidence = [label for label, _ in boxes], [score for _, score in boxes]
        kinds = kind_counts(labels)
        yolo = frame_score(kinds, len(boxes), rules.frame)
        alpha = smoothing_alpha(len(boxes), yolo, rules.smoothing)
        self._yolo = smooth(self._yolo, yolo, alpha)

        verified = verify() if verify is not None and self._yolo >= rules.fusion.above else None
        share = rules.fusion.share
        fused = yolo if verified is None else (1 - share) * yolo + share * verified
        self._fused = smooth(self._fused, fused, alpha)

        present = present_groups(cue_counts(labels, confidence, rules.groups), rules.groups)
        passage = pass_gate(self._persistence.update(present), rules.groups, rules.gate)
        return FrameState(
            yolo_score=yolo,
            yolo_score_ema=self._yolo,
            fused_score=fused,
            fused_score_ema=self._fused,
            state=self._machine.update(self._fused, passed=passage.passed),
            clip_used=int(verified is not None),
            clip_score=verified,
            objects=len(boxes),
            **{f"count_{kind}": count for kind, count in kinds.items()},
            p1_multi_cue_pass=int(passage.passed),
            p1_num_sustained=len(passage.sustained),
            p1_sustained="+".join(passage.sustained),
            p1_confidence=passage.confidence,
        )


def as_row(state: FrameState) -> dict[str, Any]:
    """The columns of a frame's row; scores to six decimals, so that a table reads the same after CSV and JSON."""
    return {
        key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(state).items()
    }
