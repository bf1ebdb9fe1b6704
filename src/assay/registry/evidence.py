"""Two registered models on the same frozen test set: read from what their evaluations stored, nothing is run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.files import read_json
from assay.registry.catalog import Catalog, Version, predictions_of

if TYPE_CHECKING:
    import pandas as pd

    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.predictions import Predictions

METRICS = {
    "images": ("accuracy",),
    "boxes": ("map50", "map50_95", "false_positives"),  # false positives an image at the other's recall
}
POINTS = {"accuracy", "map50", "map50_95"}  # shares: said in percentage points


@dataclass(frozen=True)
class Side:
    """One of the two.

    stored: its name among the stored predictions. thresholds: its own, by class, of detectors. metric: its project's main
    one.
    """

    said: str
    stored: str
    predictions: "Predictions | BoxPredictions"
    thresholds: Mapping[str, float]
    metric: str


def side_of(catalog: Catalog, version: Version, stored: str = "model") -> Side:
    """What the evaluation of a version stored for it, or for the baseline it was compared with.

    Raises:
        UserError: its export or its predictions are gone or damaged, or the predictions are another model's.
    """
    from assay.evaluation.boxes import read_boxes
    from assay.evaluation.predictions import read_predictions

    about = read_json(catalog.exported(version) / "metadata.json")
    path = predictions_of(catalog, version)
    boxes = path.with_name("truth.parquet").is_file()
    predictions = read_boxes(path) if boxes else read_predictions(path)
    made_by = predictions.models.get("model", {}).get("hash")
    if made_by != version.tags.get("model"):
        raise UserError(
            f"{path}: predictions of model {str(made_by)[:12]}, not of {version.said}"
            f" ({str(version.tags.get('model'))[:12]}); run `assay registry sync` after its own evaluate stage"
        )
    made_on, ours = predictions.data.get("content"), (about.get("source") or {}).get("content")
    if made_on != ours:
        raise UserError(
            f"{path}: predictions of other data (content {str(made_on)[:12]}), {version.said} was made on"
            f" {str(ours)[:12]}; run `dvc repro` with its experiment, then `assay registry sync`"
        )
    if stored not in predictions.models:
        raise UserError(f"{path}: holds no baseline beside {version.said}; run the evaluate stage again")
    said = version.said if stored == "model" else f"the baseline {predictions.models[stored]['experiment']}"
    shown = predictions.models[stored].get("thresholds") or about.get("thresholds") or {}
    return Side(
        said, stored, predictions, shown, _main_metric(catalog, version, "boxes" if boxes else "images")
    )


def _main_metric(catalog: Catalog, version: Version, kind: str) -> str:
    """What the project of a version calls its main metric, as the record of its training says."""
    config = (catalog.json(version, "run.json") or {}).get("config") or {}
    main = (config.get("project") or {}).get("main_metric")
    return main if main in METRICS[kind] else METRICS[kind][0]


def metric_of(side: Side, asked: str) -> str:
    """The metric two such models are compared by: as asked, else their project's main one.

    Raises UserError for one that this kind of model has not.
    """
    kind = "images" if hasattr(side.predictions, "table") else "boxes"
    if asked and asked not in METRICS[kind]:
        raise UserError(f"--metric {asked}: {side.said} is compared by {' or '.join(METRICS[kind])}")
    return asked or side.metric


def compare_sides(
    candidate: Side, reference: Side, *, metric: str = "", draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """The paired comparison, candidate minus reference, without images that either was trained on.

    Returns metric, gain {value, low, high} (less is better for false_positives), verdict, recall (class -> difference;
    "micro" and "macro" for boxes), n, groups, test_set (SHA-256), split, source, content (of both; different where
    something beside the test set changed), reference (what it is).

    Raises:
        UserError: the two were not evaluated on the same images with the same labels.
    """
    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.predictions import Predictions

    metric = metric_of(candidate, metric)
    ours, theirs = candidate.predictions, reference.predictions
    if isinstance(ours, Predictions) and isinstance(theirs, Predictions):
        found = _compare_images(candidate, reference, ours, theirs, metric=metric, draws=draws, seed=seed)
    elif isinstance(ours, BoxPredictions) and isinstance(theirs, BoxPredictions):
        found = _compare_boxes(candidate, reference, ours, theirs, metric=metric, draws=draws, seed=seed)
    else:
        raise UserError(f"{candidate.said} and {reference.said} are models of different tasks")
    return {
        "metric": metric,
        "reference": reference.said,
        "source": ours.data.get("source"),
        "content": [ours.data.get("content"), theirs.data.get("content")],
        **found,
    }


def _compare_images(
    candidate: Side,
    reference: Side,
    ours: "Predictions",
    theirs: "Predictions",
    *,
    metric: str,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    import pandas as pd

    from assay.evaluation.comparison import compare
    from assay.evaluation.predictions import Predictions

    tables = [
        ours.of(candidate.stored).assign(model="candidate"),
        theirs.of(reference.stored).assign(model="reference"),
    ]
    truths = [table[["image", "label"]] for table in tables]
    _same_test_set(truths, (candidate, reference))
    leaks = {image for table in tables for image in table["image"][table["leak"].to_numpy(bool)]}
    classes = tuple(dict.fromkeys([*ours.classes, *theirs.classes]))
    table = pd.concat(tables, ignore_index=True)
    columns = [f"p_{name}" for name in classes]
    table = table.reindex(columns=[*dict.fromkeys([*table.columns, *columns])])
    table[columns] = table[columns].fillna(0.0)
    both = Predictions(
        table.assign(leak=table["image"].isin(leaks)), classes, {"candidate": {}, "reference": {}}, {}
    )
    labels = set(truths[0]["label"])
    part = compare(
        both, "candidate", "reference", [name for name in classes if name in labels], draws=draws, seed=seed
    )["without_leaks"]
    return {
        "gain": part[f"{metric}_difference"],
        "verdict": part["verdict"],
        "recall": part["recall_difference"],
        "n": part["n"],
        "groups": int(table.loc[~table["image"].isin(leaks), "group"].nunique()),
        "split": "held out",
        "test_set": _digest(truths[0]),
    }


def _compare_boxes(
    candidate: Side,
    reference: Side,
    ours: "BoxPredictions",
    theirs: "BoxPredictions",
    *,
    metric: str,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    import pandas as pd

    from assay.evaluation.detection_comparison import compare

    there = [set(side.images["split"]) for side in (ours, theirs)]
    split = "test" if "test" in there[0] & there[1] else "val"
    truths = []
    for side in (ours, theirs):
        rows = side.split(split)
        truth = side.truth[side.truth["image"].isin(rows["image"])]
        truths.append(
            pd.concat([rows[["image", "width", "height"]], truth.drop(columns="model", errors="ignore")])
        )
    _same_test_set(truths, (candidate, reference))
    if set(ours.classes) != set(theirs.classes):
        raise UserError(
            f"{candidate.said} and {reference.said} do not know the same classes: "
            f"{', '.join(sorted(set(ours.classes) ^ set(theirs.classes)))}"
        )
    leaks = {
        image for side in (ours, theirs) for image in side.images["image"][side.images["leak"].to_numpy(bool)]
    }
    both = replace(
        ours,
        boxes=pd.concat(
            [
                ours.of(candidate.stored).assign(model="candidate"),
                theirs.of(reference.stored).assign(model="reference"),
            ]
        ),
        images=ours.images.assign(leak=ours.images["image"].isin(leaks)),
        models={"candidate": {}, "reference": {}},
    )
    part = compare(
        both,
        "candidate",
        "reference",
        split=split,
        thresholds=candidate.thresholds,
        reference_thresholds=reference.thresholds,
        main="map50" if metric == "false_positives" else metric,
        draws=draws,
        seed=seed,
    )["without_leaks"]
    matched = part["matched_recall"]
    at_recall = {"gain": matched["false_positives_difference"], "verdict": matched["verdict"]}
    if not matched["reached"]:
        at_recall["verdict"] = "the other's recall is not reached"
    by_metric = {"gain": part[f"{part['main']}_difference"], "verdict": part["verdict"]}
    return {
        **(at_recall if metric == "false_positives" else by_metric),
        "recall": part["recall_difference"],
        "false_positives": part["false_positives_difference"]["all"],
        "n": part["n"],
        "groups": part["groups"],
        "split": split,
        "test_set": _digest(truths[0]),
    }


def _same_test_set(truths: list["pd.DataFrame"], sides: tuple[Side, Side]) -> None:
    if _digest(truths[0]) == _digest(truths[1]):
        return
    ours, theirs = (set(truth["image"]) for truth in truths)
    said = f"the test sets of {sides[0].said} and {sides[1].said} differ: "
    if ours != theirs:
        said += f"{len(ours - theirs)} images only in the first, {len(theirs - ours)} only in the second"
    else:
        said += "the same images with other labels"
    raise UserError(f"{said}; train and evaluate both on one state of the data, then register them again")


def _digest(truth: "pd.DataFrame") -> str:
    """SHA-256 of images and labels, whatever their order."""
    ordered = truth.sort_values([*truth.columns], ignore_index=True)
    return hashlib.sha256(ordered.to_csv(index=False, float_format="%.3f").encode()).hexdigest()


def verified(export: Path) -> str:
    """Why the export is not proven to behave like the model; "" where it is. Reads parity.json beside it."""
    path = export / "parity.json"
    if not path.is_file():
        return "it has no parity.json"
    try:
        runtimes = read_json(path)["runtimes"]
        failed = [name for name, found in runtimes.items() if found.get("within_budget") is not True]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"parity.json cannot be read ({error})"
    if not runtimes:
        return "no runtime was compared"
    return f"{', '.join(failed)} not within the budget" if failed else ""
