"""conf/ + overrides -> one validated configuration, scaled by its profile."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from assay.config.messages import describe, nearest
from assay.config.profile import record, scale
from assay.config.schema import Config, Sweep
from assay.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
CONF = ROOT / "conf"
GROUPS = ("project", "experiment", "profile")


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Config)


def names(group: str, conf: Path = CONF) -> list[str]:
    """What conf/<group>/ offers: file names without `.yaml`, sorted."""
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def check_name(group: str, name: str, conf: Path = CONF) -> None:
    """Raise ConfigError, with the nearest name, unless conf/<group>/<name>.yaml exists."""
    known = names(group, conf)
    if name not in known:
        kind = group.partition("/")[0]
        raise ConfigError(f"{kind}={name}: no such {kind} in conf/{group}{nearest(name, known)}")


def compose(
    overrides: Sequence[str],
    *,
    requested: Sequence[str] = (),
    conf: Path = CONF,
    choices: Path | None = None,
) -> Any:
    """Compose, scale and validate the configuration that `overrides` select.

    Args:
        overrides: Hydra overrides, e.g. `["project=cherry", "experiment=resnet18", "train.lr=3e-4"]`. What is not
            said about experiment and profile is taken from `choices` (params.yaml).
        requested: changes of single keys that scale an experiment as a profile does: recorded in `profile.scaled`, so
            that every table says them and the result is not compared with the published one.
        conf: the folder of configuration groups.
        choices: a file in params.yaml's form; None means the one beside `conf`.

    Returns:
        One of the configuration models of `assay.config.schema`.

    Raises:
        ConfigError: an unknown name or key, a wrong type or a value out of range, in one line.
    """
    choices = choices or conf.parent / "params.yaml"
    selected, unscaled = _selection(overrides, conf, choices)
    changes = _selection([*overrides, *requested], conf, choices)[1]
    raw = scale(_hydra(selected, changes, conf), _keys(changes))
    if requested:
        record(raw, _hydra(selected, unscaled, conf), _keys(changes[len(unscaled) :]))
    baseline = {**selected, "experiment": f"{selected['project']}/{raw['project']['baseline']}"}
    mining = raw if baseline == selected and not changes else scale(_hydra(baseline, [], conf), set())
    raw["baseline"] = {
        "task": mining["task"],
        "experiment": mining["experiment"]["id"],
        "model": mining["model"],
        "train": mining["train"],
    }
    return _validate(raw)


def _keys(changes: Iterable[str]) -> set[str]:
    return {change.lstrip("+").split("=", 1)[0] for change in changes}


def load_resolved(path: Path) -> Any:
    """Read a configuration that `render` wrote, and validate it again: the file may have been edited."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; `dvc repro configure` writes it")
    return _validate(read_yaml(path), where=f"{path}: ")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of keys and values; a mistake in it is a ConfigError that names file and line."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(found).__name__}")
    return found


def render(cfg: Any) -> str:
    """The configuration as YAML text, readable by `load_resolved`, keys in the schema's order."""
    return yaml.safe_dump(cfg.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def expand_sweep(
    name: str,
    *,
    profile: str,
    seeds: Iterable[int] | None = None,
    requested: Sequence[str] = (),
    conf: Path = CONF,
) -> list[tuple[list[str], Any]]:
    """Every job of a sweep: its overrides and its configuration. `requested` is as in `compose`, for every job.

    Raises:
        ConfigError: no such sweep, or one of its jobs does not compose.
    """
    sweep = read_sweep(name, conf)
    jobs: list[tuple[list[str], Any]] = []
    for experiment in sweep.experiments:
        for variant in ({}, *sweep.variants):
            changes = [f"{key}={json.dumps(value)}" for key, value in variant.items()]
            for seed in seeds or sweep.seeds:
                overrides = [
                    f"project={sweep.project}",
                    f"experiment={sweep.project}/{experiment}",
                    f"profile={profile}",
                    f"seed={seed}",
                    *changes,
                ]
                cfg = compose(overrides, requested=requested, conf=conf)
                # a variant that changes nothing of this experiment
                if any(cfg == other for _, other in jobs):
                    continue
                jobs.append(([*overrides, *requested], cfg))
    return jobs


def same_as(cfg: Any, *, requested: Sequence[str] = (), conf: Path = CONF) -> str:
    """Another experiment of the project that the profile, or what a sweep requested, made the same as this one.

    yolo11s_1280 at a profile's 320 px is yolo11s_epoch6: what it asks is taken away. "" where there is none.
    """
    if not cfg.profile.scaled:
        return ""
    for name in names(f"experiment/{cfg.project.name}", conf):
        other = _other(cfg.project.name, name, cfg.profile.name, tuple(requested), conf)
        if other and other["experiment"]["id"] != cfg.experiment.id and _asked(other) == _asked(_dumped(cfg)):
            return str(other["experiment"]["id"])
    return ""


@cache
def _other(
    project: str, experiment: str, profile: str, requested: tuple[str, ...], conf: Path
) -> dict[str, Any] | None:
    chosen = [f"project={project}", f"experiment={experiment}", f"profile={profile}"]
    try:
        return _dumped(compose(chosen, requested=requested, conf=conf))
    except ConfigError:  # of another task, which has no such key
        return None


def _dumped(cfg: Any) -> dict[str, Any]:
    return dict(cfg.model_dump(mode="json"))


def _asked(dumped: dict[str, Any]) -> dict[str, Any]:
    """What is trained and how it is asked, without names, and whatever seed."""
    return {
        key: part for key, part in dumped.items() if key not in ("experiment", "profile", "seed", "baseline")
    }


def read_sweep(name: str, conf: Path = CONF) -> Sweep:
    """Read conf/sweep/<name>.yaml."""
    check_name("sweep", name, conf)
    path = conf / "sweep" / f"{name}.yaml"
    try:
        return Sweep.model_validate({"name": name, **read_yaml(path)})
    except ValidationError as error:
        raise ConfigError(f"conf/sweep/{name}.yaml: {describe(error, Sweep)}") from None


def _selection(overrides: Sequence[str], conf: Path, choices: Path) -> tuple[dict[str, str], list[str]]:
    """Split overrides into the three choices, checked by name, and changes of single keys."""
    chosen: dict[str, str] = {}
    changes: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r}: expected key=value, e.g. project=cherry or train.epochs=5")
        if key in GROUPS:
            chosen[key] = value
        elif key.startswith("baseline"):
            raise ConfigError(
                f"{key}: the baseline is an experiment of its own; edit its file in conf/experiment/"
            )
        else:
            changes.append("++" + override.lstrip("+"))  # forced in: the typed model knows the nearest key
    defaults = read_yaml(choices) if choices.is_file() else {}
    projects = names("project", conf)
    if "project" not in chosen:
        raise ConfigError(f"project: not said; add project=<{'|'.join(projects)}>")
    project = chosen["project"]
    check_name("project", project, conf)
    selected = defaults.get("projects", {}).get(project, {}).get("experiment")
    experiment = (chosen.get("experiment") or selected or "").removeprefix(f"{project}/")
    if not experiment:
        raise ConfigError(
            f"experiment: not said and params.yaml chooses none for {project}; add experiment=<id>"
        )
    check_name(f"experiment/{project}", experiment, conf)
    profile = chosen.get("profile") or defaults.get("profile") or "demo"
    check_name("profile", profile, conf)
    return {"project": project, "experiment": f"{project}/{experiment}", "profile": profile}, changes


def _hydra(selected: dict[str, str], changes: list[str], conf: Path) -> dict[str, Any]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    arguments = [*(f"{group}={value}" for group, value in selected.items()), *changes]
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            cfg = hydra_compose("config", arguments)
        return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"conf/ with {' '.join(arguments)}: {error}") from None


def _validate(raw: Any, where: str = "") -> Any:
    try:
        return _adapter().validate_python(raw)
    except ValidationError as error:
        raise ConfigError(where + describe(error, _adapter())) from None
