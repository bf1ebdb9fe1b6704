"""The card of a registered model: what it is, how it was made, what it can do; document 000's page, measured."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.files import write_json
from assay.registry.aliases import GUIDE
from assay.registry.catalog import Catalog, Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

LICENCE = {
    "detection": "AGPL-3.0-or-later: the network is ultralytics'",
    "": "AGPL-3.0-or-later, as assay's code; pretrained weights keep their own",
}
_DESCRIPTION = 5000  # characters: MLflow's column is no longer
# What is shown of a part of metrics.json, with the label where a metric has several.
_SHOWN = {
    "accuracy": "",
    "balanced_accuracy": "",
    "map50": "",
    "map50_95": "",
    "precision": "micro macro",
    "recall": "micro macro",
    "f1": "micro macro",
    "roc_auc": "",
    "ece": "",
}


def make_card(catalog: Catalog, version: Version) -> dict[str, Any]:
    """Everything known of a version, from what its run keeps; a part that is not there is None or empty.

    Keys: name, version, tag, aliases, use_cases, architecture, variant, resolution, classes, parameters, size_mb,
    training, weights, data, hardware, seconds, trained, git, metrics (rows of part, name, value, low, high, n),
    false_positives (rows of part, name, value, low, high, unit), against_baseline, parity, speed, files, licence.

    Raises UserError when the store or a kept file cannot be read.
    """
    tags, numbers = version.tags, catalog.numbers(version)
    run = catalog.json(version, "run.json") or {}
    model = catalog.json(version, "model.json") or {}
    scores = catalog.json(version, "evaluate/metrics.json") or {}
    compared = _parts(catalog.json(version, "evaluate/comparison.json") or {})
    exported = catalog.json(version, "export/run.json") or {}
    config, parameters = run.get("config") or {}, model.get("parameters")
    data = {key: (run.get("data") or {}).get(key) for key in ("source", "content", "counts", "note")}
    return {
        "name": version.name,
        "version": version.version,
        "tag": tags.get("variant"),
        "aliases": list(version.aliases),
        "use_cases": [GUIDE[alias] for alias in version.aliases if alias in GUIDE],
        "project": tags.get("project"),
        "experiment": tags.get("experiment"),
        "profile": tags.get("profile"),
        "architecture": model.get("architecture"),
        "resolution": model.get("image_size"),
        "classes": model.get("classes"),
        "parameters": parameters.get("total") if isinstance(parameters, dict) else parameters,
        "size_mb": model.get("size_mb"),
        "training": {
            "seed": config.get("seed", tags.get("seed")),
            "epochs_run": model.get("epochs_run"),
            "best_epoch": _kept_epoch(model),
            "scaled": (config.get("profile") or {}).get("scaled") or {},
            "settings": config.get("train") or {},
        },
        "weights": model.get("weights") or {"origin": tags.get("weights")},
        "data": data,
        "hardware": _hardware(run),
        "trained": run.get("started"),
        "seconds": _seconds(run),
        "git": ((run.get("environment") or {}).get("git") or {}).get("revision"),
        "metrics": metric_rows(scores),
        "false_positives": [row for part in _parts(scores) for row in _false_positive_rows(*part)],
        "against_baseline": {name: _against(part) for name, part in compared},
        "parity": (catalog.json(version, "export/parity.json") or {}).get("runtimes") or {},
        "speed": {
            key.split("/")[1]: value
            for key, value in numbers.items()
            if key.startswith("export/") and key.endswith("/latency_median_ms")
        },
        "speed_on": _hardware(exported),
        "files": _sizes(version.export),
        "licence": LICENCE.get((catalog.json(version, "export/metadata.json") or {}).get("task", ""))
        or LICENCE[""],
    }


def _kept_epoch(model: Mapping[str, Any]) -> int | None:
    """The epoch of the weights that are exported: a classifier keeps two, and its clean choice is exported."""
    if "selections" in model:
        return int(model["selections"]["clean"]["epoch"])
    return model.get("best_epoch")


def _weights(told: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, map(told.get, ("origin", "detail")))) or "unknown"


def metric_rows(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an evaluation's metrics.json says, as rows of part, name, value, low, high (None without interval), n."""
    return [row for part in _parts(scores) for row in _metric_rows(*part)]


def markdown(card: Mapping[str, Any]) -> str:
    """The card as a page."""
    lines = [
        f"# {card['name']} v{card['version']}: {card['tag'] or 'unnamed'}",
        "",
        f"Aliases: {', '.join(card['aliases']) or 'none'}.",
        *(f"- {use}" for use in card["use_cases"]),
        "",
        "## Model",
        "",
        f"- Architecture: {_or(card['architecture'])} at {_or(card['resolution'])} px,"
        f" {_count(card['parameters'])} parameters, {_or(card['size_mb'])} MB",
        f"- Exported: {', '.join(f'{name} {size:.1f} MB' for name, size in card['files'].items()) or 'unknown'}",
        f"- Classes: {', '.join(card['classes'] or []) or 'unknown'}",
        f"- Weights before training: {_weights(card['weights'])}",
        f"- Licence: {card['licence']}",
        "",
        "## Training",
        "",
        f"- Experiment {_or(card['experiment'])}, profile {_or(card['profile'])}, seed {_or(card['training']['seed'])}",
        f"- {_or(card['training']['epochs_run'])} epochs in {_time(card['seconds'])} on {card['hardware']};"
        f" kept: epoch {_or(card['training']['best_epoch'])}",
        f"- Data: {_or(card['data']['source'])}, content {str(card['data']['content'] or 'unknown')[:16]}"
        + (f" ({card['data']['note']})" if card["data"]["note"] else ""),
        f"- Code: {str(card['git'] or 'unknown')[:12]}",
    ]
    if scaled := card["training"]["scaled"]:
        changes = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in scaled.items())
        lines.append(f"- Scaled by the profile, so not comparable with what is published: {changes}")
    lines += ["", "## Measured", ""]
    lines += _table(card["metrics"], ("part", "metric", "value", "95 % interval", "n"))
    lines += ["", "## False positives", ""]
    lines += _table(card["false_positives"], ("part", "of", "value", "95 % interval", "unit"))
    for part, verdict in card["against_baseline"].items():
        lines += ["", f"Against the baseline, {part}: {verdict}."]
    lines += ["", "## Speed and parity", ""]
    for runtime, found in card["parity"].items():
        speed = card["speed"].get(runtime)
        said = f"{speed:.2f} ms an image" if speed is not None else "speed not measured"
        kept = "within its budget" if found.get("within_budget") else "NOT within its budget"
        lines.append(f"- {runtime}: {said} on {card['speed_on']}; behaves like the model: {kept}")
    if not card["parity"]:
        lines.append("- no verified export")
    settings = ", ".join(f"{key} {value}" for key, value in card["training"]["settings"].items())
    lines += ["", "## Training configuration", "", settings or "unknown", ""]
    return "\n".join(lines)


def write_cards(client: "MlflowClient", run_id: str, mlruns: Path | None) -> None:
    """Store card.json and card.md with the run of a model, and its Markdown as the description of its versions.

    mlruns: the local store, None on a server. Called again it replaces what is there.
    """
    from tempfile import TemporaryDirectory

    catalog = Catalog(mlruns) if mlruns is not None else Catalog()
    for version in catalog.versions:
        if version.run_id != run_id:
            continue
        card = make_card(catalog, version)
        text = markdown(card)
        with TemporaryDirectory() as folder:
            write_json(Path(folder, f"v{version.version}.json"), card)
            Path(folder, f"v{version.version}.md").write_text(text, "utf-8")
            client.log_artifacts(run_id, folder, "card")
        if len(text) > _DESCRIPTION:
            more = f"\n\nThe rest is in the run's artifacts: card/v{version.version}.md."
            text = text[: _DESCRIPTION - len(more)].rpartition("\n")[0] + more
        client.update_model_version(version.name, str(version.version), text)


def _parts(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """metrics.json or comparison.json as (part, its content): classifiers have no splits, detectors have."""
    if isinstance(found.get("all"), dict):
        return [(name.replace("_", " "), found[name]) for name in ("all", "without_leaks") if name in found]
    return [
        (split if name == "all" else f"{split}, {name.replace('_', ' ')}", parts[name])
        for split, parts in found.items()
        if isinstance(parts, dict)
        for name in ("all", "without_leaks")
        if isinstance(parts.get(name), dict)
    ]


def _metric_rows(part: str, scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, labels in _SHOWN.items():
        for label in labels.split() or [""]:
            found = scores.get(name)
            found = found.get(label) if label and isinstance(found, dict) else found
            if (row := _row(found)) is not None:
                rows.append({"part": part, "name": f"{name} {label}".strip(), **row, "n": scores.get("n")})
    classes = scores.get("classes") or []
    for label in classes:
        if (row := _row((scores.get("recall") or {}).get(label))) is not None and not isnan(row["value"]):
            rows.append({"part": part, "name": f"recall of {label}", **row, "n": scores.get("n")})
    return rows


def _false_positive_rows(part: str, scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Boxes on nothing per image for detectors; for classifiers the images wrongly given a class, by class."""
    if (row := _row((scores.get("false_positives") or {}).get("all"))) is not None:
        total = {"value": float(scores["counts"]["false_positives"]), "low": None, "high": None}
        return [
            {"part": part, "name": "all classes", **row, "unit": "boxes an image"},
            {"part": part, "name": "all classes", **total, "unit": "boxes in all"},
        ]
    confusion, classes = scores.get("confusion"), scores.get("classes") or []
    if confusion is None or "accuracy" not in scores:
        return []
    wrong = {
        label: float(sum(row[k] for j, row in enumerate(confusion) if j != k))
        for k, label in enumerate(classes)
        if all(len(row) > k for row in confusion)
    }
    unit = "images called it that are not"
    return [
        {"part": part, "name": label, "value": value, "low": None, "high": None, "unit": unit}
        for label, value in wrong.items()
    ]


def _row(found: Any) -> dict[str, Any] | None:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return {"value": float(found), "low": None, "high": None}
    if isinstance(found, dict) and isinstance(found.get("value"), int | float):
        return {"value": float(found["value"]), "low": found.get("low"), "high": found.get("high")}
    return None


def _against(part: Mapping[str, Any]) -> str:
    main = part.get("main", "accuracy")
    difference = _row(part.get(f"{main}_difference"))
    said = str(part.get("verdict", "not compared"))
    if difference is not None:
        said += f", {main} {difference['value']:+.3f} ({_ends(difference)})"
    matched = part.get("matched_recall") or {}
    if matched.get("reached"):
        of, wrong = matched["false_positives"], _row(matched["false_positives_difference"]) or {}
        said += f"; false positives an image at equal recall {of['reference']:.3f} -> {of['candidate']:.3f}"
        said += f" ({matched['verdict']}, {wrong['value']:+.3f}, {_ends(wrong)})"
    return said


def _table(rows: Sequence[Mapping[str, Any]], head: Sequence[str]) -> list[str]:
    if not rows:
        return ["Not measured."]
    lines = ["| " + " | ".join(head) + " |", "|---|---|---|---|---|"]
    for row in rows:
        last = row.get("unit", row.get("n"))
        lines.append(f"| {row['part']} | {row['name']} | {row['value']:.4g} | {_ends(row)} | {_or(last)} |")
    return lines


def _ends(row: Mapping[str, Any]) -> str:
    low, high = row.get("low"), row.get("high")
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return "none"
    return f"{low:.3f} to {high:.3f}"


def _hardware(run: Mapping[str, Any]) -> str:
    where = run.get("environment") or {}
    cpu = where.get("cpu") or {}
    if not cpu:
        return "unknown hardware"
    return f"{cpu.get('model')}, {cpu.get('cores')} cores" + (f", {where['gpu']}" if where.get("gpu") else "")


def _seconds(run: Mapping[str, Any]) -> float | None:
    if not run.get("ended"):
        return None
    ends = [datetime.fromisoformat(str(run[key])).astimezone(UTC) for key in ("started", "ended")]
    return round((ends[1] - ends[0]).total_seconds(), 1)


def _sizes(export: Path | None) -> dict[str, float]:
    """Megabytes of every runtime's file in the export, by its path there."""
    from assay.export.runtimes import FILES, size_mb

    if export is None or not export.is_dir():
        return {}
    return {name: size_mb(export / name) for name in FILES.values() if (export / name).is_file()}


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"


def _count(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int) else "unknown"


def _or(value: Any) -> str:
    return "unknown" if value is None else str(value)
