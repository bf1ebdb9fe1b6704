"""A sweep's jobs on disk: laid out before the multirun, watched while it runs, gathered into one table after it.

runs/sweeps/<sweep>/<digest>/   config.yaml  request.json  status.json  run/  model/  evaluation/     one job
build/sweeps/<sweep>/           table.csv  report.html  comparison.json  run/  jobs/<name>/           the DVC output
"""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from assay.config import load_resolved
from assay.errors import UserError
from assay.files import fresh_folder, read_json, sha256_file, write_json

if TYPE_CHECKING:
    import pandas as pd

CODE = ("src/assay/data", "src/assay/models", "src/assay/training", "src/assay/evaluation")


@dataclass(frozen=True)
class Job:
    """One training and evaluation of a sweep."""

    folder: Path
    name: str
    cfg: Any

    def status(self) -> dict[str, Any]:
        """What status.json says, {"status": "waiting"} before the first start."""
        path = self.folder / "status.json"
        return read_json(path) if path.is_file() else {"status": "waiting"}


def lay_out(sweep: str, resolved: Sequence[dict[str, Any]]) -> list[Job]:
    """Write every job's folder; a job keeps its folder as long as its configuration stays the same."""
    jobs, parent = [], parent_id(sweep, resolved)
    for entry in resolved:
        text = yaml.safe_dump(entry["config"], sort_keys=False, allow_unicode=True)
        folder = Path("runs/sweeps") / sweep / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(text, "utf-8")
        cfg = load_resolved(folder / "config.yaml")
        changed = [change for change in entry["overrides"] if change.partition("=")[0] not in _NAMED]
        name = " ".join([cfg.experiment.id, *changed, f"seed {cfg.seed}"])
        write_json(
            folder / "request.json",
            {"name": name, "parent": parent, "sweep": sweep, "inputs": _inputs(Path(cfg.build))},
        )
        jobs.append(Job(folder, name, cfg))
    return jobs


_NAMED = ("project", "experiment", "profile", "seed")


def parent_id(sweep: str, resolved: Sequence[dict[str, Any]]) -> str:
    """The sweep's own run id: the same request gives the same run, however often it is called."""
    text = yaml.safe_dump([sweep, list(resolved)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _inputs(build: Path) -> str:
    """Changes with the prepared data, the reviewed labels and the code: a finished job is good only for these."""
    files = [build / "dataset/manifest.parquet", build / "hard_examples/examples.csv"]
    files += sorted(path for folder in CODE for path in Path(folder).rglob("*.py"))
    files += [Path(__file__).with_name(name) for name in ("fitting.py", "scoring.py", "job.py")]
    digest = hashlib.sha256()
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file; `dvc repro prepare review` writes it")
        digest.update(f"{path.as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()[:16]


def watch(jobs: Sequence[Job], multirun: "subprocess.Popen[bytes]") -> None:
    """Print a line whenever a job starts or ends, until the multirun is over."""
    said: dict[str, str] = {}
    start = time.monotonic()
    while True:
        over = multirun.poll() is not None
        for job in jobs:
            state = job.status()["status"]
            if state != said.get(job.name, "waiting"):
                done = sum(other.status()["status"] in ("ok", "failed") for other in jobs)
                minutes = (time.monotonic() - start) / 60
                print(f"[{done}/{len(jobs)} done, {minutes:.1f} min] {job.name}: {state}", flush=True)
            said[job.name] = state
        if over:
            return
        time.sleep(0.5)


def gather(sweep: str, jobs: Sequence[Job]) -> int:
    """Write the table, the comparison of all pairs and the report; returns 1 if a job is missing, else 0."""
    import pandas as pd

    from assay.evaluation.comparison import compare_all
    from assay.evaluation.predictions import Predictions, read_predictions

    rows = [_row(job) for job in jobs]
    good = [job for job, row in zip(jobs, rows, strict=True) if row["status"] == "ok"]
    first = jobs[0].cfg
    with fresh_folder(Path("build/sweeps") / sweep) as folder:
        table = pd.DataFrame(rows)
        table.to_csv(folder / "table.csv", index=False)
        pairs: list[dict[str, Any]] = []
        if len(good) > 1:
            stored = [read_predictions(job.folder / "evaluation/predictions.parquet") for job in good]
            together = Predictions(
                pd.concat([one.table for one in stored]).fillna(0.0),
                max((one.classes for one in stored), key=len),
                {name: about for one in stored for name, about in one.models.items()},
                stored[0].data,
            )
            pairs = compare_all(together, [job.name for job in good], first.project.classes, seed=first.seed)
        write_json(folder / "comparison.json", pairs)
        for job in jobs:
            target = folder / "jobs" / job.name.replace(" ", "_").replace("=", "-")
            for part in ("evaluation", "run", "status.json"):
                source = job.folder / part
                if source.is_dir():
                    shutil.copytree(source, target / part)
                elif source.is_file():
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target / part)
    _say(sweep, table, pairs)
    return int(len(good) < len(jobs))


def _row(job: Job) -> dict[str, Any]:
    status = job.status()
    row: dict[str, Any] = {
        "job": job.name,
        "experiment": job.cfg.experiment.id,
        "profile": job.cfg.profile.name,
        "seed": job.cfg.seed,
        "status": status["status"],
    }
    if status["status"] == "ok":
        return row | status["metrics"]
    killed = "killed before it ended; the same command runs it again"
    return row | {"status": "failed", "error": status.get("error", killed)}


def _say(sweep: str, table: "pd.DataFrame", pairs: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=f"sweep {sweep}", title_justify="left")
    for column in ("job", "status", "weights", "accuracy (95 % interval)", "without leaks", "best epoch"):
        shown.add_column(column, overflow="fold")
    for row in table.to_dict("records"):
        if row["status"] == "ok":
            interval = f"{row['accuracy']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
            ending = "ok" if not isinstance(row["collapsed"], str) else f"COLLAPSED: {row['collapsed']}"
            shown.add_row(
                row["job"],
                ending,
                row["weights"],
                interval,
                f"{row['without_leaks']:.4f}",
                f"{row['best_epoch']:.0f}",
            )
        else:
            shown.add_row(row["job"], f"failed: {row['error']}", *[""] * 4)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(shown)
    for pair in pairs:
        console.print(
            f"{pair['candidate']} against {pair['reference']}: {pair['verdict']} (p = {pair['p_holm']:.2g}, Holm)"
        )
    console.print(f"build/sweeps/{sweep}/table.csv")
