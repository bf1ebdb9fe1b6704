"""Where MLflow keeps its records: mlruns/, or the server that MLFLOW_TRACKING_URI names.

The local store is SQLite in mlruns/mlflow.db with artifacts in mlruns/artifacts. Every location in it is
relative to the repository's root, so the folder moves with the repository. What can be read from SQLite is
read without MLflow, whose import takes two seconds.
"""

import json
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

MLRUNS = Path("mlruns")

_EXPORT = "artifacts/export"  # of a version: where MLflow puts the artifact "export" of a pyfunc
_AFTERWARDS = "`assay registry sync`"  # what a person runs again once the store can be used
_BUSY_SECONDS = 30.0  # how long another program may hold the database before we give up
_SYNC_SECONDS = 600.0  # how long a second sync waits for the first


def connect(mlruns: Path = MLRUNS) -> str:
    """Point MLflow in this process at the store, quietly, and return its address.

    Call it before `mlflow.pyfunc.load_model("models:/<name>@<alias>")` with the repository's root as the
    current folder.
    """
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7: minutes before "no such server"
    import mlflow

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    said = os.environ.get("MLFLOW_TRACKING_URI")
    address = server() or _sqlite(database(mlruns))
    mlflow.set_tracking_uri(address)  # writes the variable too, which `server` would take for the user's
    if said is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = said
    mlflow.set_registry_uri(address)
    return address


def database(mlruns: Path) -> Path:
    """The SQLite file of the local store."""
    return mlruns / "mlflow.db"


def server() -> str | None:
    """The address in MLFLOW_TRACKING_URI, or None when that is unset or only spells out the local default."""
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    local = database(MLRUNS)
    return None if address in ("", _sqlite(local), f"sqlite:///{local.as_posix()}") else address


def ui_command(mlruns: Path = MLRUNS, port: int = 5000) -> list[str]:
    """The command that shows the local store at http://127.0.0.1:<port>; run it in the repository's root."""
    address = f"sqlite:///{database(mlruns).as_posix()}"
    where = ["--backend-store-uri", address, "--default-artifact-root", (mlruns / "artifacts").as_posix()]
    one = ["--workers", "1"]  # one person looks: MLflow's four would each import everything first
    return [sys.executable, "-m", "mlflow", "ui", *where, *one, "--host", "127.0.0.1", "--port", str(port)]


def model_versions(mlruns: Path = MLRUNS) -> list[dict[str, Any]]:
    """Registered model versions of the local store, newest first, read from SQLite in milliseconds.

    Each is {name, version, created (seconds since 1970), run_id, aliases, tags, export, files}: the last two are the
    folders of the exported model and of what its run keeps, whether they exist or not. Empty where there is no
    store. Raises UserError when the store cannot be read.
    """
    path = database(mlruns)
    versions = _read(
        path,
        "select v.name, v.version, v.creation_time, v.run_id, v.storage_location, r.artifact_uri"
        " from model_versions v left join runs r on r.run_uuid = v.run_id"
        " where v.current_stage is not 'Deleted_Internal' order by v.creation_time desc, v.version desc",
    )
    tags: dict[tuple[str, int], dict[str, str]] = {}
    for name, version, key, value in _read(path, "select name, version, key, value from model_version_tags"):
        tags.setdefault((name, version), {})[key] = value
    aliases: dict[tuple[str, int], list[str]] = {}
    query = "select name, version, alias from registered_model_aliases order by alias"
    for name, version, alias in _read(path, query):
        aliases.setdefault((name, version), []).append(alias)
    return [
        {
            "name": name,
            "version": version,
            "created": created / 1000,
            "run_id": run_id,
            "aliases": aliases.get((name, version), []),
            "tags": tags.get((name, version), {}),
            "export": mlruns.parent / (location or "") / _EXPORT,
            "files": mlruns.parent / (kept or ""),
        }
        for name, version, created, run_id, location, kept in versions
    ]


def run_numbers(mlruns: Path, run: str) -> dict[str, float]:
    """The last value of every metric of one run of the local store, by name."""
    query = "select key, value, is_nan from latest_metrics where run_uuid = ?"
    found = _read(database(mlruns), query, (run,))
    return {key: float("nan") if is_nan else value for key, value, is_nan in found}


def model_numbers(mlruns: Path, keys: Sequence[str]) -> dict[str, dict[str, float]]:
    """The last values of some metrics, and of the exports' latencies, by run that made a model and by name."""
    query = (
        "select run_uuid, key, value, is_nan from latest_metrics where run_uuid in (select run_id from model_versions)"
        " and (key like 'export/%/latency_median_ms' or key in (select value from json_each(?)))"
    )
    numbers: dict[str, dict[str, float]] = {}
    for run, key, value, is_nan in _read(database(mlruns), query, (json.dumps(keys),)):
        numbers.setdefault(run, {})[key] = float("nan") if is_nan else value
    return numbers


def aliased_export(name: str, alias: str, mlruns: Path = MLRUNS) -> tuple[int, Path] | None:
    """Version and export folder of the model that an alias of the local store points to, read from SQLite.

    None where there is no store, no such model or no such alias. Raises UserError when the store cannot be read.
    """
    query = (
        "select v.version, v.storage_location from model_versions v join registered_model_aliases a"
        " on a.name = v.name and a.version = v.version where a.name = ? and a.alias = ?"
    )
    found = _read(database(mlruns), query, (name, alias))
    if not found:
        return None
    version, location = found[0]
    return int(version), mlruns.parent / location / _EXPORT


@dataclass(frozen=True)
class Known:
    """What a store holds: the run made from each bundle, and the marks of bundles brought in whole."""

    runs: dict[str, str]
    synced: set[str]


def known_locally(mlruns: Path) -> Known:
    """What the local store holds; runs deleted in MLflow count, so that they stay deleted."""
    tags = _read(
        database(mlruns),
        "select key, value, run_uuid from tags where key in ('assay.bundle', 'assay.synced')",
    )
    return _known(tags)


def known_on_server(client: "MlflowClient") -> Known:
    """What a server holds, asked page by page."""
    from mlflow.entities import ViewType

    experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
    tags: list[tuple[str, str, str]] = []
    token = None
    while experiments:
        page = client.search_runs(
            experiments,
            "tags.`assay.bundle` != ''",
            run_view_type=ViewType.ALL,
            max_results=1000,
            page_token=token,
        )
        tags += [(key, value, run.info.run_id) for run in page for key, value in run.data.tags.items()]
        token = page.token
        if not token:
            break
    return _known(tags)


@contextmanager
def exclusive(mlruns: Path, seconds: float = _SYNC_SECONDS) -> Iterator[None]:
    """Let one process at a time change the local store: two that create MLflow's tables at once crash.

    Waits so many seconds for another one, then raises filelock.Timeout.
    """
    from filelock import FileLock

    mlruns.mkdir(parents=True, exist_ok=True)
    with FileLock(mlruns / ".lock", timeout=seconds):
        yield


def open_local(mlruns: Path) -> "MlflowClient":
    """A client of the local store, which is created where it is missing. Call it inside `exclusive`."""
    from mlflow import MlflowClient

    path = database(mlruns)
    if not path.exists():
        _create(path)
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("begin immediate")  # read-only, damaged and locked databases fail here, at once
        connection.rollback()
    return MlflowClient(_sqlite(path))


def experiment(client: "MlflowClient", project: str, mlruns: Path | None) -> str:
    """Id of the project's experiment, created where it is missing; `mlruns` is None on a server."""
    found = client.get_experiment_by_name(project)
    if mlruns is None:
        return str(found.experiment_id if found else client.create_experiment(project))
    where = (mlruns / "artifacts" / project).as_posix()
    if found is None:
        client.create_experiment(project, artifact_location=where)
        found = client.get_experiment_by_name(project)
    assert found is not None  # noqa: S101 - it was just created, and nobody else may delete it here
    if found.artifact_location != where:
        # MLflow stores the location absolute. Put back the relative one: those of runs, logged models and
        # versions are made from it.
        with closing(sqlite3.connect(database(mlruns), timeout=_BUSY_SECONDS)) as connection, connection:
            connection.execute(
                "update experiments set artifact_location = ? where name = ?", (where, project)
            )
    return str(found.experiment_id)


@contextmanager
def mistakes_named(mlruns: Path, afterwards: str = _AFTERWARDS) -> Iterator[None]:
    """Whatever makes the store unusable ends in one line; the runs themselves are safe in their bundles.

    afterwards: what to run again once that is mended.
    """
    from filelock import Timeout
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, Timeout, OSError, ImportError) as error:
        raise UserError(_advice(server() or str(mlruns), str(error), afterwards)) from error


def _advice(store: str, problem: str, afterwards: str = _AFTERWARDS) -> str:
    safe = "runs are safe in build/;"
    if "database schema" in problem:
        return (
            f"{store} was written by another version of MLflow; {safe} move {store} away and run"
            " `assay registry sync` to rebuild it, or, if that version was older, run"
            f" `mlflow db upgrade sqlite:///{store}/mlflow.db` first"
        )
    first = problem.splitlines()[0]
    if "No module named 'psycopg'" in first:  # SQLAlchemy's choice for postgresql:// since 2.1
        first += "; the driver in the lock is psycopg2: write postgresql+psycopg2://"
    return f"{store} cannot be used ({first}); {safe} mend that, then run {afterwards} again"


def _create(path: Path) -> None:
    """Create the database under another name first, so that a kill between tables leaves no half of it."""
    from mlflow import MlflowClient
    from sqlalchemy import Engine, event

    unfinished = path.with_name(".creating.db")
    for stale in path.parent.glob(f"{unfinished.name}*"):
        stale.unlink()
    opened = []

    def hurry(connection: sqlite3.Connection, _: object) -> None:
        # 70 migrations need not reach the disk one by one: 2 s instead of up to 20 on a busy disk
        connection.execute("pragma synchronous = off")
        opened.append(connection)

    event.listen(Engine, "connect", hurry)
    try:
        MlflowClient(_sqlite(unfinished)).search_experiments()
    finally:
        event.remove(Engine, "connect", hurry)
    for connection in opened:  # MLflow would keep them, and their idea of the file's name
        connection.close()
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.execute("pragma journal_mode = wal")  # kept in the file: commits three times as fast
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.rename(path)


def _known(tags: Sequence[tuple[str, str, str]]) -> Known:
    return Known(
        runs={value: run for key, value, run in tags if key == "assay.bundle"},
        synced={mark for key, value, _ in tags if key == "assay.synced" for mark in value.split()},
    )


def _read(path: Path, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        ) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise UserError(_advice(str(path.parent), str(error))) from error


def _sqlite(path: Path) -> str:
    """The address of a file, with its whole path: MLflow keeps one engine an address, whatever the folder."""
    return f"sqlite:///{path.resolve().as_posix()}"
