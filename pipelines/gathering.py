"""A sweep's jobs on disk: laid out before the multirun, watched while it runs, gathered into one table after it.

runs/sweeps/<sweep>/<digest>/   config.yaml  request.json  status.json  run/  model/  evaluation/     one job
build/sweeps/<sweep>/           table.csv  report.html  comparison.json  experiments.json  run/  jobs/<name>/   DVC output
"""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from assay.config import load_resolved
from assay.errors import UserError
from assay.files import fresh_folder, read_json, sha256_file, write_json

if TYPE_CHECKING:
    from assay.evaluation.predictions import Predictions
    from assay.evaluation.sections import Section

# What a finished training, and a finished scoring, are good for: the same configuration, data and code.
TRAINING = (
    "src/assay/data",
    "src/assay/models",
    "src/assay/training",
    "pipelines/classification/fitting.py",
    "requirements.lock",
)
SCORING = (
    "src/assay/evaluation",
    "pipelines/classification/scoring.py",
    "pipelines/classification/picturing.py",
    "pipelines/heading.py",
)


@dataclass(frozen=True)
class Job:
    """One training and evaluation of a sweep."""

    folder: Path
    name: str
    cfg: Any

    def status(self) -> dict[str, Any]:
        """What status.json says of the work that is asked for; {"status": "waiting"} before it is started."""
        path, request = self.folder / "status.json", read_json(self.folder / "request.json")
        known = read_json(path) if path.is_file() else {}
        current = all(known.get(part) == request[part] for part in ("training", "scoring"))
        return known if current else {"status": "waiting"}


def lay_out(sweep: str, resolved: Sequence[dict[str, Any]]) -> list[Job]:
    """Write every job's folder; a job keeps its folder as long as what it trains stays the same."""
    jobs, parent = [], parent_id(sweep, resolved)
    for entry in resolved:
        what = {key: entry["config"][key] for key in ("seed", "data", "build", "model", "train")}
        what["experiment"] = entry["config"]["experiment"]["id"]
        what["profile"] = {key: entry["config"]["profile"][key] for key in ("name", "weights")}
        digest = hashlib.sha256(yaml.safe_dump(what, sort_keys=True).encode()).hexdigest()[:16]
        folder = Path("runs/sweeps") / sweep / digest
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(entry["config"], sort_keys=False, allow_unicode=True)
        (folder / "config.yaml").write_text(text, "utf-8")
        cfg = load_resolved(folder / "config.yaml")
        changed = [change for change in entry["overrides"] if change.partition("=")[0] not in _NAMED]
        name = " ".join([cfg.experiment.id, *changed, f"seed {cfg.seed}"])
        training, scoring = inputs(cfg)
        request = {"name": name, "parent": parent, "sweep": sweep, "training": training, "scoring": scoring}
        write_json(folder / "request.json", request)
        job = Job(folder, name, cfg)
        if job.status()["status"] != "ok":
            (folder / "status.json").unlink(
                missing_ok=True
            )  # an earlier call's failure is no news of this one
        jobs.append(job)
    return jobs


_NAMED = ("project", "experiment", "profile", "seed")


def parent_id(sweep: str, resolved: Sequence[dict[str, Any]]) -> str:
    """The sweep's own run id: the same request gives the same run, however often it is called."""
    text = yaml.safe_dump([sweep, list(resolved)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def inputs(cfg: Any) -> tuple[str, str]:
    """Two digests: of what training reads besides its configuration, and of what scoring reads on top of that."""
    data = [Path(cfg.build) / "dataset/manifest.parquet"]
    if cfg.train.hard_examples.use:
        data.append(Path(cfg.build) / "hard_examples/examples.csv")
    text = yaml.safe_dump(cfg.evaluate.model_dump(mode="json"))
    training = _digest([*data, *_files(TRAINING)], "")
    return training, _digest(_files(SCORING), training + text)


def _files(places: Sequence[str]) -> list[Path]:
    found = [
        sorted(path for path in Path(place).rglob("*") if path.suffix in (".py", ".j2"))
        if Path(place).is_dir()
        else [Path(place)]
        for place in places
    ]
    return [path for some in found for path in some]


def _digest(files: Sequence[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file; `dvc repro` writes it")
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
    from assay.evaluation.comparison import compare_all
    from assay.evaluation.seeds import compare_experiments
    from assay.tracking import record
    from pipelines.configure import sweep_request
    from pipelines.presenting import say, table_of_jobs, variant, write_pages

    table = table_of_jobs(jobs)
    good = [job for job in jobs if job.status()["status"] == "ok"]
    first = jobs[0].cfg
    tags = {"stage": "sweep", "sweep": sweep, "profile": first.profile.name}
    with (
        fresh_folder(Path("build/sweeps") / sweep) as folder,
        record(
            folder / "run",
            kind="sweep",
            project=first.project.name,
            name=f"sweep {sweep} · {first.profile.name}",
            config={"jobs": [job.name for job in jobs], "set": sweep_request(sweep)["requested"]},
            tags=tags,
            run_id=read_json(jobs[0].folder / "request.json")["parent"],
        ) as run,
    ):
        table.to_csv(folder / "table.csv", index=False)
        pairs: list[dict[str, Any]] = []
        experiments: list[dict[str, Any]] = []
        if good:
            stored = predictions_of(good)
            run.data(stored.data)
            how = {"draws": first.evaluate.bootstrap_draws, "seed": first.seed}
            names, classes = [job.name for job in good], first.project.classes
            same_seed = [
                (one.name, other.name)
                for one, other in combinations(good, 2)
                if one.cfg.seed == other.cfg.seed
            ]
            pairs = compare_all(stored, names, classes, pairs=same_seed, **how)
            trainings: dict[str, list[str]] = {}
            for job in good:
                trainings.setdefault(variant(job), []).append(job.name)
            if len(trainings) < len(good):
                experiments = compare_experiments(stored, trainings, classes, **how)
            write_pages(
                folder,
                sweep,
                table=table,
                pairs=pairs,
                experiments=experiments,
                data=stored.data,
                cfg=first,
                sections=route_jobs(folder, jobs, stored, sweep_request(sweep)["requested"]),
            )
            run.artifact(folder / "report.html")
        write_json(folder / "comparison.json", pairs)
        write_json(folder / "experiments.json", experiments)
        run.artifact(folder / "table.csv")
        run.metric("jobs", len(jobs))
        run.metric("jobs_failed", len(jobs) - len(good))
        for job in jobs:
            keep(job, folder / "jobs" / job.name.replace(" ", "_").replace("=", "-"))
    say(sweep, table, pairs, experiments)
    return int(len(good) < len(jobs))


def route_jobs(
    folder: Path, jobs: Sequence[Job], stored: "Predictions", requested: Sequence[str]
) -> "list[Section]":
    """Set the jobs' ways to a "maybe" side by side; the report's sections, none where no job asks for them.

    requested: what SET changed in every job, which its name need not repeat here.
    """
    from assay.evaluation.predictions import Predictions
    from assay.evaluation.routing_report import route_all

    first = jobs[0].cfg
    short = {job.name: job.name for job in jobs}
    for change in requested:
        short = {name: shown.replace(f" {change} ", " ") for name, shown in short.items()}
    renamed = Predictions(
        stored.table.assign(model=stored.table["model"].replace(short)),
        stored.classes,
        {short.get(name, name): facts for name, facts in stored.models.items()},
        stored.data,
    )
    roles: dict[str, str] = {}
    absent: dict[str, str] = {}
    for job in jobs:
        role = {"misses": "two_stage", "reviewed": "direct", "none": "routing"}[job.cfg.train.maybe]
        if role == "routing" and job.cfg.evaluate.routing is None:
            continue
        if job.status()["status"] == "ok":
            roles.setdefault(role, short[job.name])
        else:
            absent[role] = (
                f"{short[job.name]} {job.status()['status']}: {job.status().get('error', 'it did not end')}"
            )
    asked = [job.cfg.evaluate.routing.recall for job in jobs if job.cfg.evaluate.routing]
    return route_all(
        folder,
        renamed,
        first.project.classes,
        evaluated={short[job.name]: job.folder / "evaluation" for job in jobs if job.name in stored.models},
        roles=roles,
        absent=absent,
        recall=max(asked, default=1.0),
        draws=first.evaluate.bootstrap_draws,
        seed=first.seed,
    )


def predictions_of(jobs: Sequence[Job]) -> "Predictions":
    """What the jobs predicted, as one table; a class that a model does not know has probability 0."""
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.evaluation.predictions import Predictions, read_predictions

    manifest = read_manifest(Path(jobs[0].cfg.build) / "dataset")
    images = manifest.loc[manifest["split"] == "val", "image"].tolist()
    paths = [job.folder / "evaluation/predictions.parquet" for job in jobs]
    stored = [read_predictions(path, images=images) for path in paths]
    classes = max((one.classes for one in stored), key=len)
    tables = pd.concat([one.table for one in stored])
    probabilities = [f"p_{name}" for name in classes]
    tables[probabilities] = tables[probabilities].fillna(0.0)
    about = {name: facts for one in stored for name, facts in one.models.items()}
    return Predictions(tables, classes, about, stored[0].data)


def keep(job: Job, target: Path) -> None:
    """Copy what is versioned of a job: its record, its predictions and pictures, its status; no weights."""
    for part in ("evaluation", "run"):
        if (job.folder / part).is_dir():
            shutil.copytree(job.folder / part, target / part)
    if (job.folder / "status.json").is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.folder / "status.json", target / "status.json")
