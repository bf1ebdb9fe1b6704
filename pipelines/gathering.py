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
from typing import Any

import yaml

from assay.config import load_resolved
from assay.errors import UserError
from assay.files import fresh_folder, read_json, sha256_file, write_json
from pipelines.tasks import part_of

# What a finished training, and a finished scoring, are good for: the same configuration, data and code. Each task adds
# its own files (pipelines/<task>/gathering.py).
TRAINING = ("src/assay/data", "src/assay/models", "src/assay/training", "requirements.lock")
SCORING = ("src/assay/evaluation", "pipelines/heading.py")


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
        what = {key: entry["config"][key] for key in _TRAINED if key in entry["config"]}
        what["experiment"] = entry["config"]["experiment"]["id"]
        what["profile"] = {key: entry["config"]["profile"][key] for key in ("name", "weights")}
        digest = hashlib.sha256(yaml.safe_dump(what, sort_keys=True).encode()).hexdigest()[:16]
        folder = Path("runs/sweeps") / sweep / digest
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(entry["config"], sort_keys=False, allow_unicode=True)
        (folder / "config.yaml").write_text(text, "utf-8")
        cfg = load_resolved(folder / "config.yaml")
        changed = [change for change in entry["overrides"] if change.partition("=")[0] not in _NAMED]
        jobs.append(Job(folder, " ".join([cfg.experiment.id, *changed, f"seed {cfg.seed}"]), cfg))
    digests: dict[str, tuple[str, str]] = {}
    for job in jobs:
        training, scoring = _inputs_of(job, jobs, digests)
        after = earlier(job, jobs)
        request = {
            "name": job.name,
            "parent": parent,
            "sweep": sweep,
            "training": training,
            "scoring": scoring,
            "after": str(after.folder) if after else None,
        }
        write_json(job.folder / "request.json", request)
        if job.status()["status"] != "ok":  # an earlier call's failure or refusal is no news of this one
            (job.folder / "status.json").unlink(missing_ok=True)
    return jobs


def earlier(job: Job, jobs: Sequence[Job]) -> Job | None:
    """The job of the same sweep whose model this one goes on from, or learns from, with the same seed and changes.

    A sweep that varies only the later experiment has none with the same changes: then the unchanged one.
    """
    before = getattr(job.cfg.model, "fine_tune", None) or getattr(job.cfg.train, "teacher", None)
    found = [one for one in jobs if one.cfg.experiment.id == before and one.cfg.seed == job.cfg.seed]
    changes = job.name.removeprefix(job.cfg.experiment.id)
    same = [one for one in found if one.name.removeprefix(one.cfg.experiment.id) == changes]
    return next(iter([*same, *found]), None)


def _inputs_of(job: Job, jobs: Sequence[Job], known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """`inputs` of a job, and of the one it goes on from: another model there is another training here."""
    if job.name not in known:
        training, scoring = inputs(job.cfg)
        if (before := earlier(job, jobs)) is not None:
            theirs = _inputs_of(before, jobs, known)[0]
            training, scoring = (
                _digest([], f"{before.folder} {theirs} {own}") for own in (training, scoring)
            )
        known[job.name] = training, scoring
    return known[job.name]


_TRAINED = ("seed", "data", "build", "model", "train", "pretrain", "scoring")
_NAMED = ("project", "experiment", "profile", "seed")


def parent_id(sweep: str, resolved: Sequence[dict[str, Any]]) -> str:
    """The sweep's own run id: the same request gives the same run, however often it is called."""
    text = yaml.safe_dump([sweep, list(resolved)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def inputs(cfg: Any) -> tuple[str, str]:
    """Two digests: of what training reads besides its configuration, and of what scoring reads on top of that."""
    task = part_of(cfg.task, "gathering")
    weights = [f"{path.name} {path.stat().st_size}" for path in sorted(Path("weights").glob("*"))]
    text = yaml.safe_dump([list(cfg.project.classes), weights])
    training = _digest([*task.data_of(cfg), *_files((*TRAINING, *task.TRAINING))], text)
    text = yaml.safe_dump(cfg.evaluate.model_dump(mode="json"))
    return training, _digest(_files((*SCORING, *task.SCORING)), training + text)


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
                done = sum(other.status()["status"] in ("ok", "failed", "refused") for other in jobs)
                minutes = (time.monotonic() - start) / 60
                print(f"[{done}/{len(jobs)} done, {minutes:.1f} min] {job.name}: {state}", flush=True)
            said[job.name] = state
        if over:
            return
        time.sleep(0.5)


def gather(sweep: str, jobs: Sequence[Job]) -> int:
    """Write the table, the comparison of all pairs and the report; returns 1 if a job failed or none ended well.

    A refused job is in the table with its reason and costs the sweep nothing.
    """
    from assay.tracking import record
    from pipelines.configure import sweep_request
    from pipelines.presenting import say, table_of_jobs, write_pages

    requested = sweep_request(sweep)["requested"]
    table = table_of_jobs(jobs, requested)
    good = [job for job in jobs if job.status()["status"] == "ok"]
    first = (good or jobs)[0].cfg
    tags = {"stage": "sweep", "sweep": sweep, "profile": first.profile.name}
    with (
        fresh_folder(Path("build/sweeps") / sweep) as folder,
        record(
            folder / "run",
            kind="sweep",
            project=first.project.name,
            name=f"sweep {sweep} · {first.profile.name}",
            config={"jobs": [job.name for job in jobs], "set": requested},
            tags=tags,
            run_id=read_json(jobs[0].folder / "request.json")["parent"],
        ) as run,
    ):
        table.to_csv(folder / "table.csv", index=False)
        pairs: list[dict[str, Any]] = []
        experiments: list[dict[str, Any]] = []
        if good:
            task = part_of(first.task, "gathering")
            stored = task.predictions_of(good)
            run.data(stored.data)
            pairs, experiments = task.compare(stored, good, same_seed(good))
            write_pages(
                folder,
                sweep,
                table=table,
                pairs=pairs,
                experiments=experiments,
                data=stored.data,
                cfg=first,
                sections=task.sections(folder, jobs, stored, requested) if hasattr(task, "sections") else (),
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
    return int(not good or "failed" in set(table["status"]))


def same_seed(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Every pair of jobs that share a seed, by name, in the sweep's order: seeds of one experiment are no pair."""
    pairs = combinations(jobs, 2)
    return [(one.name, other.name) for one, other in pairs if one.cfg.seed == other.cfg.seed]


def trainings_of(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The jobs that repeat one training with another seed, by what the seeds share; {} where no training is repeated."""
    from pipelines.presenting import variant

    found: dict[str, list[str]] = {}
    for job in jobs:
        found.setdefault(variant(job), []).append(job.name)
    return found if len(found) < len(jobs) else {}


def keep(job: Job, target: Path) -> None:
    """Copy what is versioned of a job: its record, its predictions and pictures, its status; no weights."""
    for part in ("evaluation", "run"):
        if (job.folder / part).is_dir():
            shutil.copytree(job.folder / part, target / part)
    if (job.folder / "status.json").is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.folder / "status.json", target / "status.json")
