"""Mining clips: which frames a person should look at, one finished folder per clip, so that a killed run goes on.

A clip that is done lies in the work folder under a name made of everything its result depends on: the clip's bytes,
the model and every setting. What is there is not done again; what is half done has no such name. The output is put
together from the finished folders, so a run that was killed and one that was not end with the same bytes, and so do
one process and several that share the clips.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from filelock import Timeout

from assay.errors import UserError
from assay.files import fresh_folder, read_json, sha256_file, write_json
from assay.mining.clip import (
    ROWS,
    TIMELINE,
    ClipSettings,
    Detector,
    ReadFrames,
    UnusableClip,
    Verify,
    clip_key,
    mine_clip,
)
from assay.mining.progress import ClipProgress
from assay.mining.work import WorkFolder

_FRAME = re.compile(r"_f\d+$")


class Shard(NamedTuple):
    """Every `of`-th clip, from the one at `number` on, in the order of their names."""

    number: int  # from 0
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`0/2` -> Shard(0, 2)."""
        number, of = map(int, text.split("/"))
        return cls(number, of)


class Job(NamedTuple):
    """A clip to be done."""

    clip: str  # its name
    path: str  # below the data folder
    sha256: str
    key: str  # name of its finished folder
    frames: int  # that will be looked at, 0 where unknown; for the time left


class Outcome(NamedTuple):
    """What became of a job; its folder is there where `unusable` is None."""

    job: Job
    frames: int
    unusable: UnusableClip | None


# Does jobs in any order, pulls the next when it can, and calls its second argument for every frame it sees.
Engine = Callable[[Iterable[Job], Callable[[], None]], Iterator[Outcome]]


@dataclass
class MinedClips:
    """What `mine_clips` leaves behind."""

    finished: list[Path] = field(default_factory=list)  # folders in the work folder, in the clips' order
    quarantine: list[tuple[str, str]] = field(default_factory=list)  # clip path, reason
    frames: int = 0  # looked at in this run
    resumed: int = 0  # clips that were done before
    # what the work folder must keep: all clips, other shards' too
    keys: set[str] = field(default_factory=set)
    begun: str = ""  # UTC, when this mining was first started


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


def few_frames(clips: pd.DataFrame, data: Path, *, each: int = 8) -> Iterator[np.ndarray]:
    """`each` frames of every readable clip, evenly spread, RGB; one of each clip before the second of any.

    Args:
        clips: columns path (below `data`) and frames.
        data: the project's data folder.
        each: of one clip; fewer where it is shorter.
    """
    from itertools import islice

    from assay.data.clips import BadClip, frames

    for number in range(each):
        for row in clips.sort_values("path").to_dict("records"):
            start = int(row["frames"]) * (2 * number + 1) // (2 * each)
            try:
                yield from (rgb for _, _, rgb in islice(frames(data / row["path"], stride=1, start=start), 1))
            except BadClip:
                continue


def mine_clips(
    clips: pd.DataFrame,
    data: Path,
    engine: Engine,
    work: WorkFolder,
    settings: ClipSettings,
    *,
    model_id: str,
    shard: Shard | None = None,
) -> MinedClips:
    """Look at every clip, or find that this was done before. A clip that can't be read is set aside, a copy too.

    Args:
        clips: columns clip (a name, unique), path (below `data`), sha256 (of the file; optional), frames (optional).
        data: the project's data folder.
        engine: does the clips: `one_by_one`, or `assay.mining.cluster.on_ray`.
        work: folder of finished clips, outside the output.
        settings: what decides a clip's result.
        model_id: of the detector's weights.
        shard: do a part of the clips only; None = all, and what other processes are doing is waited for.

    Raises:
        UserError: no clips, or two of one name.
    """
    if clips.empty:
        raise UserError(f"{data}: no readable clip to mine; see quarantine.csv of the prepared data set")
    doubled = sorted(clips.loc[clips["clip"].duplicated(), "clip"].unique())
    if doubled:
        raise UserError(f"{data}: two clips are called {doubled[0]!r}; rename one")
    mined = MinedClips()
    everything = clip_key("", "", "", model_id, settings)
    mined.keys.add(everything)
    mined.begun = work.begun(everything)
    own, aside = _jobs(clips, data, settings, mined, model_id=model_id, shard=shard)
    waiting = [job for job in own if not _is_finished(work.path / job.key)]
    mined.resumed = len(own) - len(waiting)
    with ClipProgress(len(waiting), sum(job.frames for job in waiting)) as progress:
        for outcome in _in_turn(engine, waiting, work, progress.frame):
            mined.frames += outcome.frames
            if (bad := outcome.unusable) is not None:
                if bad.lasting:
                    _set_aside(work.path / outcome.job.key, outcome.job, bad)
                else:
                    aside[outcome.job.path] = bad.reason
            progress.clip(outcome.job.frames)
    for job in own:
        if job.path in aside:
            continue
        reason = read_json(work.path / job.key / ROWS).get("unusable")
        if reason is None:
            mined.finished.append(work.path / job.key)
        else:
            aside[job.path] = reason
    mined.quarantine = sorted(aside.items())
    return mined


def one_by_one(
    detector: Detector,
    data: Path,
    work: Path,
    settings: ClipSettings,
    *,
    model_id: str,
    verify: Verify | None = None,
    frames: ReadFrames | None = None,
) -> Engine:
    """An engine that does one clip after the other in this process; see `mine_clip` for the arguments."""

    def run(jobs: Iterable[Job], looked_at: Callable[[], None]) -> Iterator[Outcome]:
        for job in jobs:
            try:
                looked = mine_clip(
                    data / job.path,
                    detector,
                    work / job.key,
                    settings,
                    clip=job.clip,
                    video=job.path,
                    sha256=job.sha256,
                    model_id=model_id,
                    verify=verify,
                    frames=frames,
                    looked_at=looked_at,
                )
                yield Outcome(job, looked, None)
            except UnusableClip as bad:
                yield Outcome(job, 0, bad)

    return run


def _jobs(
    clips: pd.DataFrame,
    data: Path,
    settings: ClipSettings,
    mined: MinedClips,
    *,
    model_id: str,
    shard: Shard | None,
) -> tuple[list[Job], dict[str, str]]:
    """This process's clips by name, and those to set aside before they are looked at: path -> reason."""
    first: dict[str, str] = {}
    own: list[Job] = []
    aside: dict[str, str] = {}
    rows: list[dict[Any, Any]] = clips.sort_values("clip").to_dict("records")
    for number, row in enumerate(rows):
        clip, path = str(row["clip"]), str(row["path"])
        mine = shard is None or number % shard.of == shard.number
        try:
            sha256 = str(row.get("sha256") or _hash(data / path))
            if first.setdefault(sha256, path) != path:
                raise UnusableClip(f"the same file as {first[sha256]}")
        except UnusableClip as bad:
            if mine:
                aside[path] = bad.reason
            continue
        key = clip_key(clip, path, sha256, model_id, settings)
        mined.keys.add(key)
        if mine:
            own.append(Job(clip, path, sha256, key, -(-int(row.get("frames") or 0) // settings.stride)))
    return own, aside


def _in_turn(
    engine: Engine, jobs: list[Job], work: WorkFolder, looked_at: Callable[[], None]
) -> Iterator[Outcome]:
    """Do each job under its lock. What another process does meanwhile comes last, and mostly is done by then."""
    locks: dict[str, Any] = {}
    busy: list[Job] = []

    def free() -> Iterator[Job]:
        for job in jobs:
            lock = work.clip(job.key, wait=False)
            try:
                lock.__enter__()
            except Timeout:
                busy.append(job)
                continue
            locks[job.key] = lock
            if _is_finished(work.path / job.key):
                locks.pop(job.key).__exit__(None, None, None)
            else:
                yield job

    try:
        for outcome in engine(free(), looked_at):
            yield outcome
            locks.pop(outcome.job.key).__exit__(None, None, None)
    finally:
        for lock in locks.values():
            lock.__exit__(None, None, None)
    for job in busy:
        with work.clip(job.key, wait=True):
            if not _is_finished(work.path / job.key):
                yield from engine([job], looked_at)


def _set_aside(folder: Path, job: Job, bad: UnusableClip) -> None:
    with fresh_folder(folder) as fresh:
        write_json(fresh / ROWS, {"clip": job.clip, "unusable": bad.reason})


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise UnusableClip(f"cannot be read: {error.strerror}", lasting=False) from error


def _is_finished(folder: Path) -> bool:
    """Whether all a finished clip holds is there; a folder that lost a file is done again."""
    try:
        result = read_json(folder / ROWS)
        if "unusable" in result:
            return True
        return (folder / TIMELINE).is_file() and all(
            (folder / Path(row["image"]).name).stat().st_size == row["bytes"] for row in result["rows"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
