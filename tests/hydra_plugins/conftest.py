"""A tiny program whose jobs raise, are killed, wait for each other or end well."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
import hydra

@hydra.main(version_base="1.3", config_path=None, config_name="tiny")
def main(cfg):
    here = Path("done") / f"{cfg.job}.txt"
    here.parent.mkdir(exist_ok=True)
    print("job", cfg.job, "speaks")
    if cfg.job == "raises":
        raise ValueError("on purpose")
    if cfg.job == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.job == "orphans":  # takes the worker it runs in along
        os.kill(os.getppid(), signal.SIGKILL)
        raise SystemExit(4)
    if cfg.job.startswith("pair"):  # each waits for the other: they end only if they run side by side
        here.write_text("here")
        other = here.with_name({"pair1": "pair2", "pair2": "pair1"}[cfg.job] + ".txt")
        for _ in range(600):
            if other.exists():
                break
            time.sleep(0.1)
        else:
            raise SystemExit(3)
    here.write_text(f"{sorted(os.sched_getaffinity(0))} {os.environ.get('OMP_WAIT_POLICY')} {os.getpid()}")

if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore
    hydra_node = {"output_subdir": None, "job": {"chdir": False}}
    ConfigStore.instance().store(name="tiny", node={"job": "?", "hydra": hydra_node})
    main()
"""


@pytest.fixture
def multirun(tmp_path):
    (tmp_path / "tiny.py").write_text(PROGRAM)
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}

    def multirun(*jobs, n_jobs, launcher="process", more=()):
        command = [sys.executable, "-m", "tiny", "-m", f"job={','.join(jobs)}", f"hydra/launcher={launcher}"]
        command += [f"hydra.launcher.n_jobs={n_jobs}", "hydra.sweep.dir=logs", *more]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return done, {path.stem: path.read_text() for path in sorted((tmp_path / "done").glob("*.txt"))}

    return multirun
