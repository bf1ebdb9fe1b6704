"""What people see of a sweep: the table, the page, the lines in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.tasks import part_of

if TYPE_CHECKING:
    import pandas as pd

    from assay.evaluation.sections import Section
    from pipelines.gathering import Job


def table_of_jobs(jobs: "Sequence[Job]", requested: Sequence[str] = ()) -> "pd.DataFrame":
    """One row per job: what it was, how it ended, its metrics, and whether the published number compares.

    requested: what the sweep was asked to change of every job.
    """
    import pandas as pd

    return pd.DataFrame([_row(job, requested) for job in jobs])


def variant(job: "Job") -> str:
    """What the seeds of one training share: the experiment and what the sweep changed of it."""
    return job.name.rpartition(" seed ")[0]


def _row(job: "Job", requested: Sequence[str]) -> dict[str, Any]:
    from assay.config.compose import same_as

    status, cfg = job.status(), job.cfg
    row = {
        "job": job.name,
        "task": cfg.task,
        "experiment": cfg.experiment.id,
        "variant": variant(job),
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "status": status["status"],
    }
    if status["status"] != "ok":
        unsaid = {
            "running": "killed before it ended; the same command runs it again",
            "waiting": "never started; see what the launcher printed above",
        }
        ended = "refused" if status["status"] == "refused" else "failed"
        return row | {"status": ended, "error": status.get("error") or unsaid[status["status"]]}
    twin = {"same_as": same} if (same := same_as(cfg, requested=requested)) else {}
    row |= twin | status["metrics"]
    own = variant(job).removeprefix(cfg.experiment.id)
    for change in requested:
        own = own.replace(f" {change}", "", 1)
    # a variant is not what was published
    return row | ({"changed": own.strip()} if own else _published(cfg, status["metrics"]))


def _published(cfg: Any, metrics: dict[str, Any]) -> dict[str, Any]:
    """The published main metric, on original data only, and why it does not compare where it does not."""
    published = part_of(cfg.task, "gathering").published(cfg)
    if metrics["source"] != "original" or published is None:
        return {}
    weights = metrics.get("weights_root", metrics["weights"])
    reasons = part_of(cfg.task, "scoring").not_comparable(cfg, metrics["source"], weights)
    return {"published": published, "comparable": f"no: {', '.join(reasons)}" if reasons else "yes"}


def write_pages(
    folder: Path,
    sweep: str,
    *,
    table: "pd.DataFrame",
    pairs: Sequence[dict[str, Any]],
    experiments: Sequence[dict[str, Any]],
    data: Mapping[str, Any],
    cfg: Any,
    sections: "Sequence[Section]" = (),
) -> None:
    """Write forest.png and report.html, which opens by double click, into `folder`; `sections` come last."""
    from assay.config.compose import read_sweep
    from assay.environment import describe
    from assay.evaluation.plots import plot_forest
    from assay.evaluation.report import page
    from assay.evaluation.sweep import forest_of, rows_of, sections_of

    rows = rows_of(table)
    label, forest = forest_of(rows)
    plot_forest(folder / "forest.png", forest, label=label)
    cpu = describe()["cpu"]
    text = page("sweep.html.j2").render(
        title=read_sweep(sweep).title,
        name=sweep,
        profile=cfg.profile.name,
        data=data,
        hardware=f"{cpu['model']}, {cpu['cores']} cores",
        label=label,
        forest=folder / "forest.png",
        sections=[*sections_of(rows, pairs, experiments), *sections],
    )
    (folder / "report.html").write_text(text, "utf-8")


def say(
    sweep: str,
    table: "pd.DataFrame",
    pairs: Sequence[dict[str, Any]],
    experiments: Sequence[dict[str, Any]],
) -> None:
    """Print the sweep's tables and the verdict on every pair."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from assay.evaluation.sweep import names_of, rows_of, sections_of

    rows = rows_of(table)
    names = names_of(rows)
    console = Console(width=None if Console().is_terminal else 170)
    for section in sections_of(rows, [], []):
        shown = Table(title=f"sweep {sweep}: {section.title}", title_justify="left")
        for column in section.header:
            shown.add_column(column, overflow="fold")
        for cells in section.rows:
            shown.add_row(*map(escape, cells))
        console.print(shown)
    for pair in experiments:
        where = f" ({pair['split']})" if "split" in pair else ""
        p = f"p = {pair['p_holm']:.2g}, Holm"
        console.print(
            f"{names[pair['first']]} against {names[pair['second']]}, over seeds{where}: {pair['verdict']} ({p})"
        )
    for pair in pairs:
        where = f" ({pair['split']})" if "split" in pair else ""
        p = f"p = {pair['p_holm']:.2g}, Holm"
        console.print(
            f"{names[pair['candidate']]} against {names[pair['reference']]}{where}: {pair['verdict']} ({p})"
        )
    console.print(f"build/sweeps/{sweep}/report.html")
