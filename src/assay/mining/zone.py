"""Where the car is along a clip: OUT, APPROACHING, INSIDE or EXITING a work zone (document 002 and its authors' code)."""

from dataclasses import dataclass
from typing import Literal

State = Literal["OUT", "APPROACHING", "INSIDE", "EXITING"]
STATES: tuple[State, ...] = ("OUT", "APPROACHING", "INSIDE", "EXITING")


@dataclass(frozen=True)
class Zone:
    """Thresholds of the smoothed fused score and frames to stay; with a stride, frames looked at."""

    approaching: float
    inside: float
    exiting: float
    min_out: int  # frames outside before INSIDE
    min_inside: int  # frames inside before EXITING


class ZoneMachine:
    """Walks a clip frame by frame. A clip begins outside, with no frame counted yet.

    INSIDE is entered at `inside` with the gate passed, after `min_out` frames that were not INSIDE, and left below
    `exiting` after `min_inside` frames. EXITING lasts until `min_out` frames have passed outside, or until the score
    calls for another state.
    """

    def __init__(self, rule: Zone) -> None:
        self._rule = rule
        self._state: State = "OUT"
        self._stay = 0  # frames inside while INSIDE, frames outside otherwise

    def update(self, score: float, *, passed: bool) -> State:
        """The state of the next frame.

        Args:
            score: the smoothed fused score, 0-1.
            passed: whether the multi-cue gate lets this frame pass.
        """
        before, self._state = self._state, self._next(score, passed)
        crossed = (before == "INSIDE") != (self._state == "INSIDE")
        self._stay = 1 if crossed else self._stay + 1
        return self._state

    def _next(self, score: float, passed: bool) -> State:
        rule = self._rule
        if self._state == "INSIDE":
            return "EXITING" if score < rule.exiting and self._stay >= rule.min_inside else "INSIDE"
        if score >= rule.inside and passed and self._stay >= rule.min_out:
            return "INSIDE"
        if score >= rule.approaching:
            return "APPROACHING"
        if self._state == "EXITING" and self._stay < rule.min_out:
            return "EXITING"
        return "OUT"
