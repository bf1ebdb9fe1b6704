"""What every stage has in common: reading its configuration, and ending a mistake in one line.

python -m pipelines.<stage> resolved/cherry.yaml            as DVC calls it
python -m pipelines.<stage> project=cherry train.epochs=5   by hand, composed by Hydra
"""

import errno
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from assay.errors import UserError

# Libraries that would call home, and hubs that would retry for minutes without a network, are told not to.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "YOLO_OFFLINE": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def run_stage(stage: Callable[[Any], Any], doc: str | None) -> None:
    """Read the configuration the command line names, run `stage(cfg)`, and end a mistake in one line, status 2.

    Args:
        stage: takes the validated configuration.
        doc: the entrypoint's docstring, shown by `--help`.
    """
    be_quiet()
    arguments = sys.argv[1:]
    if help_wanted(arguments):
        print(stage_help(Path(stage.__code__.co_filename).stem, doc))
        return
    with mistakes_in_one_line():
        cfg = _configuration(arguments)
        if cfg.task not in TASKS:
            raise UserError(
                f"project={cfg.project.name} experiment={cfg.experiment.id}: {cfg.task} runs as a sweep: "
                f"`make sweep EXP={_SWEEPS[cfg.task]}`; stages exist for {', '.join(TASKS)}"
            )
        stage(cfg)


TASKS = ("classification", "detection", "condition", "vision_language")
_SWEEPS = {"timeline": "fusion` or `make sweep EXP=temporal", "ocr": "ocr_signs"}


def be_quiet() -> None:
    """Switch off every library's telemetry, unless the environment says otherwise."""
    os.environ.update({key: os.environ.get(key, value) for key, value in _QUIET.items()})


def help_wanted(arguments: list[str]) -> bool:
    """No argument at all asks for help too: a stage always needs a project."""
    return not arguments or bool({"-h", "--help"} & set(arguments))


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """UserError and errors of a full or read-only disk end in one line on stderr and status 2."""
    try:
        yield
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; run the same command again to go on", status=130)
    except FileNotFoundError as error:
        missing = Path(str(error.filename))
        if missing.parts[:1] not in (("build",), ("runs",)):
            raise
        fail(f"{missing}: no such file; an earlier stage writes it: run `dvc repro`")
    except OSError as error:
        if error.errno not in _DISK:
            raise
        fail(f"{error.filename or 'working folder'}: {_DISK[error.errno]}, then run the same command again")


_DISK = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; make it writable",
    errno.EACCES: "no permission; make it readable and writable",
}


def fail(message: str, status: int = 2) -> NoReturn:
    """Print one line to stderr and exit."""
    print(f"assay: {message}", file=sys.stderr)
    sys.exit(status)


def _configuration(arguments: list[str]) -> Any:
    from assay.config import compose, load_resolved

    if arguments[0].endswith((".yaml", ".yml")):
        if len(arguments) > 1:
            raise UserError(
                f"{arguments[0]} is complete: drop {' '.join(arguments[1:])}, or say project=… instead"
            )
        return load_resolved(Path(arguments[0]))
    return compose(arguments)


def stage_help(name: str, doc: str | None) -> str:
    """What a stage does, how to call it, and what can be chosen."""
    from assay.config.compose import CONF, names

    lines = [
        (doc or "").strip(),
        "",
        f"usage: python -m pipelines.{name} project=<project> [experiment=<id>] [profile=<profile>] [key=value]…",
        f"       python -m pipelines.{name} resolved/<project>.yaml",
        "",
        f"profiles: {', '.join(names('profile'))}",
        "experiments by project:",
    ]
    for project in names("project"):
        known = f"{project}: {', '.join(names(f'experiment/{project}'))}"
        lines.append(textwrap.fill(known, 110, subsequent_indent="    ", break_on_hyphens=False))
    lines += [
        "",
        "Any key of the configuration can be set: `python -m pipelines.configure project=cherry` writes the whole",
        f"of it to resolved/cherry.yaml. Experiments are files in {CONF.name}/experiment/<project>/.",
    ]
    return "\n".join(lines)
