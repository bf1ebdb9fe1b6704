"""What a sweep's table and comparison need of condition classification."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import ConditionConfig
from pipelines.classification.gathering import data_of as data_of_crops

if TYPE_CHECKING:
    from assay.evaluation.predictions import Predictions
    from pipelines.gathering import Job

TRAINING = ("pipelines/condition/fitting.py", "pipelines/condition/features.py")
SCORING = ("pipelines/condition/scoring.py", "pipelines/condition/picturing.py")


def data_of(cfg: ConditionConfig) -> list[Path]:
    """The files that stand for all that training reads; drawn.parquet holds a hash of every crop."""
    drawn = [Path(cfg.build) / "hard_examples" / name for name in ("drawn.csv", "drawn.parquet")]
    return data_of_crops(cfg) + (drawn if cfg.train.hard_examples.use else [])


def published(cfg: ConditionConfig) -> float | None:
    """The published test accuracy as a share, of experiments that tell the same two classes apart."""
    from pipelines.condition.picturing import published_accuracy

    return published_accuracy(cfg).get("accuracy")


def predictions_of(jobs: "Sequence[Job]") -> "Predictions":
    """What the jobs predicted on the test instances, as one table."""
    from assay.data.condition import read_manifest
    from pipelines.classification.gathering import predictions_on

    manifest = read_manifest(Path(jobs[0].cfg.build) / "dataset")
    return predictions_on(manifest.loc[manifest["split"] == "test", "image"].tolist(), jobs)


def compare(
    stored: "Predictions", jobs: "Sequence[Job]", pairs: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """By accuracy: `pairs` of jobs, and every pair of experiments where seeds repeat them."""
    from pipelines.classification import gathering

    return gathering.compare(stored, jobs, pairs)
