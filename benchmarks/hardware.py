"""What every benchmark's table says of the machine it was made on, and how the table is called after it."""

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.files import atomic_write

MADE_ON = ("date", "git_revision", "hardware", "versions")  # the last columns of every table


def table_path(name: str, machine: Mapping[str, Any]) -> Path:
    """results/benchmarks/<name>-<cpu>-<n>core.csv; machine: of `assay.environment.describe`."""
    cpu = machine["cpu"]
    return Path("results/benchmarks") / f"{name}-{slug(cpu['model'])}-{cpu['cores']}core.csv"


def made_on(machine: Mapping[str, Any], packages: Sequence[str]) -> dict[str, str]:
    """The columns `MADE_ON`; packages: whose versions matter to the numbers."""
    cpu = machine["cpu"]
    versions = {"python": machine["python"], **{name: machine["packages"].get(name) for name in packages}}
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "git_revision": (machine["git"]["revision"] or "unknown")[:12],
        "hardware": f"{cpu['model']}, {cpu['cores']} cores, {machine['memory_gb']} GB",
        "versions": " ".join(f"{name} {version}" for name, version in versions.items() if version),
    }


def memory_mb(process: int) -> tuple[int, int]:
    """Resident memory of a process, and of all its children together, MB of 10^6 bytes."""
    import psutil

    own = psutil.Process(process)
    children = sum(one.memory_info().rss for one in own.children(recursive=True))
    return round(own.memory_info().rss / 1e6), round(children / 1e6)


def write_table(target: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows to the CSV whole or not at all; keys that are no column are left out."""
    with atomic_write(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)


def merge_table(
    target: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], key: Sequence[str]
) -> None:
    """Write rows to the CSV; older rows that differ from all of them in a column of `key` stay."""
    known: dict[tuple[str, ...], Mapping[str, Any]] = {}
    older: list[Mapping[str, Any]] = []
    if target.is_file():
        with target.open(encoding="utf-8", newline="") as stream:
            older = list(csv.DictReader(stream))
    for row in (*older, *rows):
        known[tuple(str(row[name]) for name in key)] = row
    write_table(target, [*known.values()], columns)


def slug(words: str) -> str:
    """Words as a part of a file name: "Intel(R) Xeon(R) CPU @ 2.50GHz" -> "intel-xeon-cpu-2-50ghz"."""
    plain = re.sub(r"\((r|tm)\)", "", words.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unknown"
