"""Run one job of a sweep: train and evaluate the configuration in its folder.

    python -m pipelines.job folder=runs/sweeps/convnextv2/<digest>

Started by pipelines.sweep for every job; by hand it repeats one. What already ended well with the same data and code is
not done again: a killed training goes on from its last epoch, a finished one is only scored when scoring changed.
"""

import traceback
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from assay.config import load_resolved
from assay.config.compose import CONF
from assay.entrypoint import be_quiet
from assay.files import read_json, write_json


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="job")
def main(job: DictConfig) -> None:
    """Run the job unless it is done; writes status.json whatever happens, short of a kill."""
    from filelock import FileLock

    be_quiet()
    folder = Path(job.folder)
    with FileLock(folder / ".lock"):  # a sweep that was killed may have left this very job running
        request = read_json(folder / "request.json")
        status = folder / "status.json"
        if status.is_file() and read_json(status) | {"metrics": None} == _ended(request):
            print(f"{folder}: done before")
            return
        write_json(status, {**_ended(request), "status": "running"})
        try:
            write_json(status, {**_ended(request), "metrics": _train_and_evaluate(folder, request)})
        except BaseException as error:
            said = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            write_json(status, {**_ended(request), "status": "failed", **said})
            raise


def _ended(request: dict[str, str]) -> dict[str, Any]:
    """What status.json says of a job that ended well with these inputs, short of its metrics."""
    inputs = {part: request[part] for part in ("training", "scoring")}
    return {"status": "ok", **inputs, "metrics": None}


def _train_and_evaluate(folder: Path, request: dict[str, str]) -> dict[str, Any]:
    from pipelines.classification.fitting import tell_history, train_into
    from pipelines.classification.scoring import score_into
    from pipelines.recording import MODEL, model_tags, stage_run

    cfg = load_resolved(folder / "config.yaml")
    trained, model = folder / "trained.json", folder / "model"
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
            train_into(cfg, model, checkpoint=folder / "checkpoint.pt", run=run)
            write_json(trained, {"training": request["training"]})
            (folder / "checkpoint.pt").unlink(missing_ok=True)
        return score_into(cfg, folder / "evaluation", request["name"], model, run)


if __name__ == "__main__":
    main()
