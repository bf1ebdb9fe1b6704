"""How every stage opens its record, and how evaluate and export make sure whose model they hold."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.files import read_json
from assay.tracking import Run, record

MODEL = ("project", "experiment", "profile", "seed", "data", "model", "train", "evaluate")


def stage_run(
    cfg: Any,
    stage: str,
    *,
    sections: tuple[str, ...],
    name: str | None = None,
    folder: Path | None = None,
    model_id: str | None = None,
    parent: str | None = None,
    tags: dict[str, str] | None = None,
) -> AbstractContextManager[Run]:
    """Record the block as a run of `stage` under build/<project>/runs/<stage>, or `folder`.

    Args:
        cfg: the stage's configuration.
        stage: what the run is, e.g. "train".
        sections: the parts of the configuration that the stage reads; they become the run's parameters.
        name: shown in tables; None = the stage's name.
        folder: where the bundle goes.
        model_id: the model that the run looks at: MLflow shows its training, evaluation and export as one run.
        parent: id of the sweep the run belongs to.
        tags: more tags, e.g. the experiment's id.
    """
    return record(
        folder or Path(cfg.build) / "runs" / stage,
        kind=stage,
        project=cfg.project.name,
        name=name or stage,
        config=cfg.model_dump(mode="json", include=set(sections)),
        model_id=model_id,
        parent=parent,
        tags={"stage": stage, "profile": cfg.profile.name, **(tags or {})},
    )


def baseline_as_experiment(cfg: Any) -> Any:
    """The same configuration with the baseline in the experiment's place, so that it trains and is recorded as one."""
    experiment = cfg.experiment.model_copy(
        update={"id": cfg.baseline.experiment, "title": cfg.baseline.experiment, "published": None}
    )
    return cfg.model_copy(
        update={
            "task": cfg.baseline.task,
            "experiment": experiment,
            "model": cfg.baseline.model,
            "train": cfg.baseline.train,
        }
    )


def tell_history(model: Path, run: Run) -> None:
    """Record the curves of a training that was done before; `model` holds its model.json and history.csv."""
    import pandas as pd
    from pandas.errors import EmptyDataError

    run.tag("weights", read_json(model / "model.json")["weights"]["origin"])
    try:
        history = pd.read_csv(model / "history.csv")
    except EmptyDataError:  # nothing was learnt, as with zero-shot prompts
        return
    for row in history.to_dict("records"):
        for name, value in row.items():
            if name != "epoch":
                run.metric(str(name), value, int(row["epoch"]))


def run_name(cfg: Any) -> str:
    """What people read in MLflow's table of runs."""
    return f"{cfg.experiment.id} · {cfg.profile.name} · seed {cfg.seed}"


def model_tags(cfg: Any) -> dict[str, str]:
    """What runs of models are filtered and compared by."""
    scaled = (f"{key} {before} -> {after}" for key, (before, after) in cfg.profile.scaled.items())
    # protocol: what the profile or a request changed of the experiment
    protocol = ", ".join(scaled) or "as written"
    return {"experiment": cfg.experiment.id, "seed": str(cfg.seed), "protocol": protocol}


def version_tags(cfg: Any, info: dict[str, Any], source: str) -> dict[str, str]:
    """What the registry says of a model version."""
    from assay.registry.aliases import variant_name

    scaled = cfg.profile.scaled
    asked = next((scaled[key][0] for key in ("model.architecture", "model.backbone") if key in scaled), "")
    return {
        **model_tags(cfg),
        "project": cfg.project.name,
        "model": info["id"],
        "profile": cfg.profile.name,
        "source": source,
        "weights": info["weights"]["origin"],
        "variant": variant_name(
            info["architecture"], cfg.experiment.id, info["image_size"], published=str(asked)
        ),
    }


def trained_as(cfg: Any, folder: Path) -> dict[str, Any]:
    """model.json of the model in `folder`.

    Raises:
        UserError: it was trained as another experiment, or with another profile or seed, than `cfg` says.
    """
    info: dict[str, Any] = read_json(folder / "model.json")
    wanted = {"experiment": cfg.experiment.id, "profile": cfg.profile.name, "seed": cfg.seed}
    found = {key: info.get(key) for key in wanted}
    if found != wanted:
        raise UserError(
            f"{folder} holds {', '.join(f'{key} {value}' for key, value in found.items())}, not "
            f"{', '.join(f'{key} {value}' for key, value in wanted.items())}; train that first: python -m "
            f"pipelines.train project={cfg.project.name} experiment={cfg.experiment.id} profile={cfg.profile.name}"
        )
    return info
