"""Tables of versions and of moves, for a terminal."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from assay.registry import store
from assay.registry.aliases import GUIDE
from assay.registry.catalog import Catalog, Version

# The first of these that a run measured is its main number: classifiers', then detectors' on what is published.
_MAIN = ("accuracy", "val/map50", "test/map50")
_KEYS = [
    *(f"{name}{end}" for name in _MAIN for end in ("", "/low", "/high")),
    *(f"{split}/false_positives/all" for split in ("val", "test")),
]
COLUMNS = ("model", "aliases", "tag", "data", "main metric (95 % interval)", "fp", "ms", "registered")


def rows_of(catalog: Catalog, model: str = "") -> list[dict[str, Any]]:
    """A row per version, newest first, with plain values. Raises UserError for a model that is not registered."""
    versions = catalog.versions
    if model:
        catalog.find(model)
        versions = [one for one in versions if one.name == model.partition("@")[0].partition("/")[0]]
    if catalog.local:
        numbers = store.model_numbers(catalog.mlruns, _KEYS)
    else:
        numbers = {one.run_id: catalog.numbers(one) for one in versions}
    return [_row(one, numbers.get(one.run_id, {})) for one in versions]


def _row(version: Version, numbers: Mapping[str, float]) -> dict[str, Any]:
    main = next((name for name in _MAIN if name in numbers), None)
    speeds = {
        key.split("/")[1]: value for key, value in numbers.items() if key.endswith("/latency_median_ms")
    }
    runtime = min(speeds, key=speeds.__getitem__) if speeds else None
    split = main.partition("/")[0] if main and "/" in main else None
    return {
        "name": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "tag": version.tags.get("variant"),
        "experiment": version.tags.get("experiment"),
        "source": version.tags.get("source"),
        "weights": version.tags.get("weights"),
        "profile": version.tags.get("profile"),
        "metric": main,
        "value": numbers.get(main) if main else None,
        "low": numbers.get(f"{main}/low"),
        "high": numbers.get(f"{main}/high"),
        "false_positives": numbers.get(f"{split}/false_positives/all") if split else None,
        "runtime": runtime,
        "latency_ms": speeds[runtime] if runtime else None,
        "created": version.created,
        "deleted": version.export is not None and not version.export.is_dir(),
    }


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as columns of text, and what each alias that is set is for."""
    from datetime import datetime

    if not rows:
        return "no model is registered; `dvc repro` exports one, `assay registry sync` registers it"
    cells = [COLUMNS]
    for row in rows:
        cells.append(
            (
                f"{row['name']} v{row['version']}" + (" (artifact deleted)" if row["deleted"] else ""),
                ", ".join(row["aliases"]) or "-",
                row["tag"] or "-",
                f"{row['source'] or '?'}, {row['profile'] or '?'}, weights: {row['weights'] or '?'}",
                _number(row),
                "-" if row["false_positives"] is None else f"{row['false_positives']:.2f}/image",
                "-" if row["latency_ms"] is None else f"{row['latency_ms']:.1f} {row['runtime']}",
                datetime.fromtimestamp(row["created"]).astimezone().strftime("%Y-%m-%d"),
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    guide = [
        f"{alias}: {GUIDE[alias]}: {', '.join(holders)}"
        for alias in GUIDE
        if (holders := [f"{row['name']} v{row['version']}" for row in rows if alias in row["aliases"]])
    ]
    return "\n".join([*lines, "", *guide]).rstrip()


def history_lines(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """A move a line, newest first."""
    lines = []
    for entry in reversed(entries):
        before = f"v{entry['from']['version']}" if entry["from"] else "nobody"
        moved = f"{entry['action']} {entry['alias']}: {before} -> v{entry['to']['version']} ({entry['to']['tag']})"
        evidence = entry["evidence"]
        proof = ""
        if "gain" in evidence:
            gain, metric = evidence["gain"], evidence["metric"]
            proof = f"; {metric} {gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f}), n = {evidence['n']}"
        lines.append(f"{entry['when']}  {entry['who']}  {moved}: {entry['why']}{proof}")
    return lines


def _number(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "not evaluated"
    said = f"{row['metric']} {row['value']:.3f}"
    if row["low"] is None or not (isfinite(row["low"]) and isfinite(row["high"])):
        return said
    return f"{said} ({row['low']:.3f} to {row['high']:.3f})"
