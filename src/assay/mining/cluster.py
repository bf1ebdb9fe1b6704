"""Clips as tasks of a Ray cluster, on this machine or a named one: the same folders, made elsewhere.

A worker gets the clip's bytes and sends the finished folder's back, so the machines share no file system. They need
the same release of this package. Ray is an extra: nothing else needs it.
"""

import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.files import fresh_folder
from assay.mining.clip import ClipSettings, Detector, ReadFrames, UnusableClip, Verify, mine_clip
from assay.mining.clips import Engine, Job, Outcome

Make = Callable[[], tuple[Detector, Verify | None]]

_made: dict[str, tuple[Detector, Verify | None]] = {}  # of this worker process, by model


@dataclass(frozen=True)
class TrainedDetector:
    """Makes a detector in a worker, out of the bytes of its two files; see `assay.models.detector.load_detector`."""

    files: Mapping[str, bytes]
    runtime: str  # of `assay.mining.fast.runtime_name`
    model_id: str
    verify: Verify | None

    @classmethod
    def of(
        cls, folder: Path, *, runtime: str, model_id: str, verify: Verify | None = None
    ) -> "TrainedDetector":
        """Read the files of `folder`."""
        names = ("model.json", "model.safetensors")
        return cls({name: (folder / name).read_bytes() for name in names}, runtime, model_id, verify)

    def __call__(self) -> tuple[Detector, Verify | None]:
        """The detector, on one core of this worker."""
        import torch

        from assay.mining.fast import fast_detector
        from assay.models.detector import load_detector

        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory(prefix="assay-model-") as scratch:
            for name, content in self.files.items():
                (Path(scratch) / name).write_bytes(content)
            detector, _ = load_detector(Path(scratch))
        cache = Path(tempfile.mkdtemp(prefix="assay-network-"))
        return fast_detector(
            detector, self.runtime, model_id=self.model_id, cache=cache, cores=1
        ), self.verify


@contextmanager
def on_ray(
    make: Make,
    data: Path,
    work: Path,
    settings: ClipSettings,
    *,
    model_id: str,
    address: str | None = None,
    workers: int | None = None,
    frames: ReadFrames | None = None,
) -> Iterator[Engine]:
    """Connect to a cluster, yield an engine for `mine_clips`, and disconnect.

    Args:
        make: called once in each worker process: the detector and the verifier. It travels pickled.
        data: the project's data folder, read here.
        work: folder of finished clips, written here.
        settings: what decides a clip's result.
        model_id: of the detector's weights.
        address: of a running cluster (`auto`, `ray://host:10001`, `host:6379`); None = one on this machine, for this run.
        workers: of a cluster on this machine; None = one per core.
        frames: reads a clip; `assay.data.clips.frames` if not given.

    Raises:
        UserError: Ray is not installed, or no cluster answers at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError(
            "mine.engine=ray: Ray is not installed; `uv pip install -e '.[ray]'`, or leave mine.engine out"
        ) from None
    if address is not None:
        answers(address, said=f"mine.cluster={address}")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            cores = workers or len(os.sched_getaffinity(0))
            ray.init(num_cpus=cores, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"mine.cluster={address}: no Ray cluster answers there ({reason})") from error
    try:
        yield _engine(ray, make, data, work, settings, model_id=model_id, frames=frames)
    finally:
        ray.shutdown()


def answers(address: str, *, said: str) -> None:
    """Raise UserError, beginning with `said`, where nobody listens at a cluster's address.

    Ray tries for minutes, and says so in a hundred lines; a closed port is seen at once.
    """
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdigit():  # "auto", or a name that Ray knows
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UserError(f"{said}: no Ray cluster answers there ({error.strerror or error})") from None


def _engine(
    ray: Any,
    make: Make,
    data: Path,
    work: Path,
    settings: ClipSettings,
    *,
    model_id: str,
    frames: ReadFrames | None,
) -> Engine:
    task = ray.remote(_mine).options(num_cpus=1, num_gpus=int("cuda" in settings.runtime))
    shared = ray.put((make, settings, model_id, frames))  # once per machine, not once per clip
    slots = max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def run(jobs: Iterable[Job], looked_at: Callable[[], None]) -> Iterator[Outcome]:
        del looked_at  # frames are counted elsewhere; the bar moves by clips
        busy: dict[Any, Job] = {}
        stream = iter(jobs)
        waiting = True
        while waiting or busy:
            while waiting and len(busy) < slots + 1:  # one clip is on its way while the others are looked at
                job = next(stream, None)
                if job is None:
                    waiting = False
                    break
                try:
                    busy[task.remote(shared, job, (data / job.path).read_bytes())] = job
                except OSError as error:
                    bad = UnusableClip(f"cannot be read: {error.strerror}", lasting=False)
                    yield Outcome(job, 0, bad)
            if busy:
                (done,), _ = ray.wait(list(busy), num_returns=1)
                yield _outcome(busy.pop(done), ray.get(done), work)

    return run


def _mine(shared: tuple[Make, ClipSettings, str, ReadFrames | None], job: Job, content: bytes) -> Any:
    """In a worker: the finished folder's files and the number of frames, or why there are none and whether for good."""
    make, settings, model_id, frames = shared
    if model_id not in _made:
        _made.clear()
        _made[model_id] = make()
    detector, verify = _made[model_id]
    with tempfile.TemporaryDirectory(prefix="assay-clip-") as scratch:
        path, out = Path(scratch) / Path(job.path).name, Path(scratch) / "out"
        path.write_bytes(content)
        try:
            looked = mine_clip(
                path,
                detector,
                out,
                settings,
                clip=job.clip,
                video=job.path,
                sha256=job.sha256,
                model_id=model_id,
                verify=verify,
                frames=frames,
            )
        except UnusableClip as bad:
            return bad.reason, bad.lasting
        return {file.name: file.read_bytes() for file in out.iterdir()}, looked


def _outcome(job: Job, answer: tuple[Any, Any], work: Path) -> Outcome:
    files, number = answer
    if isinstance(files, str):
        return Outcome(job, 0, UnusableClip(files, lasting=bool(number)))
    with fresh_folder(work / job.key) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return Outcome(job, int(number), None)
