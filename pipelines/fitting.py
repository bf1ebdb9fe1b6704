"""Training one classifier on the prepared data: shared by the baseline, the experiment and every job of a sweep."""

from pathlib import Path

from assay.config import ClassificationConfig
from assay.config.schema import ClassifierModel, ClassifierTraining
from assay.training.classification import TrainedClassifier
from assay.tracking import Run
from pipelines.recording import stage_run


def fit(
    cfg: ClassificationConfig, stage: str, experiment: str, model: ClassifierModel, train: ClassifierTraining
) -> TrainedClassifier:
    """Train as a stage of the graph: into build/<project>/<baseline|model>, recorded as a run."""
    from assay.models.classifier import model_hash

    build = Path(cfg.build)
    out = build / {"baseline": "baseline", "train": "model"}[stage]
    name = f"{experiment} · {cfg.profile.name} · seed {cfg.seed}"
    with stage_run(cfg, stage, name=name, experiment=experiment) as run:
        checkpoint = Path("runs/checkpoints") / cfg.project.name / f"{stage}.pt"
        trained = train_into(cfg, out, experiment, model, train, checkpoint=checkpoint, run=run)
        run.model_id(model_hash(out))
    checkpoint.unlink(missing_ok=True)
    return trained


def train_into(
    cfg: ClassificationConfig,
    out: Path,
    experiment: str,
    model: ClassifierModel,
    train: ClassifierTraining,
    *,
    checkpoint: Path,
    run: Run,
) -> TrainedClassifier:
    """Read data and weights, train, and write the model and its curves to `out`."""
    from assay.training.precision import start_torch

    start_torch(cfg.seed)  # before anything else touches torch: denormals must be flushed before its threads exist
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.evaluation.plots import training_curves
    from assay.models.classifier import save_classifier
    from assay.models.weights import resolve
    from assay.training.classification import train_classifier
    from assay.training.examples import training_rows
    from assay.training.two_stage import train_two_stage

    build, data = Path(cfg.build), Path(cfg.data)
    manifest = read_manifest(build / "dataset")
    run.data(source_of(build / "dataset"))
    classes = list(cfg.project.classes)
    if train.maybe != "none":
        classes.insert(1, "maybe")  # document 004: clean 0, maybe 1, pit 2
    reviewed = pd.read_csv(build / "hard_examples/examples.csv") if train.hard_examples.use else None
    rows = training_rows(
        manifest, reviewed, classes=classes, repeat=train.hard_examples.repeat, max_images=train.max_images, seed=cfg.seed
    )
    held_out = manifest[manifest["split"] == "val"].reset_index(drop=True)
    weights = resolve(
        model.architecture, path=model.weights, pretrained=model.pretrained, **cfg.profile.weights.model_dump()
    )
    run.tag("weights", weights.origin)
    method = train_two_stage if train.maybe == "misses" else train_classifier
