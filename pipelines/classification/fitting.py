"""Training one classifier on the prepared data: shared by the baseline, the experiment and every job of a sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import ClassificationConfig
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.training.classification import TrainedClassifier
    from assay.training.cross_fit import CrossFit


def fit(cfg: ClassificationConfig, stage: str) -> dict[str, Any]:
    """Train as a stage of the graph: into build/<project>/<baseline|model>, recorded as a run; returns model.json."""
    import shutil

    from pipelines.recording import MODEL, model_tags, run_name, stage_run

    out = Path(cfg.build) / {"baseline": "baseline", "train": "model"}[stage]
    with stage_run(cfg, stage, sections=MODEL, name=run_name(cfg), tags=model_tags(cfg)) as run:
        work = Path("runs/training") / cfg.project.name / stage
        info = train_into(cfg, out, work=work, run=run)
        if stage == "train":  # evaluation and export look for the model's run by the model's id
            run.identify(info["id"])
    shutil.rmtree(work, ignore_errors=True)
    return info


def train_into(cfg: ClassificationConfig, out: Path, *, work: Path, run: Run) -> dict[str, Any]:
    """Read data and weights, train, and write the model and its curves to `out`; returns model.json.

    work: folder for the checkpoint. A killed training finds it there and goes on from its last epoch.
    """
    from assay.training.precision import start_torch

    start_torch(cfg.seed)  # before anything else touches torch: its threads must start with denormals flushed
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.files import fresh_folder, read_json
    from assay.models.classifier import save_classifier
    from assay.models.weights import resolve

    build, model, train = Path(cfg.build), cfg.model, cfg.train
    manifest = read_manifest(build / "dataset")
    run.data(source_of(build / "dataset"))
    classes = labels_of(cfg)
    parts = parts_of(cfg, manifest)
    if train.hard_examples.use:
        _say_who_mined(cfg, run)
    weights = resolve(
        model.architecture,
        path=model.weights,
        pretrained=model.pretrained,
        **cfg.profile.weights.model_dump(),
    )
    run.tag("weights", weights.origin)
    if model.pretrained and weights.origin == "random":
        run.rename(f"{run.state['name']} · RANDOM weights")  # never a look-alike of the published experiment

    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        images = part["image"].tolist()
        said = f"reading {name} images"
        arrays[f"{name}_images"] = load_images(Path(cfg.data), images, model.image_size, progress=said)
        arrays[f"{name}_labels"] = part["label"].map(classes.index).to_numpy(copy=True)
    trained, unseen = _train(
        cfg,
        arrays,
        parts["train"]["group"].tolist(),
        {
            "classes": classes,
            "weights": weights,
            "seed": cfg.seed,
            "checkpoint": work / "checkpoint.pt",
            "log": run.metric,
        },
    )

    facts: dict[str, Any] = {
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "images": {name: len(part) for name, part in parts.items()},
    }
    if unseen:
        accuracy = float((unseen.probabilities.argmax(axis=1) == arrays["train_labels"]).mean())
        facts["out_of_fold"] = {"folds": train.folds, "accuracy": accuracy, "collapsed": unseen.collapsed}
        run.metric("out_of_fold/accuracy", accuracy)
    with fresh_folder(out) as folder:
        if unseen:
            unseen.write(folder, parts["train"], classes)
        save_classifier(folder, trained.module, trained.info | facts, as_published=trained.as_published)
        pd.DataFrame(trained.history).to_csv(folder / "history.csv", index=False)
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    info: dict[str, Any] = read_json(out / "model.json")
    if info["collapsed"]:
        run.tag("collapsed", info["collapsed"])
        print(f"COLLAPSED: {cfg.experiment.id} {info['collapsed']}")
    return info


def _train(
    cfg: ClassificationConfig, arrays: dict[str, Any], groups: list[str], more: dict[str, Any]
) -> "tuple[TrainedClassifier, CrossFit | None]":
    """The model, and what its folds say of the training images where the experiment asks for that."""
    from assay.training.classification import train_classifier
    from assay.training.cross_fit import cross_fit
    from assay.training.two_stage import train_two_stage

    settings = cfg.train.model_dump(exclude={"max_images", "maybe", "hard_examples", "select_share", "folds"})
    settings |= cfg.model.model_dump(include={"architecture", "image_size", "input_mode", "freeze"})
    settings |= more | {"features": {}}
    by_fold: dict[str, Any] = {"folds": cfg.train.folds, "train_groups": groups}
    if cfg.train.maybe == "misses":
        return train_two_stage(**arrays, **settings, **by_fold), None
    trained = train_classifier(**arrays, **settings)
    if not cfg.train.folds:
        return trained, None
    unseen = {name: array for name, array in arrays.items() if not name.startswith("val_")}
    return trained, cross_fit(**unseen, **settings, **by_fold)


def labels_of(cfg: ClassificationConfig) -> list[str]:
    """The labels of the images a training starts from; a two-stage training finds its "maybe" by itself."""
    classes = list(cfg.project.classes)
    if cfg.train.maybe == "reviewed":
        classes.insert(1, "maybe")  # document 004: clean 0, maybe 1, pit 2
    return classes


def parts_of(cfg: ClassificationConfig, manifest: "pd.DataFrame") -> dict[str, "pd.DataFrame"]:
    """Rows (image, label, group) by what a training does with them: train, select (keeps back) and val.

    The same for the same configuration and data, so that scoring finds the images that were kept back.
    """
    import pandas as pd

    from assay.training.examples import split_off, training_rows

    how = cfg.train.hard_examples
    rows = training_rows(
        manifest,
        pd.read_csv(Path(cfg.build) / "hard_examples/examples.csv") if how.use else None,
        classes=labels_of(cfg),
        repeat=how.repeat,
        max_images=cfg.train.max_images,
        seed=cfg.seed,
    )
    kept_back = split_off(
        rows["label"].to_numpy(), rows["group"].tolist(), share=cfg.train.select_share, seed=cfg.seed
    )
    val = manifest[manifest["split"] == "val"]
    return {"train": rows[~kept_back], "select": rows[kept_back], "val": val}


def _say_who_mined(cfg: ClassificationConfig, run: Run) -> None:
    """Record whose candidates were reviewed; says so where they were mined under another profile."""
    from assay.files import read_json

    miner = read_json(Path(cfg.build) / "hard_examples/report.json")["mined_by"]
    run.tag("mined_by", f"{miner['experiment']} ({miner['profile']})")
    if miner["profile"] != cfg.profile.name:
        print(
            f"note: hard examples were mined by {miner['experiment']} in the {miner['profile']} profile, "
            f"this training is {cfg.profile.name}"
        )
