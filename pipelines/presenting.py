"""What people see of a sweep: the table, the page, the lines in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import ClassificationConfig
from pipelines.classification.scoring import not_comparable

if TYPE_CHECKING:
    import pandas as pd

    from assay.evaluation.sections import Section
    from pipelines.gathering import Job


def table_of_jobs(jobs: "Sequence[Job]") -> "pd.DataFrame":
    """One row per job: what it was, how it ended, its metrics, and whether the published number compares."""
    import pandas as pd

    return pd.DataFrame([_row(job) for job in jobs])


def _row(job: "Job") -> dict[str, Any]:
    status, cfg = job.status(), job.cfg
    row = {
        "job": job.name,
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "status": status["status"],
    }
    if status["status"] != "ok":
        unsaid = {
            "running": "killed before it ended; the same command runs it again",
            "waiting": "never started; see what the launcher printed above",
        }
        return row | {"status": "failed", "error": status.get("error") or unsaid[status["status"]]}
    return row | status["metrics"] | _published(cfg, status["metrics"])


def _published(cfg: ClassificationConfig, metrics: dict[str, Any]) -> dict[str, Any]:
    """The published accuracy, on original data only, and why it does not compare where it does not."""
    published = cfg.experiment.published.share("accuracy") if cfg.experiment.published else None
    if metrics["source"] != "original" or published is None:
        return {}
    reasons = not_comparable(cfg, metrics["source"], metrics["weights"])
    return {"published": published, "comparable": f"no: {', '.join(reasons)}" if reasons else "yes"}


def write_pages(
    folder: Path,
    sweep: str,
    *,
    table: "pd.DataFrame",
    pairs: Sequence[dict[str, Any]],
    data: Mapping[str, Any],
    cfg: ClassificationConfig,
    sections: "Sequence[Section]" = (),
) -> None:
    """Write forest.png and report.html, which opens by double click, into `folder`; `sections` come last."""
    import pandas as pd

    from assay.config.compose import read_sweep
    from assay.environment import describe
    from assay.evaluation.intervals import Interval
    from assay.evaluation.plots import ForestRow, plot_forest
    from assay.evaluation.report import page

    rows = [{key: value for key, value in row.items() if pd.notna(value)} for row in table.to_dict("records")]
    good = [row for row in rows if row["status"] == "ok"]
    for row in good:
        row["interval"] = {"value": row["accuracy"], "low": row["low"], "high": row["high"]}
        row["published_text"] = f"{100 * row['published']:.2f} %" if "published" in row else ""
    forest = [
        ForestRow(
            row["job"],
            Interval(**row["interval"]),
            row["published"] if row.get("comparable") == "yes" else None,
        )
        for row in good
    ]
    plot_forest(folder / "forest.png", forest, label="accuracy")
    cpu = describe()["cpu"]
    text = page("sweep.html.j2").render(
        title=read_sweep(sweep).title,
        name=sweep,
        profile=cfg.profile.name,
        data=data,
        hardware=f"{cpu['model']}, {cpu['cores']} cores",
        forest=folder / "forest.png",
        rows=rows,
        pairs=pairs,
        sections=sections,
    )
    (folder / "report.html").write_text(text, "utf-8")


def say(sweep: str, table: "pd.DataFrame", pairs: Sequence[dict[str, Any]]) -> None:
    """Print the sweep's table and the verdict on every pair."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=f"sweep {sweep}", title_justify="left")
    for column in ("job", "status", "weights", "accuracy (95 % interval)", "without leaks", "as published"):
        shown.add_column(column, overflow="fold")
    for row in table.to_dict("records"):
        if row["status"] == "ok":
            interval = f"{row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
            ending = f"COLLAPSED: {row['collapsed']}" if isinstance(row["collapsed"], str) else "ok"
            cells = [
                ending,
                row["weights"],
                interval,
                f"{row['without_leaks']:.4f}",
                f"{row['as_published']:.4f}",
            ]
            shown.add_row(row["job"], *cells)
        else:
            shown.add_row(row["job"], escape(f"failed: {row['error']}"), *[""] * 4)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(shown)
    for pair in pairs:
        p = f"p = {pair['p_holm']:.2g}, Holm"
        console.print(f"{pair['candidate']} against {pair['reference']}: {pair['verdict']} ({p})")
    console.print(f"build/sweeps/{sweep}/report.html")
