"""hydra/launcher=ray: every job of a multirun as a task of a Ray cluster, in a Python process of its own there.

The machines share the folder the sweep is started in, and its environment: a job finds its configuration there and
leaves its result there. Ray is an extra: nothing else needs it.
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
class RayLauncherConf:
    """address: of a running cluster; none: one on this machine, for this sweep. cpus, gpus: that a job takes."""

    _target_: str = "hydra_plugins.hydra_cluster_launchers.ray.RayLauncher"
    n_jobs: int = 1
    address: str | None = None
    cpus: int = 1
    gpus: int = 0


ConfigStore.instance().store(
    group="hydra/launcher", name="ray", node=RayLauncherConf, provider="cluster_launchers"
)


class RayLauncher(Launcher):
    """Runs every job as a Ray task; on a cluster of its own at most `n_jobs` at a time."""

    def __init__(self, n_jobs: int, address: str | None, cpus: int, gpus: int) -> None:
        self.n_jobs, self.address = n_jobs, address
        self.needs = {"num_cpus": cpus, "num_gpus": gpus}

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Remember what Hydra hands over; the task function runs in the workers, found by module name."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; one that fails, or whose worker is lost, is reported and never stops the others."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        from assay.errors import UserError
        from assay.mining.cluster import answers

        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address is None:
            here = self.n_jobs * self.needs["num_cpus"]
            ray.init(num_cpus=here, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            try:
                answers(self.address, said=f"LAUNCHER=ray: {self.address}")
                ray.init(address=self.address, **quiet)
            except (UserError, ConnectionError, ValueError, RuntimeError) as error:
                raise SystemExit(f"assay: {error}") from None
        try:
            self._refuse_what_no_machine_has(ray.nodes())
            # not tried again by itself: the same `make sweep` runs what is missing, and says so
            task = ray.remote(_run).options(max_retries=0, **self.needs)
            jobs = commands_of(self.config, job_overrides, initial_job_idx)
            begun = [(job, task.remote(job, str(Path.cwd()))) for job in jobs]
            return [job.ended(_result(ray, running)) for job, running in begun]
        finally:
            ray.shutdown()

    def _refuse_what_no_machine_has(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Ray would wait without end for a machine that has what a job takes."""
        names = {"num_cpus": "CPU", "num_gpus": "GPU"}
        there = [node["Resources"] for node in nodes if node["Alive"]]
        if not any(
            all(have.get(names[kind], 0) >= count for kind, count in self.needs.items()) for have in there
        ):
            largest = ", ".join(
                f"{have.get('CPU', 0):g} CPUs and {have.get('GPU', 0):g} GPUs" for have in there
            )
            raise SystemExit(
                f"assay: LAUNCHER=ray: a job takes {self.needs['num_cpus']} CPUs and {self.needs['num_gpus']} GPUs, "
                f'no machine of the cluster has them ({largest}); ask for less with CLUSTER="cpus=… gpus=…"'
            )


def _run(command: Command, folder: str) -> int:
    os.chdir(folder)
    return command.run(BESIDE_OTHERS)


def _result(ray: Any, running: Any) -> int | str:
    try:
        return int(ray.get(running))
    except ray.exceptions.RayError as error:
        return f"a lost worker ({type(error).__name__})"
