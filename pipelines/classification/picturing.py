"""The pictures and the page of one evaluated model: shared by the evaluate stage and every job of a sweep."""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.evaluation.predictions import Predictions


def draw(
    cfg: ClassificationConfig,
    folder: Path,
    predictions: Predictions,
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
) -> None:
    """Write confusion matrix, curves, galleries and report.html into `folder`; `trained` holds the model."""
    import pandas as pd

    from assay.data.images import read_image
    from assay.evaluation import gallery, plots
    from assay.evaluation.report import write_report
    from assay.files import read_json
    from pipelines.classification.scoring import not_comparable
    from pipelines.heading import heading

    info, classes, rows = read_json(trained / "model.json"), cfg.project.classes, predictions.of(model)
    names = [model, *(name for name in predictions.models if name != model)]
    plots.plot_confusion(folder / "confusion.png", scores["all"]["confusion"], classes)
    plots.plot_ranking(folder / "curves.png", predictions, names, classes)
    plots.plot_reliability(folder / "reliability.png", rows, classes)
    plots.plot_history(folder / "history.png", pd.read_csv(trained / "history.csv"))
    for name, judged in (
        ("worst_mistakes", gallery.worst_mistakes(rows, classes)),
        ("sample_predictions", gallery.sample_predictions(rows, classes, seed=cfg.seed)),
    ):
        gallery.draw_gallery(folder / f"{name}.png", judged, lambda image: read_image(Path(cfg.data) / image))
    kept, published = info["selections"], cfg.experiment.published
    doubts = not_comparable(cfg, predictions.data["source"], info["weights"]["origin"])
    facts = {
        "architecture": info["architecture"],
        "image size": f"{info['image_size']} px",
        "epochs": f"{info['epochs_run']}, kept {kept['clean']['epoch']} (best on {info['images']['select']} training "
        f"images kept back); best on the images reported here: {kept['as_published']['epoch']}",
        "accuracy of the last epoch": f"{100 * info['last_accuracy']:.1f} %",
    }
    write_report(
        folder / "report.html",
        **heading(cfg, info, predictions.data, doubts=doubts, facts=facts),
        scores=scores,
        comparison=comparison,
        published=published.model_dump() if published and not doubts else {},
        figures=[
            ("Confusion matrix", folder / "confusion.png"),
            ("ROC and precision-recall", folder / "curves.png"),
            ("Calibration", folder / "reliability.png"),
            ("Training", folder / "history.png"),
            ("The most confident mistakes", folder / "worst_mistakes.png"),
            ("Predictions drawn at random", folder / "sample_predictions.png"),
        ],
    )
