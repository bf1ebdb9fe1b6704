"""Run one job of a sweep: train and evaluate the configuration in its folder.

    python -m pipelines.job folder=runs/sweeps/convnextv2/<digest>

Started by pipelines.sweep for every job; by hand it repeats one. A job that already ended well, with the same data and
code, is not run again; a killed one goes on from its last epoch.
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
    be_quiet()
    folder = Path(job.folder)
    request = read_json(folder / "request.json")
    status_file = folder / "status.json"
    if status_file.is_file():
        known = read_json(status_file)
        if known["status"] == "ok" and known["inputs"] == request["inputs"]:
            print(f"{folder}: done before")
            return
    state = {"status": "running", "inputs": request["inputs"]}
    write_json(status_file, state)
    try:
        write_json(status_file, state | {"status": "ok", "metrics": _train_and_evaluate(folder, request)})
    except BaseException as error:
        write_json(
            status_file,
            state
            | {
                "status": "failed",
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            },
        )
        raise


def _train_and_evaluate(folder: Path, request: dict[str, str]) -> dict[str, Any]:
    from pipelines.fitting import train_into
    from pipelines.recording import stage_run
    from pipelines.scoring import score_into

    cfg = load_resolved(folder / "config.yaml")
    with stage_run(
        cfg,
        "job",
        name=request["name"],
        folder=folder / "run",
        parent=request["parent"],
        tags={"sweep": request["sweep"]},
    ) as run:
        train_into(
            cfg,
            folder / "model",
            cfg.experiment.id,
            cfg.model,
            cfg.train,
            checkpoint=folder / "checkpoint.pt",
            run=run,
        )
        metrics = score_into(cfg, folder / "evaluation", request["name"], folder / "model", run)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return metrics


if __name__ == "__main__":
    main()
