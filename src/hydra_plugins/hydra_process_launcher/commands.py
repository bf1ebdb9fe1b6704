"""What every launcher here starts: the same program once more, with the overrides of one job."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides

log = logging.getLogger("hydra_process_launcher")

# threads that wait by spinning take the cores from the jobs beside them: 4 times slower where it was measured
BESIDE_OTHERS = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Command:
    """`python -m <the module that was started> <overrides>`, and the file its output goes to."""

    index: int
    overrides: tuple[str, ...]
    arguments: tuple[str, ...]
    log: Path

    def run(self, environment: dict[str, str], started: Callable[[int], Any] = lambda _: None) -> int:
        """Run to the end; returns the exit status, negative for a signal. started: called with the process number."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as stream:
            child = subprocess.Popen(
                self.arguments, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )
            started(child.pid)
            return child.wait()

    def ended(self, how: int | str) -> JobReturn:
        """What Hydra is told of an exit status, or of a worker that was lost; the log says it, too."""
        result = JobReturn(overrides=list(self.overrides), status=JobStatus.COMPLETED)
        if how != 0:
            said = " ".join(filter_overrides(self.overrides))
            log.error("job %s ended with %s: %s, see %s", self.index, how, said, self.log)
            result.status = JobStatus.FAILED
            result.return_value = RuntimeError(f"{said}: process ended with {how}")
        return result


def commands_of(config: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[Command]:
    """A command for every job of a multirun. config: Hydra's, with hydra.sweep.dir."""
    main = sys.modules["__main__"].__spec__
    if main is None:
        raise RuntimeError("this launcher needs the program to be started with `python -m`")
    found = []
    for index, overrides in enumerate(job_overrides, first):
        out = Path(config.hydra.sweep.dir) / str(index)
        call = (sys.executable, "-m", main.name, *filter_overrides(overrides), f"hydra.run.dir={out}")
        found.append(Command(index, tuple(overrides), call, out / "job.log"))
    return found
