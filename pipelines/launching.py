"""By what the jobs of a sweep run: JOBS, LAUNCHER and CLUSTER, checked before anything starts."""

import shutil
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec

from assay.config.messages import nearest
from assay.errors import UserError

# each with the package it needs
LAUNCHERS = {"process": "hydra", "joblib": "joblib", "basic": "hydra", "ray": "ray", "slurm": "submitit"}
CLUSTERED = ("ray", "slurm")


def launcher_arguments(count: str, launcher: str, cluster: str) -> list[str]:
    """Hydra's arguments for `JOBS=count LAUNCHER=launcher CLUSTER=cluster`.

    Raises:
        UserError: one of them is mistyped, or what the launcher needs is not here.
    """
    if not count.isdigit() or int(count) < 1:
        raise UserError(f"JOBS={count}: expected a number of jobs to run at a time, 1 or more")
    if launcher not in LAUNCHERS:
        raise UserError(f"LAUNCHER={launcher}: expected one of {', '.join(LAUNCHERS)}")
    if find_spec(LAUNCHERS[launcher]) is None:
        raise UserError(
            f"LAUNCHER={launcher}: {LAUNCHERS[launcher]} is not installed; `uv pip install -e '.[{launcher}]'`"
        )
    asked = _asked(launcher, cluster)
    if launcher == "slurm" and asked.get("cluster", "slurm") == "slurm" and not shutil.which("srun"):
        raise UserError(
            "LAUNCHER=slurm: no Slurm on this machine (no program srun); start the sweep where there is one, or say "
            "CLUSTER=cluster=local"
        )
    if launcher != "basic":
        asked["n_jobs"] = count
    return [f"hydra/launcher={launcher}", *(f"hydra.launcher.{key}={value}" for key, value in asked.items())]


def _asked(launcher: str, cluster: str) -> dict[str, str]:
    """CLUSTER's `key=value key=value`, each a field of the launcher's configuration."""
    if cluster.split() and launcher not in CLUSTERED:
        raise UserError(
            f"CLUSTER={cluster}: LAUNCHER={launcher} has no cluster; {' and '.join(CLUSTERED)} have"
        )
    known = {}
    if launcher in CLUSTERED:
        module = import_module(f"hydra_plugins.hydra_cluster_launchers.{launcher}")
        known = {part.name: part.type for part in fields(getattr(module, f"{launcher.title()}LauncherConf"))}
    asked = {}
    for word in cluster.split():
        key, _, value = word.partition("=")
        keys = [name for name in known if name not in ("_target_", "n_jobs")]  # JOBS is n_jobs
        if key not in keys:
            raise UserError(f"CLUSTER={word}: unknown key{nearest(key, keys)}")
        if not value or (known[key] is int and not value.isdigit()):
            raise UserError(
                f"CLUSTER={word}: expected {'a whole number' if known[key] is int else 'a value'}"
            )
        if key == "cluster" and value not in ("slurm", "local"):
            raise UserError(f"CLUSTER={word}: expected slurm or local{nearest(value, ('slurm', 'local'))}")
        asked[key] = value
    return asked
