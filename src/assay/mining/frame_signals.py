"""What a clip's frames tell, frame by frame: the rules' scores, and the features under them, for models that learn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from supervision import Detections
from torch import Tensor, nn

from assay.data.clips import frames
from assay.mining.clip import Detector
from assay.mining.cues import KINDS
from assay.mining.timeline import FrameState, Rules, Timeline, similarity_score
from assay.mining.verifier import Towers

SCORES = (
    "yolo_score", "yolo_score_ema", "fused_score", "fused_score_ema", "clip_score", "clip_used", "objects",
    *(f"count_{kind}" for kind in KINDS), "p1_multi_cue_pass", "p1_num_sustained", "p1_confidence",
)  # fmt: skip
"""The columns of `Signals.scores`; counts are shares of eight objects, sustained groups of five."""

STATE_NAMES = {"OUT": "outside", "APPROACHING": "approaching", "INSIDE": "inside", "EXITING": "exiting"}
_EIGHT, _FIVE = 8.0, 5.0


@dataclass(frozen=True)
class Signals:
    """T frames of a clip.

    frames: (T,) their numbers. scores: (T, len(SCORES)) float32. features: (T, F) float32, the mean of the detector's
    last backbone map, the best confidence and the count of each class, the image's embedding and its two cosines with
    the prompts. rules: (T,) the state that the hand-made rules give, in the annotations' words.
    """

    frames: NDArray[np.int64]
    scores: NDArray[np.float32]
    features: NDArray[np.float32]
    rules: NDArray[np.str_]


def signals_of(
    path: Path,
    detector: Detector,
    towers: Towers,
    rules: Rules,
    *,
    classes: tuple[str, ...],
    backbone: nn.Module,
    stride: int,
    nms_iou: float,
    max_boxes: int,
) -> Signals:
    """Walk a clip once, with the detector, the second opinion and the rules.

    Args:
        path: the clip's file.
        detector: finds boxes; it calls `backbone` for every batch.
        towers: of the second opinion, asked about every frame; the rules take its score where they would ask.
        rules: what scores and states follow from.
        classes: the detector's.
        backbone: the module of the detector whose output, (N, C, h, w), is pooled.
        stride: every so many frames are looked at.
        nms_iou, max_boxes: of the detector's boxes.

    Raises:
        BadClip: the file can't be read to its end.
    """
    maps: list[NDArray[np.float32]] = []
    numbers: list[int] = []
    embedded: list[NDArray[np.float32]] = []

    def images() -> Iterator[np.ndarray]:
        for number, _, rgb in frames(path, stride=stride):
            numbers.append(number)
            vector = np.asarray(towers.embed(rgb), np.float32)
            embedded.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
            yield rgb

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        maps.extend(output.detach().float().mean(dim=(2, 3)).cpu().numpy())

    prompts = np.stack([towers.positive, towers.negative]).astype(np.float32)
    prompts /= np.linalg.norm(prompts, axis=1, keepdims=True)
    timeline = Timeline(rules, classes)
    scores, features, states = [], [], []
    hook = backbone.register_forward_hook(keep)
    try:
        answers: Iterable[Detections] = detector.predict(
            images(), confidence=rules.confidence, nms_iou=nms_iou, max_boxes=max_boxes
        )
        for k, found in enumerate(answers):
            near, far = (float(value) for value in prompts @ embedded[k])
            opinion = similarity_score(near, far, rules.fusion)
            state = timeline.step(found, lambda said=opinion: said)  # type: ignore[misc]
            scores.append(_scores(state, opinion))
            features.append(np.concatenate([maps[k], _boxes(found, len(classes)), embedded[k], [near, far]]))
            states.append(STATE_NAMES[state.state])
    finally:
        hook.remove()
    return Signals(
        np.array(numbers, np.int64),
        np.array(scores, np.float32),
        np.array(features, np.float32),
        np.array(states, "<U11"),
    )


def _scores(state: FrameState, opinion: float) -> list[float]:
    counts = [state.objects, *(getattr(state, f"count_{kind}") for kind in KINDS)]
    return [
        *(state.yolo_score, state.yolo_score_ema, state.fused_score, state.fused_score_ema),
        *(opinion, state.clip_used),
        *(min(count / _EIGHT, 2.0) for count in counts),
        *(state.p1_multi_cue_pass, state.p1_num_sustained / _FIVE, state.p1_confidence),
    ]


def _boxes(found: Detections, classes: int) -> NDArray[np.float32]:
    """(2 * classes,): each class's best confidence, then its count as a share of eight."""
    best, count = np.zeros(classes, np.float32), np.zeros(classes, np.float32)
    if found.class_id is not None and found.confidence is not None:
        np.maximum.at(best, found.class_id, found.confidence.astype(np.float32))
        np.add.at(count, found.class_id, 1 / _EIGHT)
    return np.concatenate([best, count])
