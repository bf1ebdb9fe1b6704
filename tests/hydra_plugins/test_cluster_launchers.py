"""The same multirun on a Ray cluster of two workers, and through submitit's local executor, with jobs that die."""

import pytest

pytestmark = pytest.mark.slow  # a cluster takes seconds to start

LAUNCHERS = {"ray": (), "slurm": ("hydra.launcher.cluster=local",)}


@pytest.fixture(params=LAUNCHERS)
def clustered(request, multirun):
    return lambda *jobs: multirun(*jobs, n_jobs=2, launcher=request.param, more=LAUNCHERS[request.param])


def test_a_job_that_dies_on_a_cluster_costs_only_itself(clustered, tmp_path):
    done, ended = clustered("raises", "killed", "well")
    assert list(ended) == ["well"]
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "job 0 ended with 1: job=raises" in said and "job 1 ended with -9: job=killed" in said
    assert "ValueError: on purpose" in (tmp_path / "logs/0/job.log").read_text()


def test_a_lost_worker_costs_only_its_job(clustered):
    done, ended = clustered("orphans", "well")
    assert list(ended) == ["well"]
    assert done.returncode != 0 and "job 0 ended with a lost worker" in done.stdout + done.stderr


def test_jobs_run_side_by_side(clustered):
    done, ended = clustered("pair1", "pair2")
    assert done.returncode == 0 and list(ended) == ["pair1", "pair2"], done.stderr
    assert all("PASSIVE" in text for text in ended.values())


def test_a_cluster_that_is_not_there_is_one_line(multirun):
    done, _ = multirun("well", n_jobs=1, launcher="ray", more=["hydra.launcher.address=127.0.0.1:1"])
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].startswith("assay: LAUNCHER=ray: 127.0.0.1:1: no Ray cluster")
