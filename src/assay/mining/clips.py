"""Mining clips: which frames a person should look at, one finished folder per clip, so that a killed run goes on.

A clip that is done lies in the work folder under a name made of everything its result depends on: the clip's bytes,
the model and every setting. What is there is not done again; what is half done has no such name. The output is put
together from the finished folders, so a run that was killed and one that was not end with the same bytes.
"""

import csv
import hashlib
import heapq
import io
import json
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from supervision import Detections

from assay.errors import UserError
from assay.files import fresh_folder, read_json, sha256_file, write_json
from assay.mining.boxes_json import boxes_json
from assay.mining.progress import ClipProgress
from assay.mining.timeline import FrameState, Rules, Timeline, as_row

TIMELINE, ROWS = "timeline.csv", "rows.json"
JPEG_QUALITY = 90
_FRAME = re.compile(r"_f\d+$")
_FORMAT = 1  # of a finished folder; raise it when what a clip's result holds changes

Frames = Iterator[tuple[int, float, np.ndarray]]  # number, seconds, uint8 (H, W, 3) RGB
ReadFrames = Callable[..., Frames]  # (path, *, stride)


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


@dataclass
class MinedClips:
    """What `mine_clips` leaves behind."""

    finished: list[Path] = field(default_factory=list)  # folders in the work folder, in the clips' order
    quarantine: list[tuple[str, str]] = field(default_factory=list)  # clip path, reason
    frames: int = 0  # looked at in this run
    resumed: int = 0  # clips that were done before


class UnusableClip(Exception):  # noqa: N818 - it names a state of the file
    """A clip that can't be read to its end; `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def minable_clips(clips: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The clips that may be mined: those of a recording from which no frame is held out.

    Args:
        clips: clip, recording, as clips.csv lists them.
        manifest: split and source of every image of the prepared data set; a frame is called <clip>_f<frame>.
    """
    held_out = manifest.loc[manifest["split"].isin(("val", "test")), "source"].map(
        lambda name: Path(name).stem
    )
    frames = set(held_out[held_out.str.contains(_FRAME)].str.replace(_FRAME, "", regex=True))
    taken = clips.loc[clips["clip"].isin(frames), "recording"]
    return clips[~clips["clip"].isin(frames) & ~clips["recording"].isin(taken)].reset_index(drop=True)


def mine_clips(
    clips: pd.DataFrame,
    data: Path,
    detector: Detector,
    work: Path,
    settings: ClipSettings,
    *,
    model_id: str,
    verify: Callable[[np.ndarray], float] | None = None,
    frames: ReadFrames | None = None,
) -> MinedClips:
    """Look at every clip, or find that this was done before. A clip that can't be read is set aside, a copy too.

    Args:
        clips: columns clip (a name, unique), path (below `data`), sha256 (of the file; optional).
        data: the project's data folder.
        detector: what finds boxes.
        work: folder of finished clips, outside the output; folders of other clips or settings are removed at the end.
        settings: what decides a clip's result.
        model_id: of the detector's weights.
        verify: a frame -> 0-1, a second opinion on it; see `settings.verifier`.
        frames: reads a clip; `assay.data.clips.frames` if not given.

    Raises:
        UserError: no clips, or two of one name.
    """
    if clips.empty:
        raise UserError(f"{data}: no readable clip to mine; see quarantine.csv of the prepared data set")
    doubled = sorted(clips.loc[clips["clip"].duplicated(), "clip"].unique())
    if doubled:
        raise UserError(f"{data}: two clips are called {doubled[0]!r}; rename one")
    mined = MinedClips()
    first: dict[str, str] = {}
    with ClipProgress(len(clips)) as progress:
        for row in clips.sort_values("clip").to_dict("records"):
            clip, path = str(row["clip"]), str(row["path"])
            try:
                sha256 = str(row.get("sha256") or _hash(data / path))
                if first.setdefault(sha256, path) != path:
                    raise UnusableClip(f"the same file as {first[sha256]}")
                folder = work / clip_key(clip, path, sha256, model_id, settings)
                if _is_finished(folder):
                    mined.resumed += 1
                else:
                    mined.frames += mine_clip(
                        data / path,
                        detector,
                        folder,
                        settings,
                        clip=clip,
                        video=path,
                        sha256=sha256,
                        model_id=model_id,
                        verify=verify,
                        frames=frames,
                        looked_at=progress.frame,
                    )
                mined.finished.append(folder)
            except UnusableClip as bad:
                mined.quarantine.append((path, bad.reason))
            progress.clip()
    _forget(work, keep=mined.finished)
    return mined


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
    verify: Callable[[np.ndarray], float] | None = None,
    frames: ReadFrames | None = None,
    looked_at: Callable[[], None] = lambda: None,
) -> int:
    """Walk one clip and write its folder whole: timeline.csv, rows.json and one JPEG per candidate.

    Frames stream through; only the detector's batch, the gate's window and the best `settings.cap` JPEGs are held.

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
    timeline = Timeline(settings.rules, settings.classes)
    best = _Best(settings.cap)
    held: deque[tuple[int, float, np.ndarray]] = deque()

    def images() -> Iterator[np.ndarray]:
        for frame in _read(path, settings.stride, frames):
            held.append(frame)
            yield frame[2]

    found_in = detector.predict(
        images(),
        confidence=settings.rules.confidence,
        nms_iou=settings.nms_iou,
        max_boxes=settings.max_boxes,
    )
    looked = 0
    with fresh_folder(out) as folder:
        with (folder / TIMELINE).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["frame", "time_sec", *(column.name for column in fields(FrameState))])
            for found in found_in:
                number, seconds, rgb = held.popleft()
                state = as_row(timeline.step(found, _asking(verify, rgb)))
                writer.writerow([number, round(seconds, 3), *state.values()])
                if _is_candidate(state, settings):
                    position = {"frame": number, "time_sec": round(seconds, 3)}
                    best.offer(position | state, found, rgb)
                looked += 1
                looked_at()
        if held:  # rows and pictures would be shifted against each other
            raise ValueError(f"the detector got {looked + len(held)} frames and answered for {looked}")
        if not looked:
            raise UnusableClip("holds no frame")
        rows = [
            _row(state, found, settings, clip=clip, video=video, sha256=sha256, model_id=model_id)
            for state, found, _ in best.in_order()
        ]
        for row, (_, _, jpeg) in zip(rows, best.in_order(), strict=True):
            (folder / Path(row["image"]).name).write_bytes(jpeg)
            row["bytes"] = len(jpeg)
        write_json(folder / ROWS, {"clip": clip, "frames": looked, "rows": rows})
    return looked


class _Best:
    """The best candidates so far with their JPEGs: the highest smoothed fused score, the earlier frame of equals."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._heap: list[tuple[float, int, Any]] = []  # no two frames rank alike

    def offer(self, state: dict[str, Any], found: Detections, rgb: np.ndarray) -> None:
        rank = (state["fused_score_ema"], -state["frame"])
        if len(self._heap) == self._cap and rank < self._heap[0][:2]:
            return
        entry = (*rank, (state, found, _jpeg(rgb)))
        if len(self._heap) < self._cap:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heapreplace(self._heap, entry)

    def in_order(self) -> list[tuple[dict[str, Any], Detections, bytes]]:
        """By frame."""
        return sorted((entry[2] for entry in self._heap), key=lambda kept: kept[0]["frame"])


def _row(
    state: Mapping[str, Any],
    found: Detections,
    settings: ClipSettings,
    *,
    clip: str,
    video: str,
    sha256: str,
    model_id: str,
) -> dict[str, Any]:
    name = f"{clip}/{clip}_f{state['frame']:06d}.jpg"
    passed = bool(state["p1_multi_cue_pass"])
    return {
        "candidate": hashlib.sha256(f"{sha256}:{state['frame']}".encode()).hexdigest()[:12],
        "image": name,
        "label": "",
        "reason": "several cues" if passed else "score",
        "group": clip,
        "surprise": state["fused_score_ema"],  # if this is no work zone, that is how wrong the model is
        "video": video,
        "snapshot": name,
        **state,
        "verifier": settings.verifier,
        "boxes": json.dumps(boxes_json(found, settings.classes), separators=(",", ":")),
        "model": model_id,
        "clip_sha256": sha256,
    }


def _is_candidate(state: Mapping[str, Any], settings: ClipSettings) -> bool:
    low, high = settings.score_range
    passed = bool(state["p1_multi_cue_pass"]) or not settings.gate
    return passed and low <= state["fused_score_ema"] <= high


def _asking(verify: Callable[[np.ndarray], float] | None, rgb: np.ndarray) -> Callable[[], float] | None:
    return None if verify is None else lambda: verify(rgb)


def _read(path: Path, stride: int, frames: ReadFrames | None) -> Frames:
    """The frames, with everything that is wrong with the file as UnusableClip; a full disk elsewhere is not."""
    from assay.data import clips

    try:
        yield from (frames or clips.frames)(path, stride=stride)
    except clips.BadClip as error:
        raise UnusableClip(error.reason) from error
    except OSError as error:
        raise UnusableClip(f"cannot be read: {error.strerror}") from error


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise UnusableClip(f"cannot be read: {error.strerror}") from error


def _jpeg(rgb: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _is_finished(folder: Path) -> bool:
    """Whether all a finished clip holds is there; a folder that lost a file is done again."""
    try:
        rows = read_json(folder / ROWS)["rows"]
        return (folder / TIMELINE).is_file() and all(
            (folder / Path(row["image"]).name).stat().st_size == row["bytes"] for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _forget(work: Path, *, keep: list[Path]) -> None:
    kept = {folder.name for folder in keep}
    for folder in work.iterdir() if work.is_dir() else []:
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
