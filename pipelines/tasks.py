"""Which module runs a stage for which task: pipelines/<task>/<stage>.py."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def stage_of(task: str, stage: str) -> Callable[[Any], dict[str, Any]]:
    """The function that runs `stage` ("prepare", "train", ...) for `task` ("classification", "detection", ...)."""
    found: Callable[[Any], dict[str, Any]] = import_module(f"pipelines.{task}.{stage}").main
    return found
