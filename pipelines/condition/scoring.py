"""Predict the test instances once, score them many times."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.config.condition import ConditionConfig
from assay.evaluation.predictions import Predictions
from assay.tracking import Run

if TYPE_CHECKING:
    import pandas as pd


def probabilities(
    cfg: ConditionConfig, trained: Path, rows: "pd.DataFrame"
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """(N, classes) probabilities of the model in `trained` for rows of the manifest, and its model.json.

    Features are computed for the whole manifest, where they are not there yet: the stages share them.
    """
    from assay.data.condition import read_manifest
    from assay.models.condition import load_condition, probabilities_of
    from pipelines.condition.features import arrays_of, image_features

    module, info = load_condition(trained)
    everything = read_manifest(Path(cfg.build) / "dataset")
    features = image_features(cfg, everything, module.backbone)
    position = dict(zip(everything["image"], range(len(everything)), strict=True))
    picked = features[[position[image] for image in rows["image"]]]
    return probabilities_of(module, picked, **arrays_of(rows, info)), info


def predict_all(cfg: ConditionConfig, models: dict[str, Path]) -> tuple[Predictions, Predictions | None]:
    """Every model (name -> its folder) on the test instances, as normal or conditional.

    The probabilities of finer classes (blocked, damaged; the nine names) are summed to those two. Where the model
    named "model" has such, a second table holds its own classes.
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
        if name == "model" and cfg.model.classes != "binary":
            labels, _ = labels_of(manifest, cfg.model.classes, two)
            finer = rows.assign(label=labels[rows.index])
            classes = info["classes"]
            table = table_of(name, finer, found.astype(np.float64), known=classes, classes=classes)
            own = Predictions(table, tuple(classes), {name: about[name]}, read_source(dataset))
    return Predictions(pd.concat(tables), tuple(two), about, read_source(dataset)), own


def score_one(cfg: ConditionConfig, predictions: Predictions, model: str, run: Run) -> dict[str, Any]:
    """Every metric of one model, on all instances and without leaks; logged to the run.

    Adds by_type (accuracy of each object type, Wilson) and type_alone: how often the label that is the more frequent
    one of an object's type in training is right, the accuracy that takes no picture.
    """
    from assay.data.condition import read_manifest
    from assay.evaluation.classification import decide, flat, score
    from assay.evaluation.intervals import wilson

    rows = predictions.of(model)
    scores = score(rows, predictions.classes, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed)
    manifest = read_manifest(Path(cfg.build) / "dataset")
    types = manifest.set_index("image")["object_type"]
    train = manifest[manifest["split"] == "train"]
    usual = train.groupby("object_type")["label"].agg(lambda labels: labels.value_counts().index[0])
    for part, kept in (("all", rows), ("without_leaks", rows[~rows["leak"].to_numpy(bool)])):
        kinds, correct = types[kept["image"]].to_numpy(), decide(kept, predictions.classes).correct
        scores[part]["by_type"] = {
            kind: {"n": int((kinds == kind).sum())}
            | wilson(int(correct[kinds == kind].sum()), int((kinds == kind).sum())).as_dict()
            for kind in cfg.prepare.object_types
        }
        right = (kept["label"].to_numpy() == usual.reindex(kinds).to_numpy()).sum()
        scores[part]["type_alone"] = wilson(int(right), len(kept)).as_dict()
        prefix = "" if part == "all" else f"{part}/"
        for name, value in flat(scores[part]).items():
            run.metric(prefix + name, value)
    return scores


def not_comparable(cfg: ConditionConfig, source: str, weights: str) -> list[str]:
    """Why a measured number does not stand beside the published one; empty where it does."""
    reasons = [] if source == "original" else [f"{source} data"]
    if weights == "random":
        reasons.append("random weights instead of pretrained")
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]
