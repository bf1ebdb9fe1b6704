"""Compose and validate a configuration once, before a GPU second is spent.

For a project it writes resolved/<project>.yaml, which every stage of the graph reads, and a digest of each of its
sections as .json, which DVC compares: it reads that file for every stage, and the whole would take it seconds.
`sweep=<name>` writes resolved/sweeps/<name>.yaml instead: the configuration of every job, with the profile, seeds and
changes that sweeps/request/<name>.yaml asks for.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from assay.config import compose, expand_sweep, render
from assay.config.compose import read_yaml
from assay.entrypoint import help_wanted, mistakes_in_one_line, stage_help
from assay.errors import UserError
from assay.files import atomic_write, write_json


def main(arguments: list[str]) -> None:
    """Write the resolved configuration that `arguments` (Hydra overrides, or sweep=<name>) select."""
    if arguments[0].startswith("sweep="):
        if len(arguments) > 1:
            said = " ".join(arguments[1:])
            raise UserError(f"{said}: a sweep's profile, seeds and changes come from `make sweep`")
        name = arguments[0].removeprefix("sweep=")
        request = sweep_request(name)
        jobs = expand_sweep(name, **request)
        listed = [{"overrides": overrides, "config": cfg.model_dump(mode="json")} for overrides, cfg in jobs]
        text = yaml.safe_dump(listed, sort_keys=False)
        target, said = Path(f"resolved/sweeps/{name}.yaml"), f"{len(jobs)} jobs, {request['profile']} profile"
    else:
        cfg = compose(arguments)
        text, target = render(cfg), Path(f"resolved/{cfg.project.name}.yaml")
        changed = (f"{key} {a} -> {b}" for key, (a, b) in cfg.profile.scaled.items())
        said = f"{cfg.experiment.id}, {cfg.profile.name} profile: {', '.join(changed) or 'nothing scaled'}"
        write_json(target.with_suffix(".json"), digests(cfg.model_dump(mode="json")))
    with atomic_write(target) as temporary:
        temporary.write_text(text, "utf-8")
    print(f"{target}: {said}")


def digests(config: dict[str, Any]) -> dict[str, Any]:
    """Each section's digest; of those that stages read in parts (_IN_PARTS), each part's own value or digest."""

    def digest(value: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]

    return {
        section: {key: digest(part) for key, part in value.items()} if section in _IN_PARTS else digest(value)
        for section, value in config.items()
    }


_IN_PARTS = ("project", "experiment", "profile", "baseline", "evaluate")


def sweep_request(name: str) -> dict[str, Any]:
    """What `make sweep` was asked for: {"profile": str, "seeds": list of int or None, "requested": changes}.

    The profile is params.yaml's where nobody asked.
    """
    request, params = Path(f"sweeps/request/{name}.yaml"), Path("params.yaml")
    given = read_yaml(request) if request.is_file() else {}
    chosen = read_yaml(params) if params.is_file() else {}
    return {
        "profile": given.get("profile") or chosen.get("profile") or "demo",
        "seeds": given.get("seeds") or None,
        "requested": given.get("set") or [],
    }


if __name__ == "__main__":
    if help_wanted(sys.argv[1:]):
        print(stage_help("configure", __doc__))
    else:
        with mistakes_in_one_line():
            main(sys.argv[1:])
