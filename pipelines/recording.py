"""How every stage opens its record."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from assay.tracking import Run, record


def stage_run(
    cfg: Any,
    stage: str,
    *,
    name: str | None = None,
    folder: Path | None = None,
    experiment: str | None = None,
    model_id: str | None = None,
    parent: str | None = None,
    tags: dict[str, str] | None = None,
) -> AbstractContextManager[Run]:
    """Record the block as a run of `stage` under build/<project>/runs/<stage>, or `folder`.

    Args:
        cfg: the stage's configuration.
        stage: what the run is, e.g. "train".
        name: shown in tables; None = the stage's name.
        folder: where the bundle goes.
        experiment: the experiment's id; None = the configuration's.
        model_id: the model that the run made or looks at: MLflow shows a model's training, evaluation and export as
            one run.
        parent: id of the sweep the run belongs to.
        tags: more tags, e.g. the sweep's name.
    """
    return record(
        folder or Path(cfg.build) / "runs" / stage,
        kind=stage,
        project=cfg.project.name,
        name=name or stage,
        config=cfg.model_dump(mode="json"),
        model_id=model_id,
        parent=parent,
        tags={
            "stage": stage,
            "experiment": experiment or cfg.experiment.id,
            "profile": cfg.profile.name,
            "seed": str(cfg.seed),
            **(tags or {}),
        },
    )
