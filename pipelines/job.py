"""Run one job of a sweep: train and evaluate the configuration in its folder.

    python -m pipelines.job folder=runs/sweeps/convnextv2/<digest>

Started by pipelines.sweep for every job; by hand it repeats one. What already ended well with the same data and code is
not done again: a killed training goes on from its last epoch, a finished one is only scored when scoring changed. A job
that goes on from another job's model sees to that one first. What the program does not do with this configuration and
these files (UserError) is refused in one line, which is no failure of the sweep.
"""

import shutil
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from assay.config import load_resolved
from assay.config.compose import CONF
from assay.entrypoint import be_quiet
from assay.errors import UserError
from assay.files import read_json, write_json


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="job")
def main(job: DictConfig) -> None:
    """Run the job unless it is done; writes status.json whatever happens, short of a kill."""
    be_quiet()
    _run(Path(job.folder))


def _run(folder: Path) -> None:
    from filelock import FileLock

    with FileLock(folder / ".lock"):  # a sweep that was killed may have left this very job running
        request = read_json(folder / "request.json")
        status = folder / "status.json"
        if status.is_file() and read_json(status) | {"metrics": None} == _ended(request):
            print(f"{folder}: done before")
            return
        write_json(status, {**_ended(request), "status": "running"})
        try:
            if request["after"]:
                _see_to(Path(request["after"]))
            write_json(status, {**_ended(request), "metrics": _train_and_evaluate(folder, request)})
        except UserError as error:  # no failure: it will not do this with these files, and says so
            write_json(status, {**_ended(request), "status": "refused", "error": str(error)})
            print(f"{folder}: refused: {error}")
        except BaseException as error:
            said = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            write_json(status, {**_ended(request), "status": "failed", **said})
            raise


def _ended(request: dict[str, str]) -> dict[str, Any]:
    """What status.json says of a job that ended well with these inputs, short of its metrics."""
    inputs = {part: request[part] for part in ("training", "scoring")}
    return {"status": "ok", **inputs, "metrics": None}


def _see_to(earlier: Path) -> None:
    """Run the job whose model this one goes on from: waits while another process does, does nothing if it is done.

    Raises:
        UserError: that job has failed or was refused.
    """
    request, status = read_json(earlier / "request.json"), earlier / "status.json"
    wanted = {"training": request["training"], "scoring": request["scoring"]}
    known = read_json(status) if status.is_file() else {}
    if not (known.get("status") in ("failed", "refused") and wanted.items() <= known.items()):
        with suppress(Exception):  # its own status says why
            _run(earlier)
        known = read_json(status)
    if known["status"] != "ok":
        raise UserError(f"it goes on from {request['name']}, which ended as {known['status']}")


def _train_and_evaluate(folder: Path, request: dict[str, str]) -> dict[str, Any]:
    from pipelines.recording import MODEL, model_tags, stage_run, tell_history
    from pipelines.tasks import part_of, refuse_what_does_not_fit

    cfg = load_resolved(folder / "config.yaml")
    refuse_what_does_not_fit(cfg)
    fitting, scoring = part_of(cfg.task, "fitting"), part_of(cfg.task, "scoring")
    trained, model, work = folder / "trained.json", folder / "model", folder / "work"
    # a model to go on from: only detectors have one (model.fine_tune, train.teacher)
    more = {"before": Path(request["after"]) / "model"} if request["after"] else {}
    with stage_run(
        cfg,
        "job",
        sections=MODEL,
        name=request["name"],
        folder=folder / "run",
        parent=request["parent"],
        tags={"sweep": request["sweep"], **model_tags(cfg)},
    ) as run:
        if trained.is_file() and read_json(trained)["training"] == request["training"]:
            tell_history(model, run)
        else:
            fitting.train_into(cfg, model, work=work, run=run, **more)
            write_json(trained, {"training": request["training"]})
        shutil.rmtree(work, ignore_errors=True)
        row: dict[str, Any] = scoring.score_into(cfg, folder / "evaluation", request["name"], model, run)
        return row


if __name__ == "__main__":
    main()
