"""Read the test signs, tell their kind from the text, and score both."""

from pathlib import Path
from typing import Any

import numpy as np

from assay.config.timeline import OcrConfig
from assay.data.signs import LABELS, WORK_ZONE, read_signs
from assay.evaluation.predictions import Predictions
from assay.tracking import Run


def predict_all(cfg: OcrConfig, name: str, trained: Path) -> tuple[Predictions, dict[str, str]]:
    """Both kinds' probabilities for every test sign, and what was read on it. Signs of one text share a group."""
    from assay.data.source import read_source
    from assay.evaluation.predictions import table_of
    from assay.files import read_json
    from assay.models.sign_text import by_letters, by_phrases
    from pipelines.ocr.readings import readings

    info, learnt = read_json(trained / "model.json"), read_json(trained / "text.json")
    signs = read_signs(Path(cfg.data))
    test = signs[signs["split"] == "test"]
    texts = readings(cfg, test)
    read = [texts[image] for image in test["image"]]
    if info["classifier"] == "letters":
        told = by_letters(read, learnt)
    else:
        told = by_phrases(read, learnt["phrases"], at_least=learnt["likeness"])
    rows = test.assign(group=test["text"], leak=False)
    table = table_of(name, rows, np.stack([1 - told, told], axis=1), known=LABELS, classes=LABELS)
    about = {"hash": info["id"], **{key: info[key] for key in ("experiment", "profile", "weights")}}
    return Predictions(table, LABELS, {name: about}, read_source(Path(cfg.data))), texts


def score_into(cfg: OcrConfig, out: Path, name: str, trained: Path, run: Run) -> dict[str, Any]:
    """Evaluate one way to tell signs by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.evaluation.classification import decide, flat
    from assay.evaluation.frames import score_frames
    from assay.evaluation.intervals import bootstrap
    from assay.evaluation.metrics import weighted_share
    from assay.evaluation.predictions import write_predictions
    from assay.evaluation.texts import edit_distance
    from assay.files import fresh_folder, read_json, write_json
    from assay.models.sign_text import plain

    predictions, texts = predict_all(cfg, name, trained)
    run.data(predictions.data)
    rows, info = predictions.of(name), read_json(trained / "model.json")
    draws, seed = cfg.evaluate.bootstrap_draws, cfg.seed
    scores = score_frames(rows, LABELS, draws=draws, seed=seed)
    everything = scores["all"]
    read = np.array([bool(plain(texts[image])) for image in rows["image"]])
    right = decide(rows, LABELS).correct
    wrong = np.array(
        [
            edit_distance(plain(texts[image]), plain(text))
            for image, text in zip(rows["image"], rows["group"], strict=True)
        ]
    )
    letters = np.array([len(plain(text)) for text in rows["group"]])

    def reading(weights: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(invalid="ignore"):
            return {
                "read_share": weighted_share(weights, read),
                "read_accuracy": (weights @ (read & right)) / (weights @ read),
                "character_errors": (weights @ wrong) / (weights @ letters),
            }

    told = bootstrap(reading, rows["group"].to_numpy(str), draws=draws, seed=seed)
    for metric, value in flat(everything).items():
        run.metric(metric, value)
    for metric, found in told.items():
        run.metric(metric, found.value)
    with fresh_folder(out) as folder:
        write_predictions(folder / "predictions.parquet", predictions)
        write_json(
            folder / "metrics.json", scores | {"reading": {key: one.as_dict() for key, one in told.items()}}
        )
        said = rows.assign(read=[texts[image] for image in rows["image"]], right=right)
        said[["image", "label", "group", "read", f"p_{WORK_ZONE}", "right"]].rename(
            columns={"group": "text"}
        ).to_csv(folder / "read.csv", index=False)
        _draw(cfg, folder, predictions, scores, info)
        for path in (folder / "report.html", folder / "read.csv"):
            run.artifact(path)
    shares = {
        "balanced_accuracy": everything["balanced_accuracy"],
        "recall_work_zone": everything["recall"][WORK_ZONE],
        "precision_work_zone": everything["precision"][WORK_ZONE],
        **{key: one.as_dict() for key, one in told.items()},
    }
    return {
        "source": predictions.data["source"],
        "weights": info["weights"]["origin"],
        "split": "test",
        "n": everything["n"],
        "groups": everything["groups"],
        "trained_on": info["trained_on"],
        "accuracy": everything["accuracy"]["value"],
        "low": everything["accuracy"]["low"],
        "high": everything["accuracy"]["high"],
        **{
            f"{key}{end}": found[part]
            for key, found in shares.items()
            for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))
        },
        "majority_share": everything["majority"]["share"],
        "collapsed": everything["collapsed"] and f"every sign is called {everything['collapsed']}",
    }


def _draw(
    cfg: OcrConfig, folder: Path, predictions: Predictions, scores: dict[str, Any], info: dict[str, Any]
) -> None:
    from assay.data.images import read_image
    from assay.evaluation import gallery, plots
    from assay.evaluation.report import write_report
    from pipelines.heading import heading

    plots.plot_confusion(folder / "confusion.png", scores["all"]["confusion"], LABELS)
    worst = gallery.worst_mistakes(predictions.of(next(iter(predictions.models))), LABELS)
    gallery.draw_gallery(
        folder / "worst_mistakes.png", worst, lambda image: read_image(Path(cfg.data) / image)
    )
    write_report(
        folder / "report.html",
        **heading(
            cfg,
            info,
            predictions.data,
            doubts=not_comparable(cfg, predictions.data["source"], info["weights"]["origin"]),
            facts={"told by": info["classifier"], "learnt from": f"{info['trained_on']} signs"},
        ),
        scores=scores,
        comparison=None,
        published={},
        figures=[
            ("Confusion matrix", folder / "confusion.png"),
            ("The most confident mistakes", folder / "worst_mistakes.png"),
        ],
    )


def not_comparable(cfg: OcrConfig, source: str, weights: str) -> list[str]:
    """Why a measured number would not stand beside a published one. weights: the reader's, always its wheel's."""
    reasons = [] if source == "original" else [f"{source} data"]
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]
