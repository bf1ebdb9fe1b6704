"""The benchmark's own arithmetic and tables; what it measures is not measured here."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import graph
from benchmarks.graph import TASKS, Sample, Task

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {
    "git": {"revision": "0123456789abcdef0123", "dirty": False},
    "python": "3.11.7",
    "packages": {"dvc": "3.67.1", "torch": "2.9.0"},
    "cpu": {"model": "Intel(R) Xeon(R) CPU @ 2.50GHz", "cores": 2},
    "memory_gb": 8.0,
}


def a_row(name: str, *seconds: float, peak: float = 100.0) -> dict[str, str]:
    task = next(task for task in TASKS if task.name == name)
    return graph.row_of(task, [Sample(second, peak) for second in seconds], MACHINE)


def test_only_selects_by_name_in_the_order_of_the_tasks() -> None:
    assert [task.name for task in graph.select("help,noop")] == ["noop", "help"]
    assert graph.select("") == list(TASKS)
    with pytest.raises(ValueError, match="repo: expected some of repro"):
        graph.select("repo")


def test_a_row_holds_the_median_the_extremes_and_what_it_was_measured_on() -> None:
    row = a_row("noop", 2.0, 1.0, 9.0, peak=73.4)
    assert tuple(row) == graph.COLUMNS
    assert (row["runs"], row["median_seconds"], row["min_seconds"], row["max_seconds"]) == (
        "3",
        "2.00",
        "1.00",
        "9.00",
    )
    assert row["all_seconds"] == "2.00 1.00 9.00"
    assert row["peak_memory_mb"] == "73"
    assert row["git_revision"] == "0123456789ab"
    assert row["hardware"] == "Intel(R) Xeon(R) CPU @ 2.50GHz, 2 cores, 8.0 GB"
    assert row["versions"] == "python 3.11.7 dvc 3.67.1 torch 2.9.0"  # mlflow is not there


@pytest.mark.parametrize(
    ("row", "above"),
    [
        (a_row("help", 0.5, 0.9, 1.5), False),  # the median counts
        (a_row("help", 0.5, 1.2, 1.5), True),
        (a_row("repro", 100.0, peak=6001), True),  # fast, but too large
        (a_row("repro", 100.0, peak=5999), False),
    ],
)
def test_a_limit_holds_for_the_median_and_for_the_peak(row: dict[str, str], above: bool) -> None:
    assert graph.exceeded(row) is above
    assert ("ABOVE ITS LIMIT" in graph.table([row])) is above


def test_storing_some_rows_keeps_the_others(tmp_path: Path) -> None:
    target = tmp_path / "results/graph.csv"
    graph.store(target, [a_row("error", 0.7), a_row("noop", 2.0)])
    graph.store(target, [a_row("help", 0.4), a_row("noop", 1.0)])
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["median_seconds"]) for row in rows] == [
        ("noop", "1.00"),
        ("help", "0.40"),
        ("error", "0.70"),
    ]
    assert list(target.parent.iterdir()) == [target]


def test_a_command_runs_the_clones_code_with_the_environments_programs(tmp_path: Path) -> None:
    given = graph.environment(tmp_path, {"PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/home/x"})
    assert given["PATH"] == f"{tmp_path}/.venv/bin:/bin"
    assert given["PYTHONPATH"] == f"{tmp_path}/src"
    assert given["HOME"] == "/home/x"
    assert "PYTHONDONTWRITEBYTECODE" not in given


def test_the_peak_is_that_of_the_largest_process_below_the_command(tmp_path: Path) -> None:
    # in a process of its own: a child counts the memory of the process it was forked from, and pytest's is large
    (tmp_path / "clone").mkdir()
    code = (
        "import sys; from pathlib import Path; from benchmarks import graph\n"
        "grandchild = f'{sys.executable} -c \"x = bytes(range(256)) * 400_000\"'  # 102 MB, written to\n"
        "for command in (f\"bash -c '{grandchild}; true'; true\", 'true'):\n"
        "    print(graph.measure(graph.Task('x', command, 1), Path(sys.argv[1])).peak_mb)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "clone")]
    large, small = map(float, subprocess.check_output(command, text=True, cwd=ROOT).split())
    assert 102 < large < 400
    assert small < large - 50


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (Task("fails", "echo oh no; exit 3", 1), "ended with 3, expected 0"),
        (Task("does nothing", "true", 1, says="up to date"), "expected 0 and 'up to date'"),
    ],
)
def test_a_command_that_did_something_else_is_not_measured(tmp_path: Path, task: Task, why: str) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    with pytest.raises(SystemExit, match=why):
        graph.measure(task, folder)
