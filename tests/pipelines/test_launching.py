"""JOBS, LAUNCHER and CLUSTER: what Hydra is told, and every mistake in one line before anything starts."""

import pytest

from assay.errors import UserError
from pipelines import launching
from pipelines.launching import launcher_arguments


def test_what_is_asked_for_reaches_the_launcher():
    assert launcher_arguments("2", "process", "") == ["hydra/launcher=process", "hydra.launcher.n_jobs=2"]
    assert launcher_arguments("1", "basic", "") == ["hydra/launcher=basic"]
    pytest.importorskip("ray")
    assert launcher_arguments("2", "ray", "address=auto cpus=4 gpus=1") == [
        *("hydra/launcher=ray", "hydra.launcher.address=auto", "hydra.launcher.cpus=4"),
        *("hydra.launcher.gpus=1", "hydra.launcher.n_jobs=2"),
    ]


def test_slurm_is_looked_for_unless_jobs_run_here(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(launching.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"no Slurm on this machine .no program srun.*CLUSTER=cluster=local$"):
        launcher_arguments("1", "slurm", "partition=gpu")
    assert "hydra.launcher.cluster=local" in launcher_arguments("1", "slurm", "cluster=local")
    monkeypatch.setattr(launching.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "hydra.launcher.partition=gpu" in launcher_arguments("1", "slurm", "partition=gpu")


@pytest.mark.parametrize(
    ("count", "launcher", "cluster", "said"),
    [
        ("0", "process", "", "JOBS=0: expected a number"),
        ("two", "process", "", "JOBS=two: expected a number"),
        ("1", "sulrm", "", "LAUNCHER=sulrm: expected one of process, joblib"),
        ("1", "process", "cpus=4", "CLUSTER=cpus=4: LAUNCHER=process has no cluster; ray and slurm have"),
        (
            "1",
            "slurm",
            "cluster=loca",
            "CLUSTER=cluster=loca: expected slurm or local (did you mean 'local'?)",
        ),
        ("1", "slurm", "cpu=4", "CLUSTER=cpu=4: unknown key (did you mean 'cpus'?)"),
        ("1", "slurm", "n_jobs=4", "CLUSTER=n_jobs=4: unknown key"),
        ("1", "slurm", "cpus=four", "CLUSTER=cpus=four: expected a whole number"),
        ("1", "ray", "gpus=-1", "CLUSTER=gpus=-1: expected a whole number"),
        ("1", "ray", "address", "CLUSTER=address: expected a value"),
    ],
)
def test_a_mistake_is_one_line(count, launcher, cluster, said):
    if launcher in launching.CLUSTERED:
        pytest.importorskip(launching.LAUNCHERS[launcher])
    with pytest.raises(UserError) as refused:
        launcher_arguments(count, launcher, cluster)
    assert str(refused.value).startswith(said) and "\n" not in str(refused.value)
