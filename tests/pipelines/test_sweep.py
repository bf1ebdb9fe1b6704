"""A real sweep of two jobs: one is killed, which costs only itself; the same command again runs only that one."""

import csv
import json
import os
import signal

import pytest

pytestmark = pytest.mark.slow

SWEEP = ("dvc", "repro", "sweeps/dvc.yaml:sweep@convnextv2")


def rows(repository):
    with (repository.root / "build/sweeps/convnextv2/table.csv").open(newline="") as stream:
        return {row["experiment"]: row for row in csv.DictReader(stream)}


def stamp(path):
    return path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()


def test_a_killed_job_costs_only_itself_and_is_all_that_runs_again(repository):
    repository.run("assay", "sweep", "request", "convnextv2")
    jobs = repository.root / "runs/sweeps/convnextv2"

    def victim():
        """Process number of the second job, once it has begun to work."""
        for request in jobs.glob("*/request.json"):
            record = request.with_name("run") / "run.json"
            if "EXP-002B" in request.read_text() and record.is_file():
                return json.loads(record.read_text())["pid"]
        return None

    with repository.started(*SWEEP, ASSAY_JOBS="2") as (process, log):
        repository.wait(victim, process, log)
        os.kill(victim(), signal.SIGKILL)
        process.wait()
    said = log.read_text()
    assert process.returncode != 0, said
    assert "EXP-002B seed 42" in said and "killed before it ended" in said
    table = rows(repository)
    assert {name: row["status"] for name, row in table.items()} == {"EXP-002A": "ok", "EXP-002B": "failed"}
    assert "killed before it ended; the same command runs it again" in table["EXP-002B"]["error"]
    assert 0 < float(table["EXP-002A"]["low"]) < float(table["EXP-002A"]["accuracy"])

    folders = {json.loads(path.read_text())["name"]: path.parent for path in jobs.glob("*/request.json")}
    first = folders["EXP-002A seed 42"]
    before = stamp(first / "status.json"), stamp(first / "model/model.safetensors")
    assert json.loads((folders["EXP-002B seed 42"] / "status.json").read_text())["status"] == "running"

    repository.run(*SWEEP, ASSAY_JOBS="1")  # another number of jobs is the same sweep
    assert (stamp(first / "status.json"), stamp(first / "model/model.safetensors")) == before
    logs = [path.read_text() for path in sorted((jobs / "logs").glob("*/job.log"))]
    assert ["done before" in text for text in logs] == [True, False]
    assert {row["status"] for row in rows(repository).values()} == {"ok"}
    build = repository.root / "build/sweeps/convnextv2"
    (pair,) = json.loads((build / "comparison.json").read_text())
    assert {pair["candidate"], pair["reference"]} == set(folders) and 0 <= pair["p_holm"] <= 1
    assert "EXP-002B" in (build / "report.html").read_text()
    assert not list(jobs.glob("*/work"))

    assert repository.stages(repository.run(*SWEEP)) == []
    repository.run("assay", "registry", "sync")
    runs = repository.store()["runs"]
    (parent,) = [run for run, row in runs.items() if row["tags"]["stage"] == "sweep"]
    children = [row for row in runs.values() if row["tags"].get("mlflow.parentRunId") == parent]
    assert sorted(row["name"] for row in children) == [f"{name} · RANDOM weights" for name in sorted(folders)]
    assert {row["status"] for row in children} == {"FINISHED"}


def test_a_sweep_that_is_called_wrongly_is_one_line(unbuilt):
    assert "did you mean 'convnextv2'" in unbuilt.refused("assay", "sweep", "request", "convnext2")
    sweep = ("python", "-m", "pipelines.sweep")
    assert "`make sweep EXP=resnet18` writes it" in unbuilt.refused(*sweep, "sweep=resnet18")
    assert "expected sweep=<name>" in unbuilt.refused(*sweep, "convnextv2")
