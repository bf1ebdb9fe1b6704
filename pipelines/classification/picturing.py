"""The pictures and the page of one evaluated model: shared by the evaluate stage and every job of a sweep."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import ClassificationConfig
from assay.evaluation.predictions import Predictions
from assay.evaluation.sections import Section

if TYPE_CHECKING:
    import pandas as pd


def draw(
    cfg: ClassificationConfig,
    folder: Path,
    predictions: Predictions,
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
    sections: Sequence[Section] = (),
) -> None:
    """Write confusion matrix, curves, galleries and report.html into `folder`; `trained` holds the model.

    sections: further parts of the report.
    """
    import pandas as pd

    from assay.data.images import read_image
    from assay.evaluation import gallery, occlusion, plots
    from assay.evaluation.report import write_report
    from assay.files import read_json
    from pipelines.classification.scoring import not_comparable
    from pipelines.heading import heading

    info, classes, rows = read_json(trained / "model.json"), cfg.project.classes, predictions.of(model)
    names = [model, *(name for name in predictions.models if name != model)]
    plots.plot_confusion(folder / "confusion.png", scores["all"]["confusion"], classes)
    plots.plot_ranking(folder / "curves.png", predictions, names, classes)
    fitted = scores["temperature"]["clean"]
    temperature = None if fitted["undecided"] else fitted["temperature"]
    plots.plot_reliability(folder / "reliability.png", rows, classes, temperature=temperature)
    plots.plot_history(folder / "history.png", pd.read_csv(trained / "history.csv"))
    mistakes = gallery.worst_mistakes(rows, classes)
    samples = gallery.sample_predictions(rows, classes, seed=cfg.seed)
    for name, judged in (("worst_mistakes", mistakes), ("sample_predictions", samples)):
        gallery.draw_gallery(folder / f"{name}.png", judged, lambda image: read_image(Path(cfg.data) / image))
    looked_at = occlusion.chosen(mistakes, samples)
    _occlude(cfg, folder / "occlusion.png", looked_at, trained)
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
            (
                "Where the model looks: mistakes (orange) and right answers (blue), and how much of the answer's "
                "probability is lost when a part is covered (red: it speaks for the answer, blue: against it); "
                f"{occlusion.PASSES} passes of the network an image, {occlusion.PASSES * len(looked_at)} in all",
                folder / "occlusion.png",
            ),
            ("Predictions drawn at random", folder / "sample_predictions.png"),
        ],
        sections=sections,
    )


def _occlude(cfg: ClassificationConfig, path: Path, judged: "pd.DataFrame", trained: Path) -> None:
    """Draw where the model in `trained` looks on the images of `judged`."""
    from assay.data.images import load_images
    from assay.evaluation.occlusion import draw_occlusion
    from assay.models.classifier import load_classifier, predict

    module, info = load_classifier(trained)
    images = load_images(Path(cfg.data), judged["image"].tolist(), info["image_size"])
    draw_occlusion(path, judged, images, lambda shown: predict(module, shown, input_mode=info["input_mode"]))
