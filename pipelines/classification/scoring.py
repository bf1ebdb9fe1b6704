"""Predict once, score many times: shared by the evaluate stage and every job of a sweep."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import ClassificationConfig
from assay.errors import UserError
from assay.evaluation.predictions import Predictions
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd

    from assay.evaluation.sections import Section


def predict_all(
    cfg: ClassificationConfig, models: dict[str, tuple[ClassificationConfig, Path]]
) -> dict[str, Predictions]:
    """Run every model (name -> the configuration that trained it, its folder) at the size it was trained for.

    Returns "val", the images reported, and "select", those each training kept back to choose its epoch on: what is
    fitted to a model's probabilities is fitted there. The weights chosen on the validation images themselves are a
    model of their own, "<name>, as published".
    """
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import load_images
    from assay.evaluation.predictions import Predictions, table_of
    from assay.models.classifier import WEIGHTS, load_classifier, predict

    dataset = Path(cfg.build) / "dataset"
    manifest = read_manifest(dataset)
    loaded, about = {}, {}
    for name, (own, folder) in models.items():
        both = {selection: load_classifier(folder, selection) for selection in WEIGHTS}
        info = both["clean"][1]
        loaded[name] = both, info, _held_out(own, manifest, info, folder)
        facts = {key: info[key] for key in ("experiment", "profile", "weights")}
        for selection in WEIGHTS:
            chosen = {"selection": selection, "epoch": info["selections"][selection]["epoch"]}
            about[name_of(name, selection)] = {"hash": info["ids"][selection], **chosen, **facts}
    known = {label for _, info, _ in loaded.values() for label in info["classes"]}
    classes = [*cfg.project.classes, *sorted(known - set(cfg.project.classes))]
    tables: dict[str, list[pd.DataFrame]] = {"val": [], "select": []}
    for name, (both, info, shown) in loaded.items():
        for part, rows in shown.items():
            said = f"{part} images for {name}"
            pixels = load_images(Path(cfg.data), rows["image"].tolist(), info["image_size"], progress=said)
            for selection, (module, _) in both.items():
                found = predict(module, pixels, input_mode=info["input_mode"])
                stored = name_of(name, selection)
                tables[part].append(table_of(stored, rows, found, known=info["classes"], classes=classes))
    data = source_of(dataset)
    return {part: Predictions(pd.concat(some), tuple(classes), about, data) for part, some in tables.items()}


def _held_out(
    cfg: ClassificationConfig, manifest: "pd.DataFrame", info: dict[str, Any], trained: Path
) -> dict[str, "pd.DataFrame"]:
    """Rows of the validation images, and of those that the training of `trained` kept back, each once."""
    from pipelines.classification.fitting import parts_of

    parts = parts_of(cfg, manifest)
    found = {name: len(part) for name, part in parts.items()}
    if found != info["images"]:
        raise UserError(
            f"{trained}: trained on {info['images']['train']} images with {info['images']['select']} kept back; the data "
            f"and reviews now give {found['train']} and {found['select']}; train it again"
        )
    select = parts["select"].drop_duplicates("image").assign(leak=False)
    return {"val": parts["val"], "select": select}


def name_of(model: str, selection: str) -> str:
    """What a model's stored predictions are called; the clean selection is the model itself."""
    return model if selection == "clean" else f"{model}, as published"


def score_one(
    cfg: ClassificationConfig, predictions: dict[str, Predictions], model: str, run: Run
) -> dict[str, Any]:
    """Every metric of one model, on all images and without leaks; logged to the run.

    predictions: of `predict_all`. "as_published" holds the same for the epoch that is best on these very images,
    "differences" what the choices add to each other, "temperature" by selection what the images kept back ask for.
    """
    from assay.evaluation.calibration import fit_temperature
    from assay.evaluation.classification import decide, flat, score
    from assay.evaluation.selections import differences
    from assay.models.classifier import WEIGHTS

    routing, classes, val = cfg.evaluate.routing, cfg.project.classes, predictions["val"]
    maybe = "maybe" if "maybe" in val.classes and _answers_maybe(val, model) else None
    draws, seed = cfg.evaluate.bootstrap_draws, cfg.seed
    scores: dict[str, Any] = {}
    temperature: dict[str, Any] = {}
    for selection in WEIGHTS:
        rows = predictions["select"].of(name_of(model, selection))
        rows = rows[rows["label"].isin(classes)]  # "maybe" is no class of the images reported
        kept = decide(rows, classes)
        groups = rows["group"].to_numpy(str)
        temperature[selection] = fit_temperature(kept.truth, kept.scores, groups, draws=draws, seed=seed)
        scores[selection] = score(
            val.of(name_of(model, selection)),
            classes,
            maybe=maybe,
            routing=(routing.pit, routing.maybe) if routing else None,
            temperature=temperature[selection]["temperature"],
            draws=draws,
            seed=seed,
        )
    clean, published = scores["clean"], scores["as_published"]
    found = differences(val, model, name_of(model, "as_published"), classes, draws=draws, seed=seed)
    for prefix, part in (
        ("", clean["all"]),
        ("without_leaks/", clean["without_leaks"]),
        ("as_published/", published["all"]),
        ("as_published/without_leaks/", published["without_leaks"]),
        ("all_minus_without_leaks/", found["all_minus_without_leaks"]),
        ("temperature/", {name: one["temperature"] for name, one in temperature.items()}),
    ):
        for name, value in flat(part).items():
            run.metric(prefix + name, value)
    for name, pair in found["clean_minus_as_published"].items():
        for end, value in flat(pair["accuracy_difference"]).items():
            run.metric(f"clean_minus_as_published/{name}/{end}".rstrip("/"), value)
    return {**clean, "as_published": published, "differences": found, "temperature": temperature}


def route_into(
    cfg: ClassificationConfig, folder: Path, predictions: Predictions, model: str, trained: Path
) -> "list[Section]":
    """Write what `model` routes to clean, maybe and pit into `folder`; the report's sections about it."""
    from assay.evaluation.routing_report import route_one

    routing = cfg.evaluate.routing
    return route_one(
        folder,
        predictions,
        model,
        cfg.project.classes,
        trained=trained,
        production=(routing.pit, routing.maybe) if routing else None,
        recall=routing.recall if routing else 1.0,
        draws=cfg.evaluate.bootstrap_draws,
        seed=cfg.seed,
    )


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
        "collapsed": collapse(info, scores),
        "main": {"name": main, "n": everything["n"], **everything[main]},
        "without_leaks": {"n": scores["without_leaks"]["n"], **scores["without_leaks"][main]},
        "against_baseline": f"{against['verdict']}: {100 * difference['value']:+.1f} points "
        f"({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}), p = {against['p']:.2g}",
    }


def score_into(cfg: ClassificationConfig, out: Path, name: str, trained: Path, run: Run) -> dict[str, Any]:
    """Evaluate one model by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.evaluation.classification import flat
    from assay.files import fresh_folder, read_json, write_json
    from pipelines.classification.picturing import draw

    predictions = predict_all(cfg, {name: (cfg, trained)})
    scores = score_one(cfg, predictions, name, run)
    with fresh_folder(out) as folder:
        store(folder, predictions)
        write_json(folder / "metrics.json", scores)
        sections = route_into(cfg, folder, predictions["val"], name, trained)
        draw(
            cfg,
            folder,
            predictions["val"],
            name,
            scores=scores,
            comparison=None,
            trained=trained,
            sections=sections,
        )
        run.artifact(folder / "report.html")
        for picture in sorted(folder.glob("*.png")):
            run.artifact(picture, "evaluation")
    info, everything = read_json(trained / "model.json"), scores["all"]
    published, found = scores["as_published"], scores["differences"]
    chosen, leaks = found["clean_minus_as_published"], found["all_minus_without_leaks"]
    return {
        "source": predictions["val"].data["source"],
        "weights": info["weights"]["origin"],
        "n": everything["n"],
        "accuracy": everything["accuracy"]["value"],
        "low": everything["accuracy"]["low"],
        "high": everything["accuracy"]["high"],
        "balanced_accuracy": everything["balanced_accuracy"]["value"],
        "f1_macro": everything["f1"]["macro"]["value"],
        "without_leaks": scores["without_leaks"]["accuracy"]["value"],
        "epoch": info["selections"]["clean"]["epoch"],
        "as_published": published["all"]["accuracy"]["value"],
        "as_published_low": published["all"]["accuracy"]["low"],
        "as_published_high": published["all"]["accuracy"]["high"],
        "as_published_without_leaks": published["without_leaks"]["accuracy"]["value"],
        "as_published_epoch": info["selections"]["as_published"]["epoch"],
        **_ends("clean_minus_as_published", chosen["all"]["accuracy_difference"]),
        "clean_minus_as_published_p": chosen["all"]["p"],
        **_ends("clean_minus_as_published_without_leaks", chosen["without_leaks"]["accuracy_difference"]),
        **_ends("leaks_add", leaks["clean"]),
        **_ends("leaks_add_as_published", leaks["as_published"]),
        "last_epoch_accuracy": info["last_accuracy"],
        "ece": everything["calibration"]["ece"]["value"],
        "temperature": scores["temperature"]["clean"]["temperature"],
        "ece_scaled": everything["calibration"]["scaled"]["ece"]["value"],
        "collapsed": collapse(info, scores),
        "majority_share": everything["majority"]["share"],
        **flat({rule: everything[rule] for rule in ("three_class", "routing") if rule in everything}),
    }


def store(folder: Path, predictions: dict[str, Predictions]) -> None:
    """Write predictions.parquet, of the images reported, and predictions_select.parquet, of those kept back."""
    from assay.evaluation.predictions import write_predictions

    write_predictions(folder / "predictions.parquet", predictions["val"])
    write_predictions(folder / "predictions_select.parquet", predictions["select"])


def collapse(info: dict[str, Any], scores: dict[str, Any]) -> str | None:
    """How the training failed or gave one answer to all images, with either choice of the epoch; None: it did not."""
    found = info["collapsed"]
    for said, part in (("", scores), ("as published: ", scores.get("as_published"))):
        if part and part["all"]["collapsed"]:
            found = found or f"{said}every image is called {part['all']['collapsed']}"
    return found


def _ends(name: str, found: dict[str, float]) -> dict[str, float]:
    return {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}


def _answers_maybe(predictions: Predictions, model: str) -> bool:
    return bool((predictions.of(model)["p_maybe"] > 0).any())
