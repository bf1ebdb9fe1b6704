"""A finished sweep as a table that git keeps: results/<project>/<sweep>-<profile>-<source>.csv and .md."""

import shlex
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.files import atomic_write, read_json

COLUMNS = (
    "job", "status", "weights", "n", "accuracy", "low", "high", "without_leaks", "f1_macro", "balanced_accuracy",
    "best_epoch", "last_epoch_accuracy", "collapsed", "published", "comparable", "error",
)  # fmt: skip


def publish_sweep(name: str, *, build: Path = Path("build"), results: Path = Path("results")) -> Path:
    """Write the sweep's table with what is needed to judge it; returns the Markdown file.

    Numbers, never pictures: images of original data do not belong into git.

    Raises:
        UserError: the sweep has not been run.
    """
    import pandas as pd

    folder = build / "sweeps" / name
    if not (folder / "table.csv").is_file():
        raise UserError(f"{folder}/table.csv: no such file; run `make sweep EXP={name}` first")
    table = pd.read_csv(folder / "table.csv")
    run = read_json(folder / "run/run.json")
    pairs = pd.DataFrame(read_json(folder / "comparison.json"))
    source = run["data"]["source"] if run["data"] else "unknown"
    stem = results / run["project"] / f"{name}-{run['tags']['profile']}-{source.split()[0]}"
    with atomic_write(stem.with_suffix(".csv")) as temporary:
        table.to_csv(temporary, index=False)
    shown = table[[column for column in COLUMNS if column in table and table[column].notna().any()]]
    jobs = [read_json(path) for path in sorted((folder / "jobs").glob("*/run/run.json"))]
    text = [
        f"# Sweep {name}, {run['tags']['profile']} profile, {source} data",
        "",
        *_facts(name, run, jobs),
        "",
    ]
    text += [
        _markdown(shown),
        "",
        "Accuracy with its Wilson 95 % interval (`low`, `high`); `without_leaks` leaves out",
    ]
    text += [
        "validation images that are pixel-identical to a training image. The best epoch is chosen on the images"
    ]
    text += ["reported, as published; `last_epoch_accuracy` is free of that choice.", ""]
    if len(pairs):
        chosen = pairs[["candidate", "reference", "accuracy_difference", "p_holm", "verdict"]].copy()
        chosen["accuracy_difference"] = [
            f"{100 * d['value']:+.2f} points ({100 * d['low']:+.2f} to {100 * d['high']:+.2f})"
            for d in chosen["accuracy_difference"]
        ]
        text += ["## Every pair, on the same images", "", _markdown(chosen), ""]
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join(text), "utf-8")
    return stem.with_suffix(".md")


def _facts(name: str, run: dict[str, Any], jobs: list[dict[str, Any]]) -> list[str]:
    """What the jobs themselves ran on, not the machine that gathered them."""
    machine = (jobs or [run])[0]["environment"]
    cpu, packages, git = machine["cpu"], machine["packages"], machine["git"] or {}
    seeds = ",".join(sorted({job["tags"]["seed"] for job in jobs}))
    command = f"make sweep EXP={shlex.quote(name)} PROFILE={run['tags']['profile']} SEEDS={seeds}"
    versions = ", ".join(f"{key} {packages[key]}" for key in ("torch", "timm") if key in packages)
    return [
        f"- command: `{command}`, then `assay sweep publish {name}`",
        f"- data: {run['data']['source']}, content `{run['data']['content'][:16]}`"
        if run["data"]
        else "- data: unknown",
        f"- hardware: {cpu['model']}, {cpu['cores']} cores, AMX {'yes' if cpu['amx'] else 'no'},"
        f" GPU {machine['gpu'] or 'none'}",
        f"- software: Python {machine['python']}, {versions}; git {str(git.get('revision'))[:12]}"
        f"{' with uncommitted changes' if git.get('dirty') else ''}",
        f"- gathered: {run['started'][:16]} UTC",
    ]


def _markdown(table: Any) -> str:
    head = "| " + " | ".join(table.columns) + " |"
    rule = "|" + " --- |" * len(table.columns)
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join([head, rule, *rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"  # noqa: PLR0124 - NaN is the one number unequal to itself
    return str(value).replace("|", "/").replace("\n", " ")
