"""hydra/launcher=slurm: every job of a multirun as a job of a Slurm cluster, by submitit.

The machines share the folder the sweep is started in, and its environment, as Slurm clusters do. submitit is an extra.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from hydra_plugins.hydra_process_launcher.commands import BESIDE_OTHERS, Command, commands_of


@dataclass
class SlurmLauncherConf:
    """What each job asks Slurm for. cluster: "local" runs them here, without Slurm.

    n_jobs: how many at a time; locally the next ones start when all of those have ended.
    """

    _target_: str = "hydra_plugins.hydra_cluster_launchers.slurm.SlurmLauncher"
    n_jobs: int = 1
    cluster: str = "slurm"
    partition: str | None = None
    timeout_min: int = 24 * 60
    cpus: int = 4
    gpus: int = 0
    mem_gb: int = 16


ConfigStore.instance().store(
    group="hydra/launcher", name="slurm", node=SlurmLauncherConf, provider="cluster_launchers"
)


class SlurmLauncher(Launcher):
    """Submits every job, waits for all, and tells Hydra how each ended."""

    def __init__(self, n_jobs: int, cluster: str, partition: str | None, **needs: int) -> None:
        self.n_jobs, self.cluster, self.partition, self.needs = n_jobs, cluster, partition, needs

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Remember what Hydra hands over; the task function runs on the nodes, found by module name."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; one that fails, is killed or runs out of time is reported and never stops the others."""
        import submitit

        executor = submitit.AutoExecutor(
            folder=Path(self.config.hydra.sweep.dir) / "submitit", cluster=self.cluster
        )
        executor.update_parameters(
            name="assay",
            timeout_min=self.needs["timeout_min"],
            cpus_per_task=self.needs["cpus"],
            gpus_per_node=self.needs["gpus"],
            mem_gb=self.needs["mem_gb"],
            slurm_array_parallelism=self.n_jobs,
            **({"slurm_partition": self.partition} if self.partition else {}),
        )
        jobs = commands_of(self.config, job_overrides, initial_job_idx)
        # submitit's local executor starts whatever it is given at once; Slurm holds the rest back by itself
        step = self.n_jobs if self.cluster == "local" else len(jobs)
        ended: list[JobReturn] = []
        for some in (jobs[start : start + step] for start in range(0, len(jobs), step)):
            begun = executor.map_array(_run, some, [str(Path.cwd())] * len(some))
            ended += [job.ended(_result(submitit, one)) for job, one in zip(some, begun, strict=True)]
        return ended


def _run(command: Command, folder: str) -> int:
    os.chdir(folder)
    return command.run(BESIDE_OTHERS)


def _result(submitit: Any, running: Any) -> int | str:
    try:
        return int(running.result())
    except (submitit.core.utils.UncompletedJobError, submitit.core.utils.FailedJobError) as error:
        return f"a lost worker ({type(error).__name__})"
