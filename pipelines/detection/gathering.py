"""What a sweep's table and comparison need of detection."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig
from assay.errors import UserError

if TYPE_CHECKING:
    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.sections import Section
    from pipelines.gathering import Job

TRAINING = ("pipelines/detection/fitting.py", "pipelines/detection/pretraining.py")
SCORING = (
    "pipelines/detection/scoring.py",
    "pipelines/detection/asking.py",
    "pipelines/detection/picturing.py",
    "pipelines/proving.py",
)


def data_of(cfg: DetectionConfig) -> list[Path]:
    """The files that stand for all that training reads; the manifest holds a hash of every image."""
    files = [Path(cfg.build) / "dataset/manifest.parquet", Path(cfg.build) / "dataset/boxes.parquet"]
    if cfg.train.hard_negatives or cfg.train.negative_share or cfg.train.reviewed_boxes:
        files.append(Path(cfg.build) / "hard_examples/examples.csv")
    if cfg.train.synthetic:
        files += sorted(Path("src/assay/sample").glob("*.py"))
    if cfg.pretrain is not None or cfg.train.teacher:  # it holds a hash of every clip
        files.append(Path(cfg.build) / "dataset/clips.csv")
    return files


def published(cfg: DetectionConfig) -> float | None:
    """The published mAP50 as a share: tables and plots show mAP50, whichever metric the project keeps epochs by."""
    return cfg.experiment.published.share("map50") if cfg.experiment.published else None


def predictions_of(jobs: "Sequence[Job]") -> "BoxPredictions":
    """What the jobs found, as one table.

    Raises:
        UserError: they were not run on the same images.
    """
    import pandas as pd

    from assay.data.classification import source_of
    from assay.evaluation.boxes import read_boxes

    content = source_of(Path(jobs[0].cfg.build) / "dataset")["content"]
    stored = [read_boxes(job.folder / "evaluation/predictions.parquet", content=content) for job in jobs]
    for job, one in zip(jobs, stored, strict=True):
        if not one.images.equals(stored[0].images) or not one.truth.equals(stored[0].truth):
            raise UserError(
                f"'{job.name}' and '{jobs[0].name}' were not run on the same images; run the sweep again"
            )
    boxes = pd.concat([one.boxes for one in stored], ignore_index=True)
    return replace(
        stored[0], boxes=boxes, models={name: facts for one in stored for name, facts in one.models.items()}
    )


def sections(
    folder: Path, jobs: "Sequence[Job]", stored: "BoxPredictions", requested: Sequence[str]
) -> "list[Section]":
    """The curve over drawn pages, where jobs differ in it; the proof, where the project has video without an object and
    the sweep two detectors or more: the first one that ended well is what is compared with.

    Writes generated.png, proof.csv, .md and .html into the sweep's folder.
    """
    from assay.config.compose import read_sweep
    from assay.files import read_json
    from pipelines.detection.scoring import thresholds
    from pipelines.proving import kept_video, prove

    good = [job for job in jobs if job.name in stored.models]
    curve = _curve(folder, good)
    if len(good) < 2 or good[0].cfg.project.negative_video is None:
        return curve
    scores = {
        job.name: {
            split: part["all"] for split, part in read_json(job.folder / "evaluation/metrics.json").items()
        }
        for job in good
    }
    shares = {
        job.name: job.cfg.train.negative_share for job in good if job.cfg.train.negative_share is not None
    }
    changed = f" ({', '.join(requested)})" if requested else ""
    return (
        curve
        + prove(
            good[0].cfg,
            folder,
            stored,
            kept_video([job.folder / "evaluation" for job in good]),
            scores,
            title=read_sweep(jobs[0].folder.parent.name).title + changed,
            stated={job.name: thresholds(job.cfg, stored, job.name) for job in good},
            shares=shares if len(shares) == len(good) else None,
        )[1]
    )


def _curve(folder: Path, good: "Sequence[Job]") -> "list[Section]":
    """`generated_curve.curve_section`, where there are trainings with different numbers of drawn pages."""
    from assay.evaluation.generated_curve import curve_section
    from assay.files import read_json

    found: dict[float, tuple[int, Any]] = {}
    first = ""
    for job in good:  # of seeds and experiments that draw as many, the first
        scores = read_json(job.folder / "evaluation/metrics.json")
        first = first or next(iter(scores))
        drawn = read_json(job.folder / "model/model.json")["images"].get("generated", 0)
        found.setdefault(job.cfg.train.synthetic, (drawn, scores[first]["all"]))
    if len(found) < 2:
        return []
    return [curve_section(folder, [(times, *one) for times, one in found.items()], split=first)]


def compare(
    stored: "BoxPredictions", jobs: "Sequence[Job]", pairs: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """By mAP and false positives: `pairs` of jobs, and every pair of experiments where seeds repeat them.

    Each split is compared by itself. The later job of a pair is the candidate: what it gives at the recall of the
    earlier one is the question of a sweep that begins with its baseline.
    """
    from assay.evaluation.detection_comparison import compare_all
    from assay.evaluation.detection_seeds import compare_experiments
    from pipelines.detection.scoring import splits_of, thresholds
    from pipelines.gathering import trainings_of

    first, trainings = jobs[0].cfg, trainings_of(jobs)
    how: Any = {
        "draws": first.evaluate.bootstrap_draws,
        "seed": first.seed,
        "main": first.project.main_metric,
    }
    shown = {job.name: thresholds(job.cfg, stored, job.name) for job in jobs}
    turned = [(later, earlier) for earlier, later in pairs]
    found: list[dict[str, Any]] = []
    experiments: list[dict[str, Any]] = []
    for split in splits_of(stored):
        found += compare_all(stored, list(shown), split=split, thresholds=shown, pairs=turned, **how)
        experiments += compare_experiments(stored, trainings, split=split, **how)
    return found, experiments
