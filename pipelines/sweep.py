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
from pathlib import Path

import yaml

from assay.entrypoint import be_quiet, help_wanted, mistakes_in_one_line
from assay.errors import UserError

DEFAULTS = {"JOBS": "1", "LAUNCHER": "process", "CLUSTER": ""}


def main(arguments: list[str]) -> int:
    """Run the sweep that `sweep=<name>` names; returns the exit status."""
    from pipelines.gathering import gather, lay_out, watch
    from pipelines.launching import launcher_arguments

    key, _, name = arguments[0].partition("=")
    resolved = Path(f"resolved/sweeps/{name}.yaml")
    if key != "sweep" or len(arguments) > 1:
        raise UserError(f"{' '.join(arguments)}: expected sweep=<name>")
    if not resolved.is_file():
        raise UserError(f"{resolved}: no such file; `make sweep EXP={name}` writes it")
    launcher = launcher_arguments(*(os.environ.get(f"ASSAY_{key}", other) for key, other in DEFAULTS.items()))
    jobs = lay_out(name, yaml.safe_load(resolved.read_text("utf-8")))
    command = [
        *(sys.executable, "-m", "pipelines.job", "-m"),
        f"folder={','.join(str(job.folder) for job in jobs)}",
        f"hydra.sweep.dir=runs/sweeps/{name}/logs",
        *launcher,
    ]
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
