"""Training one classifier on the prepared data: shared by the baseline, the experiment and every job of a sweep."""

import dataclasses
from pathlib import Path

from assay.config import ClassificationConfig
from assay.config.schema import ClassifierModel, ClassifierTraining
from assay.tracking import Run
from assay.training.classification import TrainedClassifier
from pipelines.recording import stage_run


def fit(
    cfg: ClassificationConfig, stage: str, experiment: str, model: ClassifierModel, train: ClassifierTraining
) -> TrainedClassifier:
    """Train as a stage of the graph: into build/<project>/<baseline|model>, recorded as a run."""
    build = Path(cfg.build)
    out = build / {"baseline": "baseline", "train": "model"}[stage]
    name = f"{experiment} · {cfg.profile.name} · seed {cfg.seed}"
    with stage_run(cfg, stage, name=name, experiment=experiment) as run:
        checkpoint = Path("runs/checkpoints") / cfg.project.name / f"{stage}.pt"
        trained = train_into(cfg, out, experiment, model, train, checkpoint=checkpoint, run=run)
        if stage == "train":  # evaluation and export look for the model's run by the model's id
            run.identify(trained.info["id"])
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

    start_torch(
        cfg.seed
    )  # before anything else touches torch: denormals must be flushed before its threads exist
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.files import fresh_folder, read_json
    from assay.models.classifier import save_classifier
    from assay.models.weights import resolve
    from assay.training.classification import train_classifier
    from assay.training.examples import training_rows
    from assay.training.two_stage import train_two_stage

    build = Path(cfg.build)
    manifest = read_manifest(build / "dataset")
    run.data(source_of(build / "dataset"))
    classes = list(cfg.project.classes)
    if train.maybe == "reviewed":
        classes.insert(1, "maybe")  # document 004: clean 0, maybe 1, pit 2
    settings = train.model_dump(exclude={"max_images", "maybe", "hard_examples"})
    settings |= model.model_dump(include={"architecture", "image_size", "input_mode", "freeze"})
    reviewed = pd.read_csv(build / "hard_examples/examples.csv") if train.hard_examples.use else None
    rows = training_rows(
        manifest,
        reviewed,
        classes=classes,
        repeat=train.hard_examples.repeat,
        max_images=train.max_images,
        seed=cfg.seed,
    )
    if train.maybe == "misses":
        settings["train_groups"] = rows["group"].tolist()
    held_out = manifest[manifest["split"] == "val"]
    weights = resolve(
        model.architecture,
        path=model.weights,
        pretrained=model.pretrained,
        **cfg.profile.weights.model_dump(),
    )
    run.tag("weights", weights.origin)
    if model.pretrained and weights.origin == "random":
        run.rename(f"{run.state['name']} · RANDOM weights")  # never a look-alike of the published experiment
    images = [
        load_images(
            Path(cfg.data), part["image"].tolist(), model.image_size, progress=f"reading {name} images"
        )
        for name, part in (("training", rows), ("validation", held_out))
    ]
    labels = [part["label"].map(classes.index).to_numpy(copy=True) for part in (rows, held_out)]
    trained = (train_two_stage if train.maybe == "misses" else train_classifier)(
        train_images=images[0],
        train_labels=labels[0],
        val_images=images[1],
        val_labels=labels[1],
        classes=classes,
        weights=weights,
        seed=cfg.seed,
        checkpoint=checkpoint,
        log=run.metric,
        **settings,
    )
    info = trained.info | {"experiment": experiment, "profile": cfg.profile.name, "images": len(rows)}
    with fresh_folder(out) as folder:
        save_classifier(folder, trained.module, info)
        pd.DataFrame(trained.history).to_csv(folder / "history.csv", index=False)
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    if info["collapsed"]:
        run.tag("collapsed", info["collapsed"])
        print(f"COLLAPSED: {experiment} {info['collapsed']}")
    return dataclasses.replace(trained, info=read_json(out / "model.json"))
