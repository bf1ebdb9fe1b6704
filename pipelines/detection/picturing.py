"""The pictures and the page of one evaluated detector."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    from assay.evaluation.boxes import BoxPredictions


def draw_report(
    cfg: DetectionConfig,
    folder: Path,
    predictions: "BoxPredictions",
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
) -> None:
    """Write curves, galleries and report.html into `folder`; `trained` holds the model."""
    import pandas as pd

    from assay.data.images import read_image
    from assay.evaluation.detection_plots import draw, plot_training
    from assay.evaluation.detection_report import write_report
    from assay.files import read_json
    from pipelines.detection.scoring import not_comparable, thresholds
    from pipelines.heading import heading

    info, dataset, first = read_json(trained / "model.json"), Path(cfg.build) / "dataset", next(iter(scores))
    figures = draw(
        folder,
        predictions,
        model,
        split=first,
        thresholds=thresholds(cfg, predictions, model),
        scores=scores[first]["all"],
        load=lambda image: read_image(dataset / image),
        seed=cfg.seed,
    )
    history = pd.read_csv(trained / "history.csv")
    if len(history):
        plot_training(folder / "history.png", history)
        figures.append(("Training", folder / "history.png"))
    doubts = not_comparable(cfg, predictions.data["source"], info["weights"]["root"])
    published = cfg.experiment.published
    facts = {
        "architecture": info["architecture"],
        "image size": f"{info['image_size']} px",
        "epochs": f"{info['epochs_run']}, kept {info['best_epoch']} ({info['select']}, chosen on the val images)",
        "training images": f"{info['images']['train']} and {info['images']['negatives']} reviewed negatives",
    }
    write_report(
        folder / "report.html",
        **heading(cfg, info, predictions.data, doubts=doubts, facts=facts),
        scores=scores,
        comparison=comparison,
        published=_shares(published) if published and not doubts else {},
        figures=figures,
    )


def _shares(published: Any) -> dict[str, Any]:
    """Published rates as shares, whatever unit the source uses."""
    names = ("map50", "map50_95", "precision", "recall")
    found = {name: published.share(name) for name in names if published.share(name) is not None}
    unit = 100 if published.unit == "percent" else 1
    per_class = (published.model_extra or {}).get("per_class") or {}
    shares = {label: {name: value / unit for name, value in row.items()} for label, row in per_class.items()}
    return found | ({"per_class": shares} if shares else {})
