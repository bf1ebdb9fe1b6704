"""How long `assay models list` takes with many runs in the store.

    python -m benchmarks.registry [--runs 500] [--metrics 120] [--rounds 5]

Fills a SQLite store of its own: every run with its metrics, a model version with its tags, and its numbers in the names
that stages give them, spread over three registered models. The first run of each model goes through MLflow's client; the
rest are copies of its rows, for MLflow needs a fifth of a second for each. Then measures `assay models list`
as a whole process, imports and all; the first round only warms the disk's cache. Also measured: the same through
`MlflowClient`, the obvious way, in a process of its own, in three rounds at most: it asks for every run by itself.

Writes results/benchmarks/registry-<cpu>-<n>core.csv; the status is 1 above the limit.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

LIMIT_SECONDS = 2.0
_OBVIOUS_ROUNDS = 3
MODELS = ("cherry-classifier", "workzone-detector", "documents-detector")
COLUMNS = (
    "way",
    "runs",
    "metrics",
    "rounds",
    "median_seconds",
    "min_seconds",
    "max_seconds",
    "limit_seconds",
    *MADE_ON,
)
OBVIOUS = """
import os; os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlruns/mlflow.db")
versions = client.search_model_versions(max_results=10_000)
for one in versions:
    metrics = client.get_run(one.run_id).data.metrics
    print(one.name, one.version, one.tags["variant"], metrics["accuracy"])
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 above the limit."""
    parser = argparse.ArgumentParser("python -m benchmarks.registry", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--metrics", type=int, default=120, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    if min(chosen.runs, chosen.rounds) < 1:
        parser.error("--runs and --rounds: expected 1 or more")
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), runs=chosen.runs, metrics=chosen.metrics)
        ways = {
            "assay models list": (chosen.rounds, ["-m", "assay.cli", "models", "list"]),
            "MlflowClient": (min(chosen.rounds, _OBVIOUS_ROUNDS), ["-c", OBVIOUS]),
        }
        seconds = {
            name: measure([sys.executable, *command], Path(folder), rounds=rounds, lines=chosen.runs)
            for name, (rounds, command) in ways.items()
        }
    rows = [
        {
            "way": name,
            "runs": str(chosen.runs),
            "metrics": str(chosen.metrics),
            "rounds": str(len(times)),
            "median_seconds": f"{statistics.median(times):.2f}",
            "min_seconds": f"{min(times):.2f}",
            "max_seconds": f"{max(times):.2f}",
            "limit_seconds": f"{LIMIT_SECONDS:g}" if name.startswith("assay") else "",
            **made_on(machine, ("mlflow",)),
        }
        for name, times in seconds.items()
    ]
    for row in rows:
        print(f"{row['way']:18} {row['median_seconds']} s ({row['min_seconds']} to {row['max_seconds']})")
    target = table_path("registry", machine)
    write_table(target, rows, COLUMNS)
    print(target)
    return int(statistics.median(seconds["assay models list"]) > LIMIT_SECONDS)


def fill(folder: Path, *, runs: int, metrics: int) -> None:
    """Make `folder`/mlruns with so many runs, each of a model version."""
    from mlflow.entities import Metric, Param

    from assay.registry import store

    mlruns = folder / "mlruns"
    store.connect(mlruns)
    with store.exclusive(mlruns):
        client = store.open_local(mlruns)
    experiment = store.experiment(client, "cherry", mlruns)
    names = ["accuracy", "accuracy/low", "accuracy/high", "export/onnx/latency_median_ms"]
    names += [f"without_leaks/recall/{k}" for k in range(max(metrics - len(names), 0))]
    for number, model in enumerate(MODELS[:runs]):
        client.create_registered_model(model)
        run = client.create_run(experiment, run_name=f"run {number}").info.run_id
        points = [Metric(name, 0.9, 0, 0) for name in names]
        client.log_batch(run, metrics=points, params=[Param("train.lr", "0.1")])
        client.set_terminated(run)
        tags = {
            "variant": _variant(number),
            "source": "sample",
            "profile": "demo",
            "weights": "random",
        }
        version = client.create_model_version(model, (mlruns / "artifacts").as_posix(), run, tags=tags)
    client.set_registered_model_alias(version.name, "candidate", version.version)
    _multiply(store.database(mlruns), runs)


def _multiply(database: Path, runs: int) -> None:
    """Copy the rows of the first version of every model, and of its run, under new ids until there are so many runs."""
    with closing(sqlite3.connect(database)) as connection, connection:
        query = "select run_id from model_versions where name = ?"
        first = [connection.execute(query, (model,)).fetchone()[0] for model in MODELS[:runs]]
        for number in range(len(first), runs):
            like = number % len(first)
            texts = {
                first[like]: uuid.uuid4().hex,
                f"run {like}": f"run {number}",
                _variant(like): _variant(number),
            }
            for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
                _copy(connection, table, ("run_uuid", first[like]), texts)
            version = 1 + number // len(first)
            for table in ("model_versions", "model_version_tags"):
                _copy(connection, table, ("name", MODELS[like]), texts, version=version)


def _variant(number: int) -> str:
    return f"resnet18_{number}_64"


def _copy(
    connection: sqlite3.Connection,
    table: str,
    which: tuple[str, str],
    texts: Mapping[str, str],
    version: int | None = None,
) -> None:
    """Add a table's rows once more, with other texts, and as `version` those of version 1; which: a column, its value."""
    replaced = "{}"
    for _ in texts:
        replaced = f"replace({replaced}, ?, ?)"
    pairs = [text for pair in texts.items() for text in pair]
    chosen: list[str] = []
    values: list[str | int] = []
    for _, column, *_ in connection.execute(f"pragma table_info({table})").fetchall():
        if column == "version" and version:
            chosen.append("?")
            values.append(version)
        else:
            chosen.append(f"iif(typeof({column}) = 'text', {replaced.format(column)}, {column})")
            values += pairs
    only = " and version = 1" if version else ""
    query = f"insert into {table} select {', '.join(chosen)} from {table} where {which[0]} = ?{only}"  # noqa: S608
    connection.execute(query, (*values, which[1]))


def measure(command: Sequence[str], folder: Path, *, rounds: int, lines: int) -> list[float]:
    """Seconds of each round of a command in `folder`, which must print so many lines or more."""
    source = Path(__file__).resolve().parents[1] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        seconds.append(time.perf_counter() - start)
        if done.returncode or len(done.stdout.splitlines()) < lines:
            raise SystemExit(f"{' '.join(command[:4])} ended with {done.returncode}: {done.stderr[-500:]}")
    return seconds[1:]


if __name__ == "__main__":
    sys.exit(main())
