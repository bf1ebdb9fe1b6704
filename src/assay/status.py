"""The one table a person wants after `make repro`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.files import read_json


def print_table(projects: Sequence[str], *, mlruns: Path, build: Path = Path("build")) -> None:
    """Print one row per project: experiment, data, main metric with interval, model version, where to look."""
    from rich.console import Console
    from rich.table import Table

    from assay.registry import model_versions

    newest: dict[str, Any] = {}
    for version in model_versions(mlruns):
        if "candidate" in version["aliases"]:
            newest[version["tags"].get("project", "")] = version
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
        table.add_row(project, *_row(build / project / "metrics.json", newest.get(project), build / project))
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    console.print("MLflow: make ui, then http://127.0.0.1:5000")


def _row(path: Path, version: dict[str, Any] | None, folder: Path) -> list[str]:
    if not path.is_file():
        return ["-", "-", "did not finish", "-", "-", "the output above"]
    result = read_json(path)
    main = result["main"]
    number = f"{main['name']} {main['value']:.3f} ({main['low']:.3f} to {main['high']:.3f}), n = {main['n']}"
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
