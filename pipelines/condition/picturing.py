"""The pictures and the page of one evaluated condition classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import ConditionConfig
from assay.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd


def draw(
    cfg: ConditionConfig,
    folder: Path,
    predictions: Predictions,
    model: str,
    *,
    scores: dict[str, Any],
    own: dict[str, Any] | None,
    comparison: dict[str, Any] | None,
    trained: Path,
) -> None:
    """Write confusion matrix, curves, galleries and report.html into `folder`.

    own: scores on the model's own classes, where those are finer than the two. trained: the model's folder.
    """
    import pandas as pd

    from assay.data.condition import read_manifest
    from assay.data.images import read_image
    from assay.evaluation import gallery, plots
    from assay.evaluation.report import write_report
    from assay.files import read_json
    from pipelines.condition.scoring import not_comparable
    from pipelines.heading import heading

    info, classes, rows = read_json(trained / "model.json"), predictions.classes, predictions.of(model)
    dataset = Path(cfg.build) / "dataset"
    crops = read_manifest(dataset).set_index("image")["crop"]
    plots.plot_confusion(folder / "confusion.png", scores["all"]["confusion"], classes)
    names = [model, *(name for name in predictions.models if name != model)]
    plots.plot_ranking(folder / "curves.png", predictions, names, classes)
    plots.plot_reliability(folder / "reliability.png", rows, classes)
    figures = [
        ("Confusion matrix", folder / "confusion.png"),
        ("ROC and precision-recall", folder / "curves.png"),
        ("Calibration", folder / "reliability.png"),
    ]
    history = pd.read_csv(trained / "history.csv") if info["epochs_run"] else None
    if history is not None:
        draw_training(folder / "history.png", history)
        figures.append(("Training", folder / "history.png"))
    if own is not None:
        plots.plot_confusion(folder / "confusion_own.png", own["all"]["confusion"], info["classes"])
        figures.append(("Confusion matrix of the model's own classes", folder / "confusion_own.png"))
    for name, caption, judged in (
        ("worst_mistakes", "The most confident mistakes", gallery.worst_mistakes(rows, classes)),
        (
            "sample_predictions",
            "Predictions drawn at random",
            gallery.sample_predictions(rows, classes, seed=cfg.seed),
        ),
    ):
        path = folder / f"{name}.png"
        gallery.draw_gallery(path, judged, lambda image: read_image(dataset / crops[image]))
        figures.append((caption, path))
    doubts = not_comparable(cfg, predictions.data["source"], info["weights"]["origin"])
    facts = _facts(cfg, info, scores["all"], own)
    write_report(
        folder / "report.html",
        **heading(cfg, info, predictions.data, doubts=doubts, facts=facts),
        scores=scores,
        comparison=comparison,
        published={} if doubts else published_accuracy(cfg),
        figures=figures,
    )


def draw_training(path: Path, history: "pd.DataFrame") -> None:
    """Loss and accuracy by epoch; columns epoch, train/loss, train/accuracy, and val/… where photos were held out."""
    from assay.evaluation.plots import COLOURS, STYLES, figure

    with figure(path, 400) as drawn:
        for axes, name in zip(drawn.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for index, part in enumerate(("train", "val")):
                if f"{part}/{name}" in history:
                    look = {
                        "color": COLOURS[index],
                        "linestyle": STYLES[index],
                        "marker": "o",
                        "markersize": 4,
                    }
                    axes.plot(history["epoch"], history[f"{part}/{name}"], label=part, **look)
            axes.set(xlabel="epoch", title=name.capitalize())
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=10)


def _facts(
    cfg: ConditionConfig, info: dict[str, Any], scores: dict[str, Any], own: dict[str, Any] | None
) -> dict[str, str]:
    """Rows of the table at the top of the page."""
    how = "last" if cfg.train.selection == "last" else "best on held-out training photos"
    facts = {
        "backbone": info["backbone"],
        "head": _head(info),
        "parameters": "{trainable:,} trainable, {frozen:,} frozen".format(**info["parameters"]),
        "trained on": f"{info['trained_on']} crops; {info['epochs_run']} epochs, kept {info['best_epoch']} ({how})",
        "tested on": f"{scores['n']} crops of {scores['groups']} groups of photos; other photos of the same flights "
        "are among the training ones",
    }
    alone = scores["type_alone"]
    facts["accuracy without a picture"] = (
        f"{100 * alone['value']:.1f} % ({100 * alone['low']:.1f} to {100 * alone['high']:.1f}): always the more "
        "frequent training label of the object's type"
    )
    for kind, found in scores["by_type"].items():
        facts[f"accuracy, {kind}"] = (
            f"{100 * found['value']:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f}), n = {found['n']}"
            if found["n"]
            else "no such object"
        )
    if own is not None:
        found, names = own["all"]["accuracy"], ", ".join(info["classes"])
        facts["accuracy on its own classes"] = (
            f"{100 * found['value']:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f}): {names}"
        )
    return facts


def _head(info: dict[str, Any]) -> str:
    """What the decision is made from."""
    if info["head"] == "words":
        return (
            f"the likeliest of {len(info['classes'])} words, after low-rank adapters of rank {info['rank']}"
        )
    return " ⊕ ".join(
        ["image features"]
        + ([f"object type ({info['type_embedding']})"] if info["type_embedding"] else [])
        + ([f"{len(info['spatial_features'])} spatial features"] if info["spatial_features"] else [])
    )


def published_accuracy(cfg: ConditionConfig) -> dict[str, Any]:
    """The published test accuracy as a share; the rest of what is published is about other data."""
    published = cfg.experiment.published
    test = (published.model_dump() if published else {}).get("test") or {}
    if cfg.model.classes != "binary" or "accuracy" not in test:
        return {}
    assert published is not None  # noqa: S101 - `test` came from it
    return {"accuracy": test["accuracy"] / (100 if published.unit == "percent" else 1)}
