"""What a sweep's table and comparison need of classification."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import ClassificationConfig

if TYPE_CHECKING:
    from assay.config.condition import ConditionConfig
    from assay.evaluation.predictions import Predictions
    from assay.evaluation.sections import Section
    from pipelines.gathering import Job

TRAINING = ("pipelines/classification/fitting.py",)
SCORING = ("pipelines/classification/scoring.py", "pipelines/classification/picturing.py")


def data_of(cfg: "ClassificationConfig | ConditionConfig") -> list[Path]:
    """The files that stand for all that training reads; the manifest holds a hash of every image or crop."""
    files = [Path(cfg.build) / "dataset/manifest.parquet"]
    if cfg.train.hard_examples.use:
        files.append(Path(cfg.build) / "hard_examples/examples.csv")
    return files


def published(cfg: ClassificationConfig) -> float | None:
    """The published value of the main metric, as a share."""
    return cfg.experiment.published.share("accuracy") if cfg.experiment.published else None


def predictions_of(jobs: "Sequence[Job]") -> "Predictions":
    """What the jobs predicted on the images reported, as one table."""
    from assay.data.classification import read_manifest

    manifest = read_manifest(Path(jobs[0].cfg.build) / "dataset")
    return predictions_on(manifest.loc[manifest["split"] == "val", "image"].tolist(), jobs)


def predictions_on(images: Sequence[str], jobs: "Sequence[Job]") -> "Predictions":
    """What the jobs predicted on `images`, as one table; a class that a model does not know has probability 0."""
    import pandas as pd

    from assay.evaluation.predictions import Predictions, read_predictions

    paths = [job.folder / "evaluation/predictions.parquet" for job in jobs]
    stored = [read_predictions(path, images=images) for path in paths]
    classes = max((one.classes for one in stored), key=len)
    tables = pd.concat([one.table for one in stored])
    probabilities = [f"p_{name}" for name in classes]
    tables[probabilities] = tables[probabilities].fillna(0.0)
    about = {name: facts for one in stored for name, facts in one.models.items()}
    return Predictions(tables, classes, about, stored[0].data)


def compare(
    stored: "Predictions", jobs: "Sequence[Job]", pairs: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """By accuracy: `pairs` of jobs, and every pair of experiments where seeds repeat them."""
    from assay.evaluation.comparison import compare_all
    from assay.evaluation.seeds import compare_experiments
    from pipelines.gathering import trainings_of

    first = jobs[0].cfg
    how = {"draws": first.evaluate.bootstrap_draws, "seed": first.seed}
    classes = first.project.classes
    found = compare_all(stored, [job.name for job in jobs], classes, pairs=pairs, **how)
    return found, compare_experiments(stored, trainings_of(jobs), classes, **how)


def sections(
    folder: Path, jobs: "Sequence[Job]", stored: "Predictions", requested: Sequence[str]
) -> "list[Section]":
    """Set the jobs' ways to a "maybe" side by side; what the page says more, nothing where no job asks for them.

    requested: what SET changed in every job, which its name need not repeat here.
    """
    from assay.evaluation.predictions import Predictions
    from assay.evaluation.routing_report import route_all

    first = jobs[0].cfg
    short = {job.name: job.name for job in jobs}
    for change in requested:
        short = {name: shown.replace(f" {change} ", " ") for name, shown in short.items()}
    renamed = Predictions(
        stored.table.assign(model=stored.table["model"].replace(short)),
        stored.classes,
        {short.get(name, name): facts for name, facts in stored.models.items()},
        stored.data,
    )
    roles: dict[str, str] = {}
    absent: dict[str, str] = {}
    for job in jobs:
        role = {"misses": "two_stage", "reviewed": "direct", "none": "routing"}[job.cfg.train.maybe]
        if role == "routing" and job.cfg.evaluate.routing is None:
            continue
        if job.status()["status"] == "ok":
            roles.setdefault(role, short[job.name])
        else:
            absent[role] = (
                f"{short[job.name]} {job.status()['status']}: {job.status().get('error', 'it did not end')}"
            )
    asked = [job.cfg.evaluate.routing.recall for job in jobs if job.cfg.evaluate.routing]
    return route_all(
        folder,
        renamed,
        first.project.classes,
        evaluated={short[job.name]: job.folder / "evaluation" for job in jobs if job.name in stored.models},
        roles=roles,
        absent=absent,
        recall=max(asked, default=1.0),
        draws=first.evaluate.bootstrap_draws,
        seed=first.seed,
    )
