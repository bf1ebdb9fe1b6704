"""hydra/launcher=process: every job of a multirun in a Python process of its own.

A job that raises or is killed costs only itself; Hydra's basic and joblib launchers lose the rest of the
multirun with it. Jobs that run side by side get separate processor cores.
"""
# no `from __future__ import annotations`: with it Hydra cannot read the dataclass below

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from hydra_plugins.hydra_process_launcher.commands import BESIDE_OTHERS, Command, commands_of


@dataclass
class ProcessLauncherConf:
    """Configuration of the launcher."""

    _target_: str = "hydra_plugins.hydra_process_launcher.launcher.ProcessLauncher"
    n_jobs: int = 1


ConfigStore.instance().store(
    group="hydra/launcher", name="process", node=ProcessLauncherConf, provider="process_launcher"
)


class ProcessLauncher(Launcher):
    """Runs `python -m <the same module> <overrides>` for every job, at most `n_jobs` at a time."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Remember what Hydra hands over; the task function runs in the children, found by module name."""
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; a failed one is reported in the log and in its return, and never stops the others."""
        environment = BESIDE_OTHERS if self.n_jobs > 1 else {}
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        workers = max(1, min(self.n_jobs, len(job_overrides)))
        slots: SimpleQueue[list[int]] = SimpleQueue()
        for slot in range(workers):
            slots.put(cores[slot::workers] or cores)

        def one(command: Command) -> JobReturn:
            mine = slots.get()

            def pin(process: int) -> None:
                if mine:
                    os.sched_setaffinity(process, mine)  # before its libraries count the cores

            try:
                return command.ended(command.run(environment, pin))
            finally:
                slots.put(mine)

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, commands_of(self.config, job_overrides, initial_job_idx)))
