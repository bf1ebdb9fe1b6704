"""Predict the test instances once, score them many times."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.config.condition import ConditionConfig, StageTwo, VisionLanguageConfig
from assay.evaluation.predictions import Predictions
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd


def probabilities(
    cfg: StageTwo, trained: Path, rows: "pd.DataFrame"
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """(N, classes) probabilities of the model in `trained` for rows of the manifest, and its model.json.

    Features are computed for the whole manifest, where they are not there yet: the stages share them. A vision-language
    model has none, it is asked.
    """
    from assay.data.condition import read_manifest
    from assay.models.condition import load_condition, probabilities_of
    from pipelines.condition.features import arrays_of, image_features

    if isinstance(cfg, VisionLanguageConfig) and (trained / "adapter_config.json").is_file():
        from pipelines.vision_language.answers import probabilities as asked

        return asked(cfg, trained, rows)
    module, info = load_condition(trained)
    everything = read_manifest(Path(cfg.build) / "dataset")
    features = image_features(cfg, everything, module.backbone)
    position = dict(zip(everything["image"], range(len(everything)), strict=True))
    picked = features[[position[image] for image in rows["image"]]]
    return probabilities_of(module, picked, **arrays_of(rows, info)), info


def predict_all(cfg: ConditionConfig, models: dict[str, Path]) -> tuple[Predictions, Predictions | None]:
    """Every model (name -> its folder) on the test instances, as normal or conditional.

    The probabilities of finer classes (blocked, damaged; the nine names) are summed to those two. Where the first
    model, the one that `cfg` trains, has such, a second table holds its own classes.
    """
    import pandas as pd

    from assay.data.condition import labels_of, read_manifest
    from assay.data.source import read_source
    from assay.evaluation.predictions import table_of

    dataset, two = Path(cfg.build) / "dataset", cfg.project.classes
    manifest = read_manifest(dataset)
    rows = manifest[manifest["split"] == "test"]
    tables, about, own = [], {}, None
    for name, folder in models.items():
        found, info = probabilities(cfg, folder, rows)
        member = np.array([[info["two"].get(label) == kind for kind in two] for label in info["classes"]])
        summed = found.astype(np.float64) @ member
        tables.append(table_of(name, rows, summed, known=two, classes=two))
        about[name] = {"hash": info["id"], **{key: info[key] for key in ("experiment", "profile", "weights")}}
        if name == next(iter(models)) and cfg.model.classes != "binary":
            labels, _ = labels_of(manifest, cfg.model.classes, two)
            finer = rows.assign(label=labels[rows.index])
            classes = info["classes"]
            table = table_of(name, finer, found.astype(np.float64), known=classes, classes=classes)
            own = Predictions(table, tuple(classes), {name: about[name]}, read_source(dataset))
    return Predictions(pd.concat(tables), tuple(two), about, read_source(dataset)), own


def score_one(cfg: ConditionConfig, predictions: Predictions, model: str, run: Run) -> dict[str, Any]:
    """Every metric of one model, on all instances and without leaks; logged to the run.

    Adds by_type (accuracy of each object type, Wilson), by_detector (of objects that the authors' detector found, and of
    those it missed, whose confidence is a default) and type_alone: how often the label that is the more frequent one of
    an object's type in training is right, the accuracy that takes no picture.
    """
    from assay.data.condition import read_manifest
    from assay.data.condition_features import missed
    from assay.evaluation.classification import decide, flat, score
    from assay.evaluation.intervals import wilson

    rows = predictions.of(model)
    scores = score(rows, predictions.classes, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed)
    manifest = read_manifest(Path(cfg.build) / "dataset")
    types = manifest.set_index("image")["object_type"]
    missing = dict(zip(manifest["image"], missed(manifest), strict=True))
    train = manifest[manifest["split"] == "train"]
    usual = train.groupby("object_type")["label"].agg(lambda labels: labels.value_counts().index[0])
    for part, kept in (("all", rows), ("without_leaks", rows[~rows["leak"].to_numpy(bool)])):
        kinds, correct = types[kept["image"]].to_numpy(), decide(kept, predictions.classes).correct
        found = np.where([missing[image] for image in kept["image"]], "missed", "found")
        scores[part]["by_type"], scores[part]["by_detector"] = (
            {
                name: {"n": int((names == name).sum())}
                | wilson(int(correct[names == name].sum()), int((names == name).sum())).as_dict()
                for name in each
            }
            for names, each in ((kinds, cfg.prepare.object_types), (found, ("found", "missed")))
        )
        right = (kept["label"].to_numpy() == usual.reindex(kinds).to_numpy()).sum()
        scores[part]["type_alone"] = wilson(int(right), len(kept)).as_dict()
        prefix = "" if part == "all" else f"{part}/"
        for name, value in flat(scores[part]).items():
            run.metric(prefix + name, value)
    return scores


def score_into(cfg: ConditionConfig, out: Path, name: str, trained: Path, run: Run) -> dict[str, Any]:
    """Evaluate one model by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.files import fresh_folder, read_json
    from pipelines.classification.scoring import collapse

    predictions, own_predictions = predict_all(cfg, {name: trained})
    run.data(predictions.data)
    scores = score_one(cfg, predictions, name, run)
    with fresh_folder(out) as folder:
        own = store(
            cfg,
            folder,
            predictions,
            own_predictions,
            name,
            scores=scores,
            comparison=None,
            trained=trained,
            run=run,
        )
        run.artifact(folder / "report.html")
        for picture in sorted(folder.glob("*.png")):
            run.artifact(picture, "evaluation")
    info, everything, without = read_json(trained / "model.json"), scores["all"], scores["without_leaks"]
    return {
        "source": predictions.data["source"],
        "weights": info["weights"]["origin"],
        "backbone": info["backbone"],
        "split": "test",
        "n": everything["n"],
        "groups": everything["groups"],
        "trained_on": info["trained_on"],
        "epoch": info["best_epoch"],
        "epochs_run": info["epochs_run"],
        "accuracy": everything["accuracy"]["value"],
        "low": everything["accuracy"]["low"],
        "high": everything["accuracy"]["high"],
        "balanced_accuracy": everything["balanced_accuracy"]["value"],
        "balanced_accuracy_low": everything["balanced_accuracy"]["low"],
        "balanced_accuracy_high": everything["balanced_accuracy"]["high"],
        "f1_macro": everything["f1"]["macro"]["value"],
        "without_leaks": without["accuracy"]["value"],
        "type_alone": everything["type_alone"]["value"],
        "majority_share": everything["majority"]["share"],
        "ece": everything["calibration"]["ece"]["value"],
        "collapsed": collapse(info, scores),
        **{
            f"accuracy_{kind}": one["value"]
            for kind, one in (everything["by_type"] | everything["by_detector"]).items()
            if one["n"]
        },
        **({"own_classes": own["all"]["accuracy"]["value"]} if own else {}),
    }


def store(
    cfg: ConditionConfig,
    folder: Path,
    predictions: Predictions,
    own_predictions: Predictions | None,
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
    run: Run,
) -> dict[str, Any] | None:
    """Write predictions, metrics, pictures and the page of one model; returns the scores on its own finer classes."""
    from assay.evaluation.classification import score
    from assay.evaluation.predictions import write_predictions
    from assay.files import write_json
    from pipelines.condition.picturing import draw

    own = None
    write_predictions(folder / "predictions.parquet", predictions)
    if own_predictions is not None:
        rows, classes = own_predictions.of(model), own_predictions.classes
        own = score(rows, classes, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed)
        run.metric("own_classes/accuracy", own["all"]["accuracy"]["value"])
        write_predictions(folder / "predictions_own.parquet", own_predictions)
        write_json(folder / "metrics_own.json", own)
    write_json(folder / "metrics.json", scores)
    if comparison is not None:
        write_json(folder / "comparison.json", comparison)
    draw(cfg, folder, predictions, model, scores=scores, own=own, comparison=comparison, trained=trained)
    return own


def not_comparable(cfg: ConditionConfig, source: str, weights: str) -> list[str]:
    """Why a measured number does not stand beside the published one; empty where it does."""
    reasons = [] if source == "original" else [f"{source} data"]
    if weights == "random":
        reasons.append("random weights instead of pretrained")
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]
