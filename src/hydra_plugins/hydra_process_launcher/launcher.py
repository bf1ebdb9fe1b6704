"""hydra/launcher=process: every job of a multirun in a Python process of its own.

A job that raises or is killed costs only itself; Hydra's basic and joblib launchers lose the rest of the
multirun with it. Jobs that run side by side get separate processor cores.
"""
# no `from __future__ import annotations`: with it Hydra cannot read the dataclass below

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher

log = logging.getLogger(__name__)


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
        main = sys.modules["__main__"].__spec__
        if main is None:
            raise RuntimeError("hydra/launcher=process needs the program to be started with `python -m`")
        # threads that wait by spinning take the cores from the jobs beside them: 4 times slower where it was measured
        environment = {**os.environ, **({"OMP_WAIT_POLICY": "PASSIVE"} if self.n_jobs > 1 else {})}
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        workers = max(1, min(self.n_jobs, len(job_overrides)))
        slots: SimpleQueue[list[int]] = SimpleQueue()
        for slot in range(workers):
            slots.put(cores[slot::workers] or cores)

        def one(index: int, overrides: Sequence[str]) -> JobReturn:
            result = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
            said = " ".join(filter_overrides(overrides))
            out = Path(self.config.hydra.sweep.dir) / str(index)
            out.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", main.name, *filter_overrides(overrides), f"hydra.run.dir={out}"]
            mine = slots.get()
            try:
                with (out / "job.log").open("w") as stream:
                    child = subprocess.Popen(
                        command, stdout=stream, stderr=subprocess.STDOUT, env=environment
                    )
                    if mine:
                        os.sched_setaffinity(child.pid, mine)  # before its libraries count the cores
                    code = child.wait()
            finally:
                slots.put(mine)
            if code:
                log.error("job %s ended with %s: %s, see %s", index, code, said, out / "job.log")
                result.status = JobStatus.FAILED
                result.return_value = RuntimeError(f"{said}: process ended with {code}")
            return result

        with ThreadPoolExecutor(workers) as pool:
            indices = range(initial_job_idx, initial_job_idx + len(job_overrides))
            return list(pool.map(one, indices, job_overrides))
