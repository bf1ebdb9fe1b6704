"""Measure what a person waits for: the whole graph, a graph with nothing to do, --help, a mistake, tests, a sweep.

    python -m benchmarks.graph --runs 5 [--only repro,noop,help,error,test,sweep]

Every command runs as a whole process in a fresh clone of the last commit, with the environment of this checkout; the
checkout itself is not touched, and uncommitted changes are not measured. Times are wall seconds. Memory is the peak of
the largest single process a command started: a stage of the graph is one process.

Writes results/benchmarks/graph-<cpu>-<n>core.csv; rows of commands that were not asked for stay as they are.
"""

import argparse
import csv
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

ROOT = Path(__file__).resolve().parents[1]
MEGABYTE = 1e6
MEMORY_LIMIT_MB = 6000.0
COLUMNS = (
    "name",
    "runs",
    "median_seconds",
    "min_seconds",
    "max_seconds",
    "limit_seconds",
    "peak_memory_mb",
    "limit_memory_mb",
    "all_seconds",
    "command",
    *MADE_ON,
)


@dataclass(frozen=True)
class Task:
    """A command and what it may cost."""

    name: str
    command: str
    limit_seconds: float
    status: int = 0  # the exit status and the words that show it did what it was run for
    says: str = ""
    ready: bool = (
        False  # True: measured in a clone whose graph is up to date; False: each time in a new clone
    )


TASKS = (
    Task("repro", "make repro", 900, says="MLflow: make ui"),
    Task("noop", "dvc repro", 3.5, says="Data and pipelines are up to date", ready=True),
    Task("help", "python -m pipelines.train --help", 1, says="usage:", ready=True),
    Task(
        "error",
        "python -m pipelines.train project=cherry train.epocs=3",
        1,
        status=2,
        says="did you mean 'epochs'?",
        ready=True,
    ),
    Task("test", "make test", 600, says=" passed", ready=True),
    Task("sweep", "make sweep EXP=convnextv2", 600, says="build/sweeps/convnextv2"),
)


@dataclass(frozen=True)
class Sample:
    """One run of a command."""

    seconds: float
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print and store it; returns 1 if a limit was exceeded."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.graph",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each command runs (default: 5)")
    parser.add_argument("--only", default="", help="some of " + ",".join(task.name for task in TASKS))
    chosen = parser.parse_args(arguments)
    try:
        tasks = select(chosen.only)
        if chosen.runs < 1:
            raise ValueError(f"--runs {chosen.runs}: expected 1 or more")
    except ValueError as error:
        parser.error(str(error))
    os.chdir(ROOT)
    if not Path(".venv/.made-from-lock").is_file():
        parser.error("no environment: run `make env` first")
    machine = describe()
    if machine["git"]["dirty"]:
        print("uncommitted changes are not measured: the clone holds the last commit", file=sys.stderr)
    rows = [row_of(task, measure_all(task, chosen.runs), machine) for task in tasks]
    target = table_path("graph", machine)
    store(target, rows)
    print(table(rows))
    print(target)
    return int(any(exceeded(row) for row in rows))


def select(only: str) -> list[Task]:
    """The tasks that `only` names, all for "". Raises ValueError for an unknown name."""
    names = [name for name in only.replace(" ", ",").split(",") if name]
    known = [task.name for task in TASKS]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"--only {unknown[0]}: expected some of {', '.join(known)}")
    return [task for task in TASKS if not names or task.name in names]


def measure_all(task: Task, runs: int) -> list[Sample]:
    """Run a task `runs` times, in one prepared clone or each time in a new one."""
    samples = []
    if task.ready:
        with clone() as folder:
            prepare(folder, task)
            samples = [measure(task, folder) for _ in range(runs)]
    else:
        for _ in range(runs):
            with clone() as folder:
                samples.append(measure(task, folder))
    return samples


@contextmanager
def clone() -> Iterator[Path]:
    """Yield a clone of the last commit, without data, build/, runs/, mlruns/ and DVC's cache, with this environment."""
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as parent:
        folder = Path(parent) / "assay"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / ".git/info/exclude").write_text(
            ".venv\n", "utf-8"
        )  # .gitignore's /.venv/ means a real folder
        for name in (
            "requirements.lock",
            "pyproject.toml",
        ):  # older than the environment: make must not remake it
            os.utime(folder / name, (0, 0))
        yield folder


def prepare(folder: Path, task: Task) -> None:
    """Bring the graph up to date where the task needs that, and compile what is imported: nothing of it is counted."""
    if task.name == "noop":
        params = folder / "params.yaml"  # the profile does not change what "nothing to do" costs
        params.write_text(re.sub(r"(?m)^profile: \w+", "profile: smoke", params.read_text("utf-8")), "utf-8")
        measure(Task("smoke", "make repro", 0), folder)
    elif task.name in ("help", "error"):
        measure(task, folder)


def measure(task: Task, folder: Path) -> Sample:
    """Run a command once in `folder`. Raises SystemExit, with the end of its output, if it did something else.

    The kernel counts a process's peak with those of all children it waited for, so the sum over make, dvc and a
    stage is not what comes out, but the largest of them.
    """
    log = folder.parent / "log"
    with log.open("wb") as output:
        start = time.perf_counter()
        child = subprocess.Popen(
            ["bash", "-c", task.command],
            cwd=folder,
            env=environment(folder, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text("utf-8", "replace")
    if child.returncode != task.status or task.says not in said:
        end = "\n".join(said.splitlines()[-30:])
        raise SystemExit(
            f"{task.command}: ended with {child.returncode}, expected {task.status} and {task.says!r}\n{end}"
        )
    sample = Sample(seconds, peak_mb(usage))
    print(f"{task.name}: {sample.seconds:.2f} s, {sample.peak_mb:.0f} MB", file=sys.stderr, flush=True)
    return sample


def environment(folder: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """The variables a command runs with: the clone's own code, and neither bytecode nor caches of the outside."""
    inherited = {key: value for key, value in outer.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {
        "PATH": f"{folder / '.venv/bin'}{os.pathsep}{outer.get('PATH', os.defpath)}",
        "PYTHONPATH": str(folder / "src"),  # before the editable install, which points to the checkout
        "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc-site-cache"),
        "DVC_NO_ANALYTICS": "1",
    }


def peak_mb(usage: resource.struct_rusage) -> float:
    """Peak resident memory in MB; Linux counts KiB, macOS bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE


def row_of(task: Task, samples: Sequence[Sample], machine: Mapping[str, Any]) -> dict[str, str]:
    """One line of the table, every value as it is written."""
    seconds = [sample.seconds for sample in samples]
    return {
        "name": task.name,
        "runs": str(len(samples)),
        "median_seconds": f"{statistics.median(seconds):.2f}",
        "min_seconds": f"{min(seconds):.2f}",
        "max_seconds": f"{max(seconds):.2f}",
        "limit_seconds": f"{task.limit_seconds:g}",
        "peak_memory_mb": f"{max(sample.peak_mb for sample in samples):.0f}",
        "limit_memory_mb": f"{MEMORY_LIMIT_MB:g}",
        "all_seconds": " ".join(f"{second:.2f}" for second in seconds),
        "command": task.command,
        **made_on(machine, ("dvc", "mlflow", "torch")),
    }


def store(target: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows to the CSV whole or not at all; older rows of other names stay, in the order of TASKS."""
    known: dict[str, Mapping[str, str]] = {}
    if target.is_file():
        with target.open(encoding="utf-8", newline="") as stream:
            known = {row["name"]: row for row in csv.DictReader(stream)}
    known |= {row["name"]: row for row in rows}
    write_table(target, [known[task.name] for task in TASKS if task.name in known], COLUMNS)


def exceeded(row: Mapping[str, str]) -> bool:
    """Whether the median time or the peak of memory is above its limit."""
    slow = float(row["median_seconds"]) > float(row["limit_seconds"])
    return slow or float(row["peak_memory_mb"]) > float(row["limit_memory_mb"])


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows for a person."""
    lines = [f"{'':6} {'median s':>9} {'min':>8} {'max':>8} {'limit':>6} {'peak MB':>8}  command"]
    for row in rows:
        times = f"{row['median_seconds']:>9} {row['min_seconds']:>8} {row['max_seconds']:>8} {row['limit_seconds']:>6}"
        mark = "   ABOVE ITS LIMIT" if exceeded(row) else ""
        lines.append(f"{row['name']:6} {times} {row['peak_memory_mb']:>8}  {row['command']}{mark}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
