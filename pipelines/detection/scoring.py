"""Predict once, score many times: shared by the evaluate stage and every job of a sweep."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.sections import Section
    from assay.tracking import Run


def predict_all(cfg: DetectionConfig, models: dict[str, Path]) -> "BoxPredictions":
    """Run every detector (name -> its folder) on the validation and test images; each is stored with its thresholds.

    The first one is asked as the configuration says (test-time augmentation, ensemble), the others plainly.
    """
    import pandas as pd

    from assay.data.classification import read_manifest, source_of
    from assay.data.images import read_image
    from assay.data.progress import track
    from assay.evaluation.boxes import BoxPredictions, rows_of
    from assay.models.detector import load_detector
    from assay.training.precision import start_torch
    from pipelines.detection.asking import ask

    start_torch(cfg.seed)
    dataset = Path(cfg.build) / "dataset"
    manifest = read_manifest(dataset)
    held_out = manifest[manifest["split"].isin(("val", "test"))].reset_index(drop=True)
    truth = pd.read_parquet(dataset / "boxes.parquet")
    tables, about = [], {}
    for name, folder in models.items():
        detector, info = load_detector(folder)
        images = (read_image(dataset / image) for image in held_out["image"])
        found = ask(cfg, detector, images, alone=name != next(iter(models)))
        said = track(zip(held_out["image"], found, strict=True), f"{name} looks at images", len(held_out))
        tables.append(rows_of(name, dict(said), detector.classes))
        about[name] = {"hash": info["id"], **{key: info[key] for key in ("experiment", "profile", "weights")}}
        about[name]["negatives"] = info.get("negatives")
    predictions = BoxPredictions(
        boxes=pd.concat(tables, ignore_index=True),
        truth=truth[truth["image"].isin(held_out["image"])].drop(columns="raw").reset_index(drop=True),
        images=held_out[["image", "split", "group", "leak", "width", "height"]],
        classes=tuple(cfg.project.classes),
        models=about,
        data=source_of(dataset),
    )
    for name in models:
        about[name]["thresholds"] = thresholds(cfg, predictions, name)
    return predictions


def thresholds(cfg: DetectionConfig, predictions: "BoxPredictions", model: str) -> dict[str, float]:
    """The confidence from which a model's box is shown, by class.

    Fixed in the configuration; or, with evaluate.inference.thresholds=validation, of the highest F1 on the validation
    images, frozen for test: numbers on val are then flattered, those on test are not. A class of which nothing is
    found there keeps the configured one.
    """
    if cfg.evaluate.inference.thresholds == "fixed":
        return fixed_thresholds(cfg)
    from assay.evaluation.detection import best_thresholds

    return best_thresholds(predictions, model, split="val", otherwise=fixed_thresholds(cfg))


def fixed_thresholds(cfg: DetectionConfig) -> dict[str, float]:
    """The confidence that the configuration gives each class."""
    how = cfg.evaluate.inference
    return {name: how.class_confidence.get(name, how.confidence) for name in cfg.project.classes}


def splits_of(predictions: "BoxPredictions") -> list[str]:
    """The scored splits: validation, whose numbers are published, then test."""
    return [split for split in ("val", "test") if (predictions.images["split"] == split).any()]


def scores_of(cfg: DetectionConfig, predictions: "BoxPredictions", model: str) -> dict[str, Any]:
    """Every metric of one model at its own thresholds by split, on all images and without leaks."""
    from assay.evaluation.detection import score

    how: Any = {"draws": cfg.evaluate.bootstrap_draws, "seed": cfg.seed}
    shown = thresholds(cfg, predictions, model)
    return {
        split: score(predictions, model, split=split, thresholds=shown, **how)
        for split in splits_of(predictions)
    }


def score_one(cfg: DetectionConfig, predictions: "BoxPredictions", model: str, run: "Run") -> dict[str, Any]:
    """`scores_of`, logged to the run."""
    from assay.evaluation.detection import flat

    scores = scores_of(cfg, predictions, model)
    for split, parts in scores.items():
        for part, prefix in (("all", f"{split}/"), ("without_leaks", f"{split}/without_leaks/")):
            for name, value in flat(parts[part]).items():
                run.metric(prefix + name, value)
    return scores


def compare_with(
    cfg: DetectionConfig, predictions: "BoxPredictions", model: str, reference: str
) -> dict[str, Any]:
    """The paired comparison of two models by split, each at its own thresholds."""
    from assay.evaluation.detection_comparison import compare

    return {
        split: compare(
            predictions,
            model,
            reference,
            split=split,
            thresholds=thresholds(cfg, predictions, model),
            reference_thresholds=thresholds(cfg, predictions, reference),
            main=cfg.project.main_metric,
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )
        for split in splits_of(predictions)
    }


def score_grouped(
    cfg: DetectionConfig, predictions: "BoxPredictions", model: str, folder: Path, run: "Run"
) -> dict[str, Any]:
    """What grouping makes of one model's shown boxes, where the configuration asks for it; {} where it does not.

    Writes grouped.parquet (`group_table`) and grouping.json into `folder`: the rule, and for each split how many boxes
    became how many groups, with precision, recall and F1 before and after; logged to the run.
    """
    from dataclasses import replace

    from assay.evaluation.detection import score
    from assay.evaluation.grouping import GroupingRule, group_table
    from assay.files import write_json

    asked = cfg.evaluate.inference.grouping
    if asked is None:
        return {}
    shown = thresholds(cfg, predictions, model)
    table = group_table(
        predictions.of(model), predictions.images, thresholds=shown, rule=GroupingRule(**asked.model_dump())
    )
    table.to_parquet(folder / "grouped.parquet", index=False)
    before_and_after = {"raw": predictions, "grouped": replace(predictions, boxes=table)}
    found: dict[str, Any] = {"rule": asked.model_dump(), "splits": {}}
    for split in splits_of(predictions):
        found["splits"][split] = {}
        for name, boxes in before_and_after.items():
            part = score(
                boxes, model, split=split, thresholds=shown, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed
            )["all"]
            metrics = {metric: part[metric] for metric in ("precision", "recall", "f1")}
            found["splits"][split][name] = {
                "boxes": sum(part["boxes"].values()),
                "objects": part["objects"],
                **metrics,
            }
            run.metric(f"{split}/{name}/boxes", sum(part["boxes"].values()))
            for metric, values in metrics.items():
                run.metric(f"{split}/{name}/{metric}", values["micro"]["value"])
    write_json(folder / "grouping.json", found)
    return found


def not_comparable(cfg: DetectionConfig, source: str, weights: str) -> list[str]:
    """Why a measured number does not stand beside the published one; empty where it does.

    weights: where they came from in the end, not that they are another experiment's.
    """
    reasons = [] if source == "original" else [f"{source} data"]
    if cfg.model.pretrained and weights in ("random", "starter"):
        reasons.append(f"{weights} weights instead of COCO's")
    elif cfg.model.pretrained and weights == "file":
        reasons.append("weights from a file, not the official ones")
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]


def summarise(
    cfg: DetectionConfig,
    scores: dict[str, Any],
    comparison: dict[str, Any],
    info: dict[str, Any],
    source: str,
) -> dict[str, Any]:
    """What the final table shows and `dvc metrics` compares."""
    first, main = next(iter(scores)), cfg.project.main_metric
    part, against = scores[first], comparison[first]["all"]
    return {
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "model": info["id"],
        "source": source,
        "weights": info["weights"]["origin"],
        "collapsed": part["all"]["collapsed"],
        "main": {"name": f"{first} {main}", "n": part["all"]["n"], **part["all"][main]},
        "without_leaks": {"n": part["without_leaks"]["n"], **part["without_leaks"][main]},
        "by_split": {
            split: {name: found["all"][name] for name in ("map50", "map50_95")}
            for split, found in scores.items()
        },
        "against_baseline": _said(against, against[f"{main}_difference"]),
    }


def score_into(cfg: DetectionConfig, out: Path, name: str, trained: Path, run: "Run") -> dict[str, Any]:
    """Evaluate one detector by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.evaluation.proof import reviewers
    from assay.files import fresh_folder, read_json
    from pipelines.proving import keep_video, look_at_video

    predictions = predict_all(cfg, {name: trained})
    run.data(predictions.data)
    scores = score_one(cfg, predictions, name, run)
    with fresh_folder(out) as folder:
        store(cfg, folder, predictions, name, scores=scores, comparison=None, trained=trained, run=run)
        keep_video(folder, look_at_video(cfg, {name: trained}))
        run.artifact(folder / "report.html")
        for picture in sorted(folder.glob("*.png")):
            run.artifact(picture, "evaluation")
    info, first = read_json(trained / "model.json"), next(iter(scores))
    everything = scores[first]["all"]
    return {
        "source": predictions.data["source"],
        "weights": info["weights"]["origin"],
        "weights_root": info["weights"]["root"],
        "weights_detail": info["weights"]["detail"],
        "split": first,
        "n": everything["n"],
        "groups": everything["groups"],
        "train_images": info["images"]["train"],
        "hard_negatives": info["images"]["negatives"],
        "negatives_reviewed_by": reviewers(info.get("negatives") or {}),
        "taught_images": info["images"].get("taught", 0),
        "generated_images": info["images"].get("generated", 0),
        "epoch": info["best_epoch"],
        "epochs_run": info["epochs_run"],
        **_row(everything, ""),
        **_row(scores[first]["without_leaks"], "without_leaks_"),
        **(_row(scores["test"]["all"], "test_") if first != "test" and "test" in scores else {}),
        "collapsed": everything["collapsed"],
    }


def _row(part: dict[str, Any], prefix: str) -> dict[str, Any]:
    """One split's numbers as cells; precision and recall over all classes, false positives per image."""
    rates = {"precision": "micro", "recall": "micro", "false_positives": "all"}
    found = {name: part[name] for name in ("map50", "map50_95")}
    found |= {name: part[name][label] for name, label in rates.items()}
    cells: dict[str, Any] = {} if not prefix else {f"{prefix}n": part["n"]}
    for name, interval in found.items():
        ends = {"": interval["value"], "_low": interval["low"], "_high": interval["high"]}
        cells |= {f"{prefix}{name}{end}": value for end, value in ends.items()}
    return cells


def store(
    cfg: DetectionConfig,
    folder: Path,
    predictions: "BoxPredictions",
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
    run: "Run",
    sections: "Sequence[Section]" = (),
) -> None:
    """Write predictions, metrics, what grouping makes of the boxes, pictures and the page of one model.

    sections: further parts of the page.
    """
    from assay.evaluation.boxes import write_boxes
    from assay.evaluation.page_sections import grouping_section
    from assay.files import write_json
    from pipelines.detection.picturing import draw_report

    write_boxes(folder / "predictions.parquet", predictions)
    write_json(folder / "metrics.json", scores)
    write_json(
        folder / "thresholds.json",
        {
            "by": cfg.evaluate.inference.thresholds,
            "model": predictions.models[model]["hash"],
            "thresholds": thresholds(cfg, predictions, model),
        },
    )
    if comparison is not None:
        write_json(folder / "comparison.json", comparison)
    grouped = score_grouped(cfg, predictions, model, folder, run)
    draw_report(
        cfg,
        folder,
        predictions,
        model,
        scores=scores,
        comparison=comparison,
        trained=trained,
        sections=[*([grouping_section(grouped)] if grouped else []), *sections],
    )


def _said(against: dict[str, Any], difference: dict[str, float]) -> str:
    points = f"{against['verdict']}: {100 * difference['value']:+.1f} points"
    if not isfinite(difference["low"]):
        return f"{points}; one group, so no interval"
    ends = f"{100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}"
    return f"{points} ({ends}), p = {against['p']:.2g}"
