"""The one table a person wants after `make repro`."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from assay.files import read_json


def print_table(projects: Sequence[str], *, mlruns: Path, build: Path = Path("build")) -> None:
    """Print one row per project: experiment, data, main metric with interval, model version, where to look."""
    from rich.console import Console
    from rich.table import Table

    from assay.registry import model_versions

    versions = {version["tags"].get("model"): version for version in model_versions(mlruns)}
    table = Table(title="assay", title_justify="left")
    for column in (
        "project",
        "experiment",
        "data",
        "main metric (95 % interval)",
        "against the baseline",
        "model",
        "look at",
    ):
        table.add_column(column, overflow="fold")
    for project in projects:
        table.add_row(project, *_row(build / project, versions))
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    console.print("MLflow: make ui, then http://127.0.0.1:5000")


def _row(folder: Path, versions: dict[str | None, dict[str, Any]]) -> list[str]:
    if not folder.is_dir():
        return ["-", "-", "not run yet", "-", "-", "`make repro`"]
    if not (folder / "metrics.json").is_file():
        return ["-", "-", "did not finish", "-", "-", "the output above"]
    result = read_json(folder / "metrics.json")
    trained = folder / "model/model.json"
    if not trained.is_file() or read_json(trained)["id"] != result["model"]:
        return [
            result["experiment"],
            "-",
            "out of date: a later stage did not finish",
            "-",
            "-",
            "the output above",
        ]
    main, version = result["main"], versions.get(result["model"])
    ends = f"{main['low']:.3f} to {main['high']:.3f}" if isfinite(main["low"]) else "one group: no interval"
    number = f"{main['name']} {main['value']:.3f} ({ends}), n = {main['n']}; "
    number += f"without leaks {result['without_leaks']['value']:.3f}"
    if result.get("collapsed"):
        number = f"COLLAPSED: {result['collapsed']}; {number}"
    return [
        f"{result['experiment']} ({result['profile']})",
        f"{result['source']}, weights: {result['weights']}",
        number,
        result["against_baseline"],
        f"{version['name']} v{version['version']}" if version else "not registered",
        str(folder / "evaluation/report.html"),
    ]
