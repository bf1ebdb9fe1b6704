"""The record of a run: a *bundle*, a folder of text and files that the stage writes while it works.

No stage writes MLflow. A bundle under build/ is a stage's output like any other: a tracking failure cannot
lose a training, a kill leaves no run in MLflow that claims to be running, DVC restores bundles from its
cache, and losing mlruns/ loses nothing. `assay registry sync` brings bundles into MLflow.

    run.json       identity, configuration, environment, status
    metrics.jsonl  one {name, value, step, time} a line, written as they come
    artifacts/     copies of files worth keeping with the run
    model.json     only where the run produced a model version to register
"""

import contextlib
import json
import logging
import math
import os
import shutil
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay import environment
from assay.errors import UserError
from assay.files import read_json, write_json

_log = logging.getLogger(__name__)


@contextmanager
def record(
    folder: Path,
    *,
    kind: str,
    project: str,
    name: str,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    parent: str | None = None,
    model_id: str | None = None,
    run_id: str | None = None,
) -> Iterator["Run"]:
    """Record the block as one run in the bundle `folder`, replacing the bundle that was there.

    `kind` is the stage ("prepare", "train", "sweep", "job", …), `name` what people will read in a table.
    `parent` is the id of the run this one belongs to (a job's sweep). `model_id` is the id of the training
    run whose model this run examines or exports: the registry shows such runs inside the model's own run. A
    stage that continues an earlier run (a sweep called again) passes that run's id as `run_id`; otherwise one
    is made.

    An exception ends the run as `failed`, with its traceback, and goes on to the caller. Once the block has
    begun, no failure to write the record (a full disk) stops it: the first is logged, the rest are silent.
    """
    _remove_bundle(folder)
    (folder / "artifacts").mkdir(parents=True)
    plain = _plain(config or {})
    run = Run(
        folder,
        {
            "id": run_id or uuid.uuid4().hex,
            "kind": kind,
            "project": project,
            "name": name,
            "model_id": model_id,
            "parent": parent,
            "tags": {key: str(value) for key, value in (tags or {}).items()},
            "params": _flatten(plain),
            "config": plain,
            "data": None,
            "environment": environment.describe(),
            "pid": os.getpid(),
            "started": _now(),
            "ended": None,
            "status": "running",
            "error": None,
            "traceback": None,
        },
    )
    write_json(folder / "run.json", run.state)  # before the work starts: here a full disk may still speak up
    if diff := environment.uncommitted_diff():
        run.text("uncommitted.diff", diff)
    try:
        yield run
    except BaseException as error:
        run._close("failed", error)
        raise
    run._close("finished")


class Run:
    """A run being recorded; made by `record`."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self.folder = folder
        self.state = state
        self._unwritten: list[str] = []
        self._warned = False

    @property
    def id(self) -> str:
        """The run's id: 32 hexadecimal digits."""
        return str(self.state["id"])

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """Add one point of a metric; it is on disk when the call returns. NaN and infinities are kept."""
        point = {"name": name, "value": _json_number(float(value)), "step": step, "time": time.time()}
        self._unwritten.append(json.dumps(point))
        with self._harmless(), (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
            # The newline in front closes the half line a full disk may have left; readers skip torn lines.
            stream.write(("\n" if self._warned else "") + "\n".join(self._unwritten) + "\n")
            stream.flush()
            self._unwritten.clear()

    def param(self, name: str, value: object) -> None:
        """Add one parameter that the configuration does not hold: what the stage found or decided."""
        self.state["params"][name] = _plain(value)
        self._save()

    def tag(self, name: str, value: object) -> None:
        """Add one tag: what runs are filtered and grouped by."""
        self.state["tags"][name] = str(value)
        self._save()

    def identify(self, run_id: str) -> None:
        """Take the id of what the run made: training the same weights again is the same run, not another."""
        self.state["id"] = run_id
        self._save()

    def rename(self, name: str) -> None:
        """Change what people will read in a table."""
        self.state["name"] = name
        self._save()

    def data(self, source: Mapping[str, Any]) -> None:
        """Name the data the run works on: the content of its SOURCE.yaml."""
        self.state["data"] = _plain(source)
        self._save()

    def artifact(self, path: Path, folder: str = "") -> None:
        """Copy a file, or a folder with all it holds, into the bundle's artifacts.

        Raises FileNotFoundError when `path` does not exist.
        """
        if not path.exists():
            raise FileNotFoundError(f"{path} cannot become an artifact: it does not exist")
        target = self.folder / "artifacts" / folder / path.name
        with self._harmless():
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(path, target)

    def text(self, name: str, text: str) -> None:
        """Write `text` as the artifact `name` (a path inside the artifacts)."""
        target = self.folder / "artifacts" / name
        with self._harmless():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")

    def model(self, name: str, files: Path, *, tags: Mapping[str, str], aliases: Sequence[str]) -> None:
        """Ask for the export folder `files` to be registered as a version of model `name` under `aliases`.

        The folder is named relative to the current one, the repository's root: a moved repository finds it.
        """
        inside = Path(os.path.relpath(files)).as_posix()
        wish = {"name": name, "files": inside, "tags": _plain(tags), "aliases": list(aliases)}
        with self._harmless():
            write_json(self.folder / "model.json", wish)

    def _close(self, status: str, error: BaseException | None = None) -> None:
        self.state |= {"status": status, "ended": _now()}
        self.state["environment"]["gpu"] = environment.gpu_name()  # torch is loaded by now, if ever
        if error is not None:
            here = f"{Path.cwd()}{os.sep}"  # a record names no absolute path
            self.state["error"] = f"{type(error).__name__}: {error}".replace(here, "")
            self.state["traceback"] = "".join(traceback.format_exception(error)).replace(here, "")
        self._save()

    def _save(self) -> None:
        with self._harmless():
            write_json(self.folder / "run.json", self.state)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Training goes on when its record cannot be written."""
        try:
            yield
        except OSError as error:
            if not self._warned:
                _log.warning("%s: the record is incomplete (%s); the work goes on", self.folder, error)
            self._warned = True


@dataclass(frozen=True)
class Point:
    """One value of a metric; `time` in seconds since 1970, `value` possibly NaN or infinite."""

    name: str
    value: float
    step: int | None
    time: float


@dataclass(frozen=True)
class Bundle:
    """A recorded run as it is on disk; the fields are those of run.json."""

    folder: Path
    id: str
    kind: str
    project: str
    name: str
    model_id: str | None
    parent: str | None
    tags: dict[str, str]
    params: dict[str, Any]
    config: dict[str, Any]
    data: dict[str, Any] | None
    environment: dict[str, Any]
    pid: int
    started: str
    ended: str | None
    status: str
    error: str | None
    traceback: str | None

    @property
    def alive(self) -> bool:
        """True while the run says it is running and a process with its number exists on this machine."""
        if self.status != "running":
            return False
        try:
            os.kill(self.pid, 0)  # signal 0 asks and does nothing
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    @property
    def artifacts(self) -> Path:
        """The folder of files kept with the run."""
        return self.folder / "artifacts"

    def points(self) -> list[Point]:
        """Every metric in the order it was recorded; a line torn by a kill or a full disk is left out."""
        path = self.folder / "metrics.jsonl"
        points = []
        for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else []:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                raw = json.loads(line)
                points.append(Point(raw["name"], float(raw["value"]), raw["step"], float(raw["time"])))
        return points

    def model(self) -> dict[str, Any] | None:
        """The model version the run asks for: {name, files, tags, aliases}; None when it asks for none."""
        path = self.folder / "model.json"
        return read_json(path) if path.exists() else None


def read_bundle(folder: Path) -> Bundle:
    """Read the bundle in `folder`.

    Raises UserError when there is none, or it is damaged.
    """
    try:
        return Bundle(folder=folder, **read_json(folder / "run.json"))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder / 'run.json'} is not a readable run record ({error}); run the stage that wrote it again"
        ) from error


def find_bundles(roots: Sequence[Path]) -> tuple[list[Bundle], list[str]]:
    """Find every bundle below `roots`, oldest first, each id once, and one line for every damaged bundle."""
    bundles: dict[str, Bundle] = {}
    problems = []
    for folder in sorted({folder for root in roots for folder in _bundle_folders(root)}):
        try:
            bundle = read_bundle(folder)
        except UserError as error:
            problems.append(str(error))
            continue
        known = bundles.get(bundle.id)
        # of two copies the one that ended later
        if known is None or (known.ended or "") < (bundle.ended or ""):
            bundles[bundle.id] = bundle
    return sorted(bundles.values(), key=lambda bundle: (bundle.started, bundle.id)), problems


def _bundle_folders(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        if "run.json" in files:
            below[:] = [name for name in below if name != "artifacts"]
            yield Path(folder)


def _remove_bundle(folder: Path) -> None:
    """Remove what a bundle consists of and nothing else the folder may hold."""
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    for name in ("run.json", "metrics.jsonl", "model.json"):
        (folder / name).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; `float` reads the strings back."""
    return value if math.isfinite(value) else str(value)


def _plain(value: object) -> Any:
    """The value as JSON gives it back: text keys; paths, enums and the like as text."""
    return json.loads(json.dumps(value, default=str))


def _flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"train": {"lr": 0.1}} -> {"train.lr": 0.1}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
