"""Measured numbers as tables that git keeps: results/<project>/<name>-<profile>-<source>.csv and .md."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.files import atomic_write, read_json


def publish_sweep(name: str, *, build: Path = Path("build"), results: Path = Path("results")) -> Path:
    """Write the sweep's table with what is needed to judge it; returns the Markdown file.

    Numbers, never pictures: images of original data do not belong into git.

    Raises:
        UserError: the sweep has not been run.
    """
    import pandas as pd

    from assay.evaluation.routing_report import read_sections
    from assay.evaluation.sections import to_markdown
    from assay.evaluation.sweep import rows_of, sections_of

    folder = build / "sweeps" / name
    if not (folder / "table.csv").is_file():
        raise UserError(f"{folder}/table.csv: no such file; run `make sweep EXP={name}` first")
    table = pd.read_csv(folder / "table.csv")
    run = read_json(folder / "run/run.json")
    source = run["data"]["source"] if run["data"] else "unknown"
    changes = [re.sub(r"[^A-Za-z0-9_]+", "-", change) for change in run["config"].get("set", [])]
    parts = [
        name,
        run["tags"]["profile"],
        *_short(changes),
        source.split()[0],
    ]  # a changed sweep is a table of its own
    stem = results / run["project"] / "-".join(parts)
    with atomic_write(stem.with_suffix(".csv")) as temporary:
        table.to_csv(temporary, index=False)
    jobs = [read_json(path) for path in sorted((folder / "jobs").glob("*/run/run.json"))]
    pairs, experiments = (
        read_json(folder / f"{compared}.json") for compared in ("comparison", "experiments")
    )
    text = [
        f"# Sweep {name}, {run['tags']['profile']} profile, {source} data",
        "",
        *_facts(name, run, jobs),
        "",
        *map(to_markdown, [*sections_of(rows_of(table), pairs, experiments), *read_sections(folder)]),
    ]
    _copy(sorted([*folder.glob("routing*.csv"), *folder.glob("proof.*")]), stem)
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join(text), "utf-8")
    return stem.with_suffix(".md")


def _short(changes: list[str]) -> list[str]:
    """Changes as a part of a file's name; many are named by a digest, the table lists them."""
    said = "-".join(changes)
    return changes if len(said) <= 60 else [f"changed-{hashlib.sha256(said.encode()).hexdigest()[:8]}"]


def publish_project(name: str, *, build: Path = Path("build"), results: Path = Path("results")) -> Path:
    """Write the evaluation of the project's chosen detector, by split and class; returns the Markdown file.

    Confusions are counts, what grouping makes of the boxes and pages that arrive otherwise are rates: no picture.

    Raises:
        UserError: the project is not evaluated, or is no detection project.
    """
    folder = build / name
    if not (folder / "evaluation/metrics.json").is_file():
        raise UserError(f"{folder}/evaluation: no metrics.json; run `dvc repro evaluate@{name}` first")
    summary = read_json(folder / "metrics.json")
    if "by_split" not in summary:
        raise UserError(f"{name}: tables of a single evaluation are for detectors; publish a sweep instead")
    run, comparison = (
        read_json(folder / "runs/evaluate/run.json"),
        read_json(folder / "evaluation/comparison.json"),
    )
    changes = _split_of(folder)
    parts = [summary["experiment"], summary["profile"], *changes.values(), summary["source"].split()[0]]
    stem = results / name / "-".join(parts)
    chosen = f"experiment={summary['experiment']} profile={summary['profile']}"
    chosen += "".join(f" {key}={value}" for key, value in changes.items())
    command = f"python -m pipelines.<stage> project={name} {chosen}"
    trained = {part: read_json(folder / part / "model.json") for part in ("model", "baseline")}
    text = [f"# {name}: {summary['experiment']}, {summary['profile']} profile, {summary['source']} data", ""]
    text += _about(run, [run], f"`{command}` for every stage, then `assay publish {name}`")
    text += [f"- {part}: {_trained(info)}" for part, info in trained.items()]
    text += ["", *_scored(folder / "evaluation", stem), ""]
    for split, found in comparison.items():
        part, difference = found["all"], found["all"]["map50_difference"]
        text.append(
            f"- {split}, against the baseline on the same images: mAP50 {100 * difference['value']:+.1f} points "
            f"({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}); {part['main']}: {part['verdict']}, "
            f"p = {part['p']:.2g}"
        )
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join([*text, ""]), "utf-8")
    _copy(sorted((folder / "evaluation").glob("proof.*")), stem)
    return stem.with_suffix(".md")


def publish_folds(name: str, *, build: Path = Path("build"), results: Path = Path("results")) -> Path:
    """Write what the models of all folds say of the images each was tested on, together; returns the Markdown file.

    Raises:
        UserError: the project has no folds.
    """
    from assay.evaluation.page_sections import folds_section
    from assay.evaluation.sections import to_markdown

    folder = build / name / "folds"
    if not (folder / "evaluation/folds.json").is_file():
        raise UserError(
            f"{folder}/evaluation: no folds.json; run `python -m pipelines.folds project={name}` first"
        )
    run, by_fold = read_json(folder / "run/run.json"), read_json(folder / "evaluation/folds.json")
    source, tags = run["data"]["source"], run["tags"]
    info = read_json(folder / "0/model/model.json")
    kept = [read_json(folder / f"{k}/model/model.json")["best_epoch"] for k in range(len(by_fold))]
    stem = results / name / "-".join([tags["experiment"], tags["profile"], "folds", source.split()[0]])
    command = (
        f"python -m pipelines.folds project={name} experiment={tags['experiment']} profile={tags['profile']} "
        f"model.image_size={info['image_size']}"
    )
    text = [f"# {name}: {tags['experiment']} by folds, {tags['profile']} profile, {source} data", ""]
    text += _about(run, [run], f"`{command}`, then `assay publish --folds {name}`")
    text += [f"- first fold: {_trained(info)}", f"- epochs kept, fold by fold: {', '.join(map(str, kept))}"]
    text += ["", *_scored(folder / "evaluation", stem), to_markdown(folds_section(by_fold))]
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join([*text, ""]), "utf-8")
    return stem.with_suffix(".md")


def _trained(info: dict[str, Any]) -> str:
    weights = info["weights"]
    return (
        f"{info['experiment']}, {info['architecture']} at {info['image_size']} px, seed {info['seed']}, "
        f"{info['images']['train']} images, {info['epochs_run']} epochs, kept {info['best_epoch']} "
        f"({info['select']} on the val images); weights: {weights['origin']}, {weights['detail']}"
    )


def _scored(evaluation: Path, stem: Path) -> list[str]:
    """Lines for every split and class, which are stored as <stem>.csv too, and what else was counted there."""
    import pandas as pd

    from assay.evaluation.page_sections import confusion_section
    from assay.evaluation.sections import to_markdown

    scores = read_json(evaluation / "metrics.json")
    order = sorted(scores, reverse=True)  # val, whose numbers are published, first
    table = pd.DataFrame([row for split in order for row in _by_class(split, scores[split]["all"])])
    with atomic_write(stem.with_suffix(".csv")) as temporary:
        table.to_csv(temporary, index=False)
    sections = [confusion_section(scores[split]["all"], split=split) for split in order]
    sections += _page_sections(evaluation, scores)
    return [
        _markdown(_with_intervals(table)),
        "",
        "AP by COCO's protocol; intervals: percentile bootstrap that draws whole groups (flight, document, clip).",
        "Precision, recall and false positives per image are those at the confidences of the configuration.",
        "",
        *map(to_markdown, sections),
    ]


def _page_sections(evaluation: Path, scores: dict[str, Any]) -> list[Any]:
    """What an evaluation of pages also asked: grouping, pages that arrive otherwise, pages without marks."""
    from assay.data.page_conditions import CONDITIONS
    from assay.evaluation.page_sections import grouping_section, robustness_section
    from assay.evaluation.unmarked import unmarked_section

    found = {
        path.stem: read_json(path)
        for name in ("grouping", "robustness", "unmarked")
        if (path := evaluation / f"{name}.json").is_file()
    }
    sections = []
    if "grouping" in found:
        sections.append(grouping_section(found["grouping"]))
    if "robustness" in found:
        seen = {name: (CONDITIONS[name].words, part) for name, part in found["robustness"].items()}
        sections.append(robustness_section(next(iter(scores.values()))["all"], seen))
    if "unmarked" in found:
        sections.append(unmarked_section(found["unmarked"]))
    return sections


def _split_of(folder: Path) -> dict[str, str]:
    """The split the images were prepared by, where it is another than the published one: key -> value."""
    path = folder / "runs/prepare/run.json"
    how = read_json(path)["config"]["prepare"].get("regroup") if path.is_file() else None
    if how is None or how["split"] == "published":
        return {}
    fold = {"prepare.regroup.fold": str(how["fold"])} if how["split"] == "kfold" else {}
    return {"prepare.regroup.split": how["split"], **fold}


def _copy(files: Sequence[Path], stem: Path) -> None:
    """Copy tables that a run wrote to <stem>-<name>."""
    for path in files:
        with atomic_write(stem.with_name(f"{stem.name}-{path.name}")) as temporary:
            temporary.write_bytes(path.read_bytes())


def publish_mining(folder: Path, *, results: Path = Path("results")) -> Path:
    """Write what mining clips found, clip by clip; returns the Markdown file. No picture, no frame.

    Raises:
        UserError: no clips were mined there.
    """
    import pandas as pd

    mined = folder / "candidates"
    if not (mined / "statistics.json").is_file():
        raise UserError(
            f"{mined}: no statistics.json; only clips are published, run `dvc repro mine@workzone` first"
        )
    run, by = read_json(folder / "runs/mine/run.json"), read_json(mined / "mined_by.json")
    candidates, found = pd.read_csv(mined / "candidates.csv"), read_json(mined / "statistics.json")
    rows = []
    for path in sorted(mined.glob("*/timeline.csv")):
        frames, clip = pd.read_csv(path), path.parent.name
        rows.append(
            {
                "clip": clip,
                "frames": len(frames),
                "with_channelization": int((frames["count_channelization"] > 0).sum()),
                "gate_passed": int(frames["p1_multi_cue_pass"].sum()),
                "highest_score": float(frames["fused_score_ema"].max()),
                "inside": int((frames["state"] == "INSIDE").sum()),
                "candidates": int((candidates["group"] == clip).sum()),
            }
        )
    table = pd.DataFrame(rows)
    stem = (
        results
        / run["project"]
        / f"mining-{by['experiment']}-{by['profile']}-{run['data']['source'].split()[0]}"
    )
    with atomic_write(stem.with_suffix(".csv")) as temporary:
        table.to_csv(temporary, index=False)
    text = [f"# {run['project']}: clips mined by {by['experiment']}, {run['data']['source']} data", ""]
    text += _about(run, [run], "`python -m pipelines.mine …`, then `assay publish`")
    text += [f"- miner: {by['experiment']} ({by['profile']} profile), weights: {by['weights']['detail']}"]
    text += [
        f"- {found['frames']} frames of {found['clips']} clips looked at, {found['candidates']} candidates,"
    ]
    text += [f"  {found['quarantined']} clips set aside", "", _markdown(table), ""]
    verifiers = ", ".join(sorted(candidates["verifier"].astype(str).unique())) or "none"
    text += [f"Scores are the frame's own, smoothed; second opinion: {verifiers}.", ""]
    if (judged := mined / "timeline_metrics.md").is_file():
        text += [judged.read_text("utf-8"), ""]
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join(text), "utf-8")
    return stem.with_suffix(".md")


def _with_intervals(table: Any) -> Any:
    """The table for reading: 0.668 (0.617 to 0.748) in one cell."""
    shown = table.drop(columns=[name for name in table if name.endswith(("_low", "_high"))])
    for name in (name for name in shown if f"{name}_low" in table):
        ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[name] = [
            "" if isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in ends
        ]
    return shown


def _by_class(split: str, part: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for all classes, one for each that has an object."""

    def row(label: str, objects: int, found: dict[str, dict[str, float]]) -> dict[str, Any]:
        numbers: dict[str, float] = {}
        for name, interval in found.items():
            numbers |= {
                name: interval["value"],
                f"{name}_low": interval["low"],
                f"{name}_high": interval["high"],
            }
        return {
            "split": split,
            "class": label,
            "images": part["n"],
            "groups": part["groups"],
            "objects": objects,
        } | numbers

    rates = ("precision", "recall", "false_positives")
    everything = {"map50": part["map50"], "map50_95": part["map50_95"]}
    everything |= {name: part[name]["all" if name == "false_positives" else "micro"] for name in rates}
    rows = [row("all", sum(part["objects"].values()), everything)]
    for label, objects in part["objects"].items():
        if objects:
            own = {"map50": part["ap50"][label], "map50_95": part["ap50_95"][label]}
            rows.append(row(label, objects, own | {name: part[name][label] for name in rates}))
    return rows


def _facts(name: str, run: dict[str, Any], jobs: list[dict[str, Any]]) -> list[str]:
    seeds = ",".join(sorted({job["tags"]["seed"] for job in jobs}))
    command = f"make sweep EXP={shlex.quote(name)} PROFILE={run['tags']['profile']} SEEDS={seeds}"
    if changes := run["config"].get("set"):
        command += f' SET="{" ".join(changes)}"'
    return _about(run, jobs, f"`{command}`, then `assay sweep publish {name}`")


def _about(run: dict[str, Any], jobs: list[dict[str, Any]], command: str) -> list[str]:
    """What the jobs themselves ran on, not the machine that gathered them."""
    machine = (jobs or [run])[0]["environment"]
    cpu, packages, git = machine["cpu"], machine["packages"], machine["git"] or {}
    named = ("torch", "timm", "ultralytics")
    versions = ", ".join(f"{key} {packages[key]}" for key in named if key in packages)
    return [
        f"- command: {command}",
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
