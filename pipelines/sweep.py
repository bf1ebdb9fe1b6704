"""Run a sweep: train and evaluate every job, then compare all pairs with intervals and Holm's correction.

    make sweep EXP=convnextv2 [PROFILE=full] [SEEDS=1,2,3] [SET="train.epochs=4"] [JOBS=2]
                              [LAUNCHER=process|joblib|basic|ray|slurm] [CLUSTER="address=auto cpus=4"]

usage: python -m pipelines.sweep sweep=<name>      (after `dvc repro` has written resolved/sweeps/<name>.yaml)

The jobs are a Hydra multirun. A failed or killed job costs only itself: the table is written with those that ended, the
status is 1, and the same command again runs only what is missing. ASSAY_JOBS, ASSAY_LAUNCHER and ASSAY_CLUSTER (make sets
them) say how many run at a time, by which launcher, and what that one asks its cluster for; they change no result.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml

from assay.entrypoint import be_quiet, help_wanted, mistakes_in_one_line
from assay.errors import UserError

# each with the package it needs
LAUNCHERS = {"process": "hydra", "joblib": "joblib", "basic": "hydra", "ray": "ray", "slurm": "submitit"}


def main(arguments: list[str]) -> int:
    """Run the sweep that `sweep=<name>` names; returns the exit status."""
    from pipelines.gathering import gather, lay_out, watch

    key, _, name = arguments[0].partition("=")
    resolved = Path(f"resolved/sweeps/{name}.yaml")
    if key != "sweep" or len(arguments) > 1:
        raise UserError(f"{' '.join(arguments)}: expected sweep=<name>")
    if not resolved.is_file():
        raise UserError(f"{resolved}: no such file; `make sweep EXP={name}` writes it")
    jobs = lay_out(name, yaml.safe_load(resolved.read_text("utf-8")))
    count, launcher = os.environ.get("ASSAY_JOBS", "1"), os.environ.get("ASSAY_LAUNCHER", "process")
    if not count.isdigit() or int(count) < 1:
        raise UserError(f"JOBS={count}: expected a number of jobs to run at a time, 1 or more")
    if launcher not in LAUNCHERS:
        raise UserError(f"LAUNCHER={launcher}: expected one of {', '.join(LAUNCHERS)}")
    if find_spec(LAUNCHERS[launcher]) is None:
        raise UserError(
            f"LAUNCHER={launcher}: {LAUNCHERS[launcher]} is not installed; install the extra `assay[{launcher}]`"
        )
    command = [
        *(sys.executable, "-m", "pipelines.job", "-m"),
        f"folder={','.join(str(job.folder) for job in jobs)}",
        f"hydra/launcher={launcher}",
        f"hydra.sweep.dir=runs/sweeps/{name}/logs",
    ]
    if launcher != "basic":
        command.append(f"hydra.launcher.n_jobs={count}")
    command += [f"hydra.launcher.{asked}" for asked in os.environ.get("ASSAY_CLUSTER", "").split()]
    with subprocess.Popen(command) as multirun:
        watch(jobs, multirun)  # its exit code adds nothing: a job that did not run is "waiting" in the table
    return gather(name, jobs)


if __name__ == "__main__":
    be_quiet()
    if help_wanted(sys.argv[1:]):
        print(__doc__.strip())
    else:
        with mistakes_in_one_line():
            sys.exit(main(sys.argv[1:]))
