"""The registry and a sweep's bookkeeping on a real PostgreSQL: by its address, and behind an MLflow server.

Needs PostgreSQL's programs (Debian: `apt-get install postgresql`); they run in a folder of the test's own.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from assay import registry
from assay.tracking import record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
MODEL = "cherry-classifier"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    on_path = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def postgres():
    """Address of an empty cluster, started for these tests by a user that is not root: PostgreSQL refuses root."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed (Debian: apt-get install postgresql)")
    root = Path(tempfile.mkdtemp(prefix="assay-postgres-", dir="/tmp"))  # short: sockets have 107 characters
    other: dict[str, str] = {}
    if os.getuid() == 0:
        other = {"user": "postgres", "group": "postgres"}
        shutil.chown(root, **other)

    def run(*command: str) -> None:
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL, timeout=300, **other)

    port = free_port()
    data, options = str(root / "data"), f"-p {port} -k {root} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run(f"{bin_}/initdb", "-D", data, "-U", "assay", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run(f"{bin_}/pg_ctl", "-D", data, "-o", options, "-l", str(root / "log"), "-w", "-t", "240", "start")
        try:
            for name in ("direct", "served"):
                run(f"{bin_}/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "assay", name)
            yield f"postgresql+psycopg2://assay@127.0.0.1:{port}"
        finally:
            run(f"{bin_}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(root)


@pytest.fixture(params=["by its address", "behind a server"])
def tracked(request, postgres, tmp_path, monkeypatch):
    """MLFLOW_TRACKING_URI of a store in PostgreSQL: as it is, or a server's before it as in compose.yaml."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    if request.param == "by its address":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{postgres}/direct")
        yield f"{postgres}/direct"
        return
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"{postgres}/served", "--workers", "1"]
    command += ["--artifacts-destination", str(tmp_path / "objects")]
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=output, stderr=output, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert server.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)
                break
            except OSError:
                time.sleep(1)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(60)


def test_a_sweep_and_promotions_are_kept_by_postgres(repository, tracked, done, refused):
    shutil.rmtree("mlruns")  # what is found from here on is the server's
    with record(Path("runs/sweep"), kind="sweep", project="cherry", name="sweep offline") as sweep:
        for number in range(3):
            job = Path(f"runs/job{number}")
            with record(job, kind="job", project="cherry", name=f"job {number}", parent=sweep.id) as run:
                for epoch in range(4):
                    run.metric("val/accuracy", 0.5 + epoch / 10, epoch)
    roots = [Path("build"), Path("runs")]
    report = registry.sync(roots, pyfunc=Path("pyfunc.py"))
    assert report.problems == [] and len(report.versions) == 6
    again = registry.sync(roots, pyfunc=Path("pyfunc.py"))
    assert (again.created, again.updated, again.versions) == (0, 0, [])
    assert not Path("mlruns/mlflow.db").exists()

    from mlflow import MlflowClient

    client = MlflowClient(registry.connect())
    (experiment,) = [one for one in client.search_experiments() if one.name == "cherry"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs["sweep offline"].info.run_id
    jobs = [runs[f"job {number}"] for number in range(3)]
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent}
    curve = client.get_metric_history(jobs[0].info.run_id, "val/accuracy")
    assert [(point.step, round(point.value, 1)) for point in curve] == [
        (0, 0.5),
        (1, 0.6),
        (2, 0.7),
        (3, 0.8),
    ]

    assert "workzone-detector" in done("list")
    reason = ("--reason", "fewer stones", "--by", "ann")
    assert f"{MODEL} v2 is production" in done("promote", f"{MODEL}/2", *reason)
    assert str(client.get_model_version_by_alias(MODEL, "production").version) == "2"  # a server says text
    assert "is within noise" in refused("promote", f"{MODEL}/3", *reason)
    assert "promote production: nobody -> v2" in done("history", MODEL)
