"""Which module does what for which task: pipelines/<task>/<part>.py."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from assay.errors import UserError


def part_of(task: str, part: str) -> Any:
    """The module pipelines/<task>/<part>.py.

    Raises:
        UserError: no pipeline does the task yet.
    """
    if not is_done(task):
        raise UserError(f"task={task}: configured, but no stage does it yet")
    return import_module(f"pipelines.{task}.{part}")


def is_done(task: str) -> bool:
    """Whether there is a pipeline for the task; conf/task/ also describes some that are planned."""
    return find_spec(f"pipelines.{task}") is not None


def refuse_what_does_not_fit(cfg: Any) -> None:
    """Raise UserError, before anything is loaded, for a model that needs more memory than is free."""
    if cfg.task == "vision_language":
        from assay.training.memory import refuse_what_does_not_fit as refuse

        refuse(cfg.experiment.id, cfg.model.backbone)


def stage_of(task: str, stage: str) -> Callable[[Any], dict[str, Any]]:
    """The function that runs `stage` ("prepare", "train", ...) for `task` ("classification", "detection", ...).

    Raises:
        UserError: no pipeline does the task yet.
    """
    found: Callable[[Any], dict[str, Any]] = part_of(task, stage).main
    return found
