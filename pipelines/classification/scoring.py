"""Predict once, score many times: shared by the evaluate stage and every job of a sweep."""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.evaluation.predictions import Predictions
from assay.tracking import Run


def predict_all(cfg: ClassificationConfig, models: dict[str, Path]) -> Predictions:
    """Run every model (name -> its folder) on the validation images, at the size each was trained for.

    The weights chosen on the validation images themselves are a model of their own, "<name>, as published".
    """
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.evaluation.predictions import Predictions, table_of
    from assay.models.classifier import WEIGHTS, load_classifier, predict

    dataset = Path(cfg.build) / "dataset"
    manifest = read_manifest(dataset)
    held_out = manifest[manifest["split"] == "val"]
    loaded, about = {}, {}
    for name, folder in models.items():
        for selection in WEIGHTS:
            module, info = load_classifier(folder, selection)
            stored = name_of(name, selection)
            loaded[stored] = module, info
            said = {key: info[key] for key in ("experiment", "profile", "weights")}
            about[stored] = {"hash": info["ids"][selection], "selection": selection, **said}
    known = {label for _, info in loaded.values() for label in info["classes"]}
    classes = [*cfg.project.classes, *sorted(known - set(cfg.project.classes))]
    tables = []
    for name, (module, info) in loaded.items():
        pixels = load_images(
            Path(cfg.data), held_out["image"].tolist(), info["image_size"], progress=f"images for {name}"
        )
        probabilities = predict(module, pixels, input_mode=info["input_mode"])
        tables.append(table_of(name, held_out, probabilities, known=info["classes"], classes=classes))
    return Predictions(pd.concat(tables), tuple(classes), about, source_of(dataset))


def name_of(model: str, selection: str) -> str:
    """What a model's stored predictions are called; the clean selection is the model itself."""
    return model if selection == "clean" else f"{model}, as published"


def score_one(cfg: ClassificationConfig, predictions: Predictions, model: str, run: Run) -> dict[str, Any]:
    """Every metric of one model, on all images and without leaks; logged to the run.

    "as_published" holds the same for the epoch that is best on these very images.
    """
    from assay.evaluation.classification import flat, score

    routing = cfg.evaluate.routing
    maybe = "maybe" if "maybe" in predictions.classes and _answers_maybe(predictions, model) else None
    scores, published = (
        score(
            predictions.of(name_of(model, selection)),
            cfg.project.classes,
            maybe=maybe,
            routing=(routing.pit, routing.maybe) if routing else None,
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )
        for selection in ("clean", "as_published")
    )
    for prefix, part in (
        ("", scores["all"]),
        ("without_leaks/", scores["without_leaks"]),
        ("as_published/", published["all"]),
    ):
        for name, value in flat(part).items():
            run.metric(prefix + name, value)
    return {**scores, "as_published": published}


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
        "epoch": info["selections"]["clean"]["epoch"],
        "as_published": scores["as_published"]["all"]["accuracy"]["value"],
        "as_published_without_leaks": scores["as_published"]["without_leaks"]["accuracy"]["value"],
        "as_published_epoch": info["selections"]["as_published"]["epoch"],
        "last_epoch_accuracy": info["last_accuracy"],
        "collapsed": info["collapsed"] or everything["collapsed"],
        **flat({rule: everything[rule] for rule in ("three_class", "routing") if rule in everything}),
    }


def _answers_maybe(predictions: Predictions, model: str) -> bool:
    return bool((predictions.of(model)["p_maybe"] > 0).any())
