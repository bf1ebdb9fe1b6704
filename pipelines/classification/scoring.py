"""Predict once, score many times: shared by the evaluate stage and every job of a sweep."""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.evaluation.predictions import Predictions
from assay.tracking import Run


def predict_all(cfg: ClassificationConfig, models: dict[str, Path]) -> Predictions:
    """Run every model (name -> its folder) on the validation images, at the size each was trained for."""
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.evaluation.predictions import Predictions, table_of
    from assay.models.classifier import load_classifier, predict

    dataset = Path(cfg.build) / "dataset"
    manifest = read_manifest(dataset)
    held_out = manifest[manifest["split"] == "val"]
    loaded = {name: load_classifier(folder) for name, folder in models.items()}
    known = {label for _, info in loaded.values() for label in info["classes"]}
    classes = [*cfg.project.classes, *sorted(known - set(cfg.project.classes))]
    tables = []
    for name, (module, info) in loaded.items():
        pixels = load_images(
            Path(cfg.data), held_out["image"].tolist(), info["image_size"], progress=f"images for {name}"
        )
        probabilities = predict(module, pixels, input_mode=info["input_mode"])
        tables.append(table_of(name, held_out, probabilities, known=info["classes"], classes=classes))
    about = {
        name: {"hash": info["id"], **{key: info[key] for key in ("experiment", "profile", "weights")}}
        for name, (_, info) in loaded.items()
    }
    return Predictions(pd.concat(tables), tuple(classes), about, source_of(dataset))


def score_one(cfg: ClassificationConfig, predictions: Predictions, model: str, run: Run) -> dict[str, Any]:
    """Every metric of one model, on all images and without leaks; logged to the run."""
    from assay.evaluation.classification import flat, score

    routing = cfg.evaluate.routing
    scores = score(
        predictions.of(model),
        cfg.project.classes,
        maybe="maybe" if "maybe" in predictions.classes and _answers_maybe(predictions, model) else None,
        routing=(routing.pit, routing.maybe) if routing else None,
        draws=cfg.evaluate.bootstrap_draws,
        seed=cfg.seed,
    )
    for part, prefix in (("all", ""), ("without_leaks", "without_leaks/")):
        for name, value in flat(scores[part]).items():
            run.metric(prefix + name, value)
    return scores


def not_comparable(cfg: ClassificationConfig, source: str, weights: str) -> list[str]:
    """Why a measured number does not stand beside the published one; empty where it does."""
    reasons = [] if source == "original" else [f"{source} data"]
    if cfg.model.pretrained and weights == "random":
        reasons.append("random weights instead of pretrained")
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]


def summarise(
    cfg: ClassificationConfig,
    scores: dict[str, Any],
    comparison: dict[str, Any],
    info: dict[str, Any],
    source: str,
) -> dict[str, Any]:
    """What the final table shows and `dvc metrics` compares."""
    everything, against, main = scores["all"], comparison["all"], cfg.project.main_metric
    difference = against["accuracy_difference"]
    return {
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "model": info["id"],
        "source": source,
        "weights": info["weights"]["origin"],
        "collapsed": info["collapsed"] or everything["collapsed"],
        "main": {"name": main, "n": everything["n"], **everything[main]},
        "without_leaks": {"n": scores["without_leaks"]["n"], **scores["without_leaks"][main]},
        "against_baseline": f"{against['verdict']}: {100 * difference['value']:+.1f} points "
        f"({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}), p = {against['p']:.2g}",
    }


def score_into(cfg: ClassificationConfig, out: Path, name: str, trained: Path, run: Run) -> dict[str, Any]:
    """Evaluate one model by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.evaluation.classification import flat
    from assay.evaluation.predictions import write_predictions
    from assay.files import fresh_folder, read_json, write_json
    from pipelines.classification.picturing import draw

    predictions = predict_all(cfg, {name: trained})
    scores = score_one(cfg, predictions, name, run)
    with fresh_folder(out) as folder:
        write_predictions(folder / "predictions.parquet", predictions)
        write_json(folder / "metrics.json", scores)
        draw(cfg, folder, predictions, name, scores=scores, comparison=None, trained=trained)
        run.artifact(folder / "report.html")
        for picture in sorted(folder.glob("*.png")):
            run.artifact(picture, "evaluation")
    info, everything = read_json(trained / "model.json"), scores["all"]
    return {
        "source": predictions.data["source"],
        "weights": info["weights"]["origin"],
        "n": everything["n"],
        "accuracy": everything["accuracy"]["value"],
        "low": everything["accuracy"]["low"],
        "high": everything["accuracy"]["high"],
        "balanced_accuracy": everything["balanced_accuracy"]["value"],
        "f1_macro": everything["f1"]["macro"]["value"],
        "without_leaks": scores["without_leaks"]["accuracy"]["value"],
        "best_epoch": info["best_epoch"],
        "last_epoch_accuracy": info["last_accuracy"],
        "collapsed": info["collapsed"] or everything["collapsed"],
        **flat({rule: everything[rule] for rule in ("three_class", "routing") if rule in everything}),
    }


def _answers_maybe(predictions: Predictions, model: str) -> bool:
    return bool((predictions.of(model)["p_maybe"] > 0).any())
