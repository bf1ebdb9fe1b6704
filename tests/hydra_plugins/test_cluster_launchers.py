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


def test_what_no_machine_of_a_cluster_has_is_one_line(multirun):
    done, ended = multirun("well", n_jobs=1, launcher="ray", more=["hydra.launcher.gpus=99"])
    assert done.returncode != 0 and not ended
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(
        "assay: LAUNCHER=ray: a job takes 1 CPUs and 99 GPUs, no machine of the cluster has them"
    )


def test_submitits_local_executor_runs_no_more_at_a_time_than_asked(multirun, tmp_path):
    done, ended = multirun("first", "second", n_jobs=1, launcher="slurm", more=LAUNCHERS["slurm"])
    assert done.returncode == 0 and list(ended) == ["first", "second"]
    began = (tmp_path / "logs/1").stat().st_mtime_ns  # when its log was opened
    assert (tmp_path / "done/first.txt").stat().st_mtime_ns < began
