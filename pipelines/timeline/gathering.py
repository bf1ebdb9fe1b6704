"""What a sweep's table and comparison need of zone timelines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.timeline import TimelineConfig

if TYPE_CHECKING:
    from assay.evaluation.predictions import Predictions
    from pipelines.gathering import Job

TRAINING = ("pipelines/timeline/fitting.py", "pipelines/timeline/signals.py", "src/assay/mining")
SCORING = ("pipelines/timeline/scoring.py",)


def data_of(cfg: TimelineConfig) -> list[Path]:
    """The files that stand for all that training reads; clips.csv holds a hash of every clip."""
    from assay.data.zone_annotations import FILES

    build = Path(cfg.build)
    listed = [build / f"dataset/{name}" for name in ("clips.csv", "manifest.parquet", "boxes.parquet")]
    return [*listed, build / "baseline/model.json", *sorted(Path(cfg.data).glob(FILES))]


def published(cfg: TimelineConfig) -> float | None:
    """The published frame accuracy as a share."""
    return cfg.experiment.published.share("frame_accuracy") if cfg.experiment.published else None


def predictions_of(jobs: "Sequence[Job]") -> "Predictions":
    """What the jobs told in the annotated frames, as one table."""
    from assay.evaluation.predictions import read_predictions
    from pipelines.classification.gathering import predictions_on

    first = read_predictions(jobs[0].folder / "evaluation/predictions.parquet")
    return predictions_on(first.table["image"].tolist(), jobs)


def compare(
    stored: "Predictions", jobs: "Sequence[Job]", pairs: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """By frame accuracy: `pairs` of jobs, later against earlier, and experiments where seeds repeat them."""
    from assay.evaluation.frames import compare_frames
    from assay.evaluation.seeds import compare_experiments
    from pipelines.gathering import trainings_of

    first = jobs[0].cfg
    how = {"draws": first.evaluate.bootstrap_draws, "seed": first.seed}
    turned = [(later, earlier) for earlier, later in pairs]
    found = compare_frames(stored, [job.name for job in jobs], stored.classes, pairs=turned, **how)
    return found, compare_experiments(stored, trainings_of(jobs), stored.classes, **how)
