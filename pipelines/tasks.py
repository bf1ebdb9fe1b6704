"""Which module does what for which task: pipelines/<task>/<part>.py."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# What a task has no module of its own for, it does as the task it is one more way of.
_AS = {"vision_language": "condition"}


def part_of(task: str, part: str) -> Any:
    """The module pipelines/<task>/<part>.py."""
    own = f"pipelines.{task}.{part}"
    return import_module(own if task not in _AS or find_spec(own) else f"pipelines.{_AS[task]}.{part}")


def refuse_what_does_not_fit(cfg: Any) -> None:
    """Raise UserError, before anything is loaded, for a model that needs more memory than is free."""
    if cfg.task == "vision_language":
        from assay.training.memory import refuse_what_does_not_fit as refuse

        asked = cfg.model.model_dump(
            include={"backbone", "weights", "rank", "targets", "image_size", "question"}
        )
        refuse(cfg.experiment.id, batch=cfg.train.batch, **asked)


def stage_of(task: str, stage: str) -> Callable[[Any], dict[str, Any]]:
    """The function that runs `stage` ("prepare", "train", ...) for `task` ("classification", "detection", ...)."""
    found: Callable[[Any], dict[str, Any]] = part_of(task, stage).main
    return found
