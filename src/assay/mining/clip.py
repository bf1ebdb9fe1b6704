"""One clip walked from its first frame to its last: its timeline, and the frames a person should look at."""

import csv
import hashlib
import heapq
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from supervision import Detections

from assay.files import fresh_folder, write_json
from assay.mining.boxes_json import boxes_json
from assay.mining.flicker import FlickerRule, FlickerWindow
from assay.mining.similar import SimilarFrames, SkipRule
from assay.mining.timeline import FrameState, Rules, Timeline, as_row

TIMELINE, ROWS = "timeline.csv", "rows.json"
JPEG_QUALITY = 90
_FORMAT = 2  # of a finished folder; raise it when what a clip's result holds changes
NO_FLICKER = FlickerRule(window=2, confidence=0.25, iou=0.3, motion=0.5, cap=0)
NO_SKIP = SkipRule(difference=0.0, most=1)

Frames = Iterator[tuple[int, float, np.ndarray]]  # number, seconds, uint8 (H, W, 3) RGB
ReadFrames = Callable[..., Frames]  # (path, *, stride)
Verify = Callable[[np.ndarray], float]  # a frame -> 0-1, a second opinion on it


class Detector(Protocol):
    """What finds boxes."""

    def predict(
        self, images: Iterable[np.ndarray], *, confidence: float, nms_iou: float, max_boxes: int
    ) -> Iterator[Detections]:
        """The boxes of each image, in px of it."""


@dataclass(frozen=True)
class ClipSettings:
    """All that decides what a clip yields, beside the clip and the model."""

    classes: tuple[str, ...]
    rules: Rules
    stride: int  # every so many frames are looked at
    cap: int  # candidates per clip
    score_range: tuple[float, float]  # of the smoothed fused score, both ends included
    gate: bool  # a candidate needs the multi-cue gate
    nms_iou: float
    max_boxes: int
    verifier: str = "none"  # name of what gives a second opinion; none: the frame's score alone
    flicker: FlickerRule = NO_FLICKER  # the second miner
    skip: SkipRule = NO_SKIP
    runtime: str = "torch"  # what ran the network, and its precision: both move a score's last digits

    @property
    def lowest_floor(self) -> float:
        """Boxes below it count for no miner."""
        floors = [self.rules.confidence, *([self.flicker.confidence] if self.flicker.cap else [])]
        return min(floors)


class UnusableClip(Exception):  # noqa: N818 - it names a state of the file
    """A clip that can't be read to its end; `reason` says why in a few words.

    lasting: it lies in the file's bytes, so that another try would end the same.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.lasting = reason, lasting


class _Seen(NamedTuple):
    """A frame that waits for its boxes; rgb None: it was like the last one and takes that one's."""

    number: int
    seconds: float
    rgb: np.ndarray | None


class _Candidate(NamedTuple):
    """A frame worth keeping, its picture encoded already."""

    state: dict[str, Any]
    found: Detections
    jpeg: bytes
    about: str


def clip_key(clip: str, path: str, sha256: str, model_id: str, settings: ClipSettings) -> str:
    """Name of a clip's finished folder: 32 hex digits of everything its result depends on."""
    known = {
        "format": _FORMAT,
        "jpeg": JPEG_QUALITY,
        "clip": clip,
        "path": path,
        "sha256": sha256,
        "model": model_id,
        "settings": asdict(settings),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def mine_clip(
    path: Path,
    detector: Detector,
    out: Path,
    settings: ClipSettings,
    *,
    clip: str,
    video: str,
    sha256: str,
    model_id: str,
    verify: Verify | None = None,
    frames: ReadFrames | None = None,
    looked_at: Callable[[], None] = lambda: None,
) -> int:
    """Walk one clip and write its folder whole: timeline.csv, rows.json and one JPEG per candidate.

    Frames stream through; only the detector's batch, the windows of the gate and of the flicker miner, and the JPEGs
    of the best `settings.cap` (and `settings.flicker.cap`) frames are held.

    Args:
        path: the clip's file.
        detector: what finds boxes.
        out: the folder to write.
        settings: what decides the result.
        clip: the clip's name.
        video: its path below the data folder, for people.
        sha256: of the file; with the frame's number it names a candidate.
        model_id: of the detector's weights.
        verify: a frame -> 0-1, a second opinion.
        frames: reads a clip; `assay.data.clips.frames` if not given.
        looked_at: called once per frame, for a progress bar.

    Returns:
        How many frames were looked at.

    Raises:
        UnusableClip: the file can't be read to its end, or holds no frame.
    """
    walk = _Walk(settings, verify)
    held: deque[_Seen] = deque()
    similar = SimilarFrames(settings.skip)

    def images() -> Iterator[np.ndarray]:
        for number, seconds, rgb in _read(path, settings.stride, frames):
            if similar.skip(rgb):
                held.append(_Seen(number, seconds, None))
                continue
            held.append(_Seen(number, seconds, rgb))
            yield rgb

    answers = detector.predict(
        images(), confidence=settings.lowest_floor, nms_iou=settings.nms_iou, max_boxes=settings.max_boxes
    )
    with fresh_folder(out) as folder:
        with (folder / TIMELINE).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            names = [column.name for column in fields(FrameState)]
            writer.writerow(["frame", "time_sec", *names, "inferred"])
            for frame, found in _in_step(answers, held):
                state = walk.step(frame, found)
                writer.writerow([*state.values(), int(frame.rgb is not None)])
                looked_at()
        if held:  # rows and pictures would be shifted against each other
            raise ValueError(
                f"the detector got {walk.inferred + len(held)} frames and answered for {walk.inferred}"
            )
        if not walk.looked:
            raise UnusableClip("holds no frame")
        rows = []
        for candidate in walk.candidates():
            row = _row(candidate, settings, clip=clip, video=video, sha256=sha256, model_id=model_id)
            (folder / Path(row["image"]).name).write_bytes(candidate.jpeg)
            rows.append({**row, "bytes": len(candidate.jpeg)})
        write_json(
            folder / ROWS, {"clip": clip, "frames": walk.looked, "inferred": walk.inferred, "rows": rows}
        )
    return walk.looked


def _in_step(answers: Iterator[Detections], held: deque[_Seen]) -> Iterator[tuple[_Seen, Detections]]:
    """Every frame in its order with its boxes; a skipped frame has those of the frame before."""
    last: Detections | None = None
    for found in answers:
        while last is not None and held and held[0].rgb is None:
            yield held.popleft(), last
        last = found
        yield held.popleft(), found
    while last is not None and held and held[0].rgb is None:
        yield held.popleft(), last


class _Walk:
    """Both miners along one clip."""

    def __init__(self, settings: ClipSettings, verify: Verify | None) -> None:
        self._settings, self._verify = settings, verify
        self._timeline = Timeline(settings.rules, settings.classes)
        self._scored, self._flickering = _Best(settings.cap), _Best(settings.flicker.cap)
        self._window = FlickerWindow(settings.flicker, settings.classes) if settings.flicker.cap else None
        self.looked = self.inferred = 0

    def step(self, frame: _Seen, found: Detections) -> dict[str, Any]:
        """Take in a frame; its row of the timeline. A skipped frame counts in it, but is no candidate."""
        self.looked += 1
        rgb, verify = frame.rgb, None
        if rgb is not None and self._verify is not None:
            verify = partial(self._verify, rgb)
        scored = self._timeline.step(found, verify)
        state = {"frame": frame.number, "time_sec": round(frame.seconds, 3), **as_row(scored)}
        if rgb is None:
            return state
        self.inferred += 1
        if _is_candidate(state, self._settings):
            self._scored.offer(state["fused_score_ema"], _Candidate(state, found, b"", ""), rgb)
        if self._window is not None and (judged := self._window.step(found, (state, rgb))):
            flicker, about, boxes, (its_state, its_rgb) = judged
            self._flickering.offer(flicker.score, _Candidate(its_state, boxes, b"", about), its_rgb)
        return state

    def candidates(self) -> list["_Candidate"]:
        """By frame, one for each: a frame that both miners chose keeps what the second one said of it."""
        kept = {candidate.state["frame"]: candidate for candidate in self._scored.kept()}
        for candidate in self._flickering.kept():
            kept[candidate.state["frame"]] = candidate
        return [kept[frame] for frame in sorted(kept)]


class _Best:
    """The best candidates so far with their JPEGs: the highest score, the earlier frame of equals."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._heap: list[tuple[float, int, _Candidate]] = []  # no two frames rank alike

    def offer(self, score: float, candidate: _Candidate, rgb: np.ndarray) -> None:
        rank = (score, -candidate.state["frame"])
        if not self._cap or (len(self._heap) == self._cap and rank < self._heap[0][:2]):
            return
        entry = (*rank, candidate._replace(jpeg=_jpeg(rgb)))
        if len(self._heap) < self._cap:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)

    def kept(self) -> list[_Candidate]:
        return [entry[2] for entry in self._heap]


def _row(
    candidate: _Candidate, settings: ClipSettings, *, clip: str, video: str, sha256: str, model_id: str
) -> dict[str, Any]:
    state = candidate.state
    name = f"{clip}/{clip}_f{state['frame']:06d}.jpg"
    reasons = []
    if _is_candidate(state, settings):
        reasons.append("several cues" if state["p1_multi_cue_pass"] else "score")
    if candidate.about:
        reasons.append("flicker")
    return {
        "candidate": hashlib.sha256(f"{sha256}:{state['frame']}".encode()).hexdigest()[:12],
        "image": name,
        "label": "",
        "reason": " and ".join(reasons),
        "about": candidate.about,
        "group": clip,
        "surprise": state["fused_score_ema"],  # if this is no work zone, that is how wrong the model is
        "video": video,
        "snapshot": name,
        **state,
        "verifier": settings.verifier,
        "boxes": json.dumps(boxes_json(candidate.found, settings.classes), separators=(",", ":")),
        "model": model_id,
        "runtime": settings.runtime,
        "clip_sha256": sha256,
    }


def _is_candidate(state: Mapping[str, Any], settings: ClipSettings) -> bool:
    low, high = settings.score_range
    passed = bool(state["p1_multi_cue_pass"]) or not settings.gate
    return passed and low <= state["fused_score_ema"] <= high


def _read(path: Path, stride: int, frames: ReadFrames | None) -> Frames:
    """The frames, with everything that is wrong with the file as UnusableClip; a full disk elsewhere is not."""
    from assay.data import clips

    try:
        yield from (frames or clips.frames)(path, stride=stride)
    except clips.BadClip as error:
        raise UnusableClip(error.reason) from error
    except OSError as error:
        raise UnusableClip(f"cannot be read: {error.strerror}", lasting=False) from error


def _jpeg(rgb: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
