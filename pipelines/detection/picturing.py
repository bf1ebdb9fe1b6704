"""The pictures and the page of one evaluated detector, and what it finds on pages that arrive otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import numpy as np

    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.sections import Section
    from assay.tracking import Run


def draw_report(
    cfg: DetectionConfig,
    folder: Path,
    predictions: "BoxPredictions",
    model: str,
    *,
    scores: dict[str, Any],
    comparison: dict[str, Any] | None,
    trained: Path,
    sections: "Sequence[Section]" = (),
    load: "Callable[[str], np.ndarray] | None" = None,
) -> None:
    """Write curves, galleries and report.html into `folder`; `trained` holds the model.

    sections: shown before the pictures. load: image -> its pixels; None: from the prepared data set.
    """
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
        load=load or (lambda image: read_image(dataset / image)),
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
    if drawn := info["images"].get("generated"):
        facts["training images"] += f" and {drawn} drawn pages"
    if (drawn := info.get("corrected")) and drawn["by_kind"]:
        facts["boxes drawn by reviewers"] = (
            f"on {drawn['replaced']} training images instead of theirs, and on {drawn['added']} images more"
        )
    write_report(
        folder / "report.html",
        **heading(cfg, info, predictions.data, doubts=doubts, facts=facts),
        scores=scores,
        comparison=comparison,
        published=_shares(published) if published and not doubts else {},
        sections=sections,
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


def look_otherwise(
    cfg: DetectionConfig,
    folder: Path,
    plain: "BoxPredictions",
    *,
    trained: Path,
    scores: dict[str, Any],
    run: "Run",
) -> "list[Section]":
    """Ask the model about the first scored split under every condition; robustness.json in `folder`, and its section.

    plain: what "model" found on the pages as they are. scores: of that, by split. [] where no condition is asked for.
    """
    from assay.data.page_conditions import CONDITIONS
    from assay.evaluation.detection import score
    from assay.evaluation.page_sections import robustness_section
    from assay.files import write_json
    from pipelines.detection.scoring import thresholds

    if not cfg.evaluate.robustness:
        return []
    split, shown = next(iter(scores)), thresholds(cfg, plain, "model")
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in cfg.evaluate.robustness:
        seen = under(cfg, plain, trained, split, name)
        part = score(
            seen, "model", split=split, thresholds=shown, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed
        )["all"]
        found[name] = CONDITIONS[name].words, part
        for metric in ("map50", "map50_95"):
            run.metric(f"{split}/{name}/{metric}", part[metric]["value"])
    write_json(folder / "robustness.json", {name: part for name, (_, part) in found.items()})
    return [robustness_section(scores[split]["all"], found)]


def under(
    cfg: DetectionConfig, plain: "BoxPredictions", trained: Path, split: str, name: str
) -> "BoxPredictions":
    """What the model finds on the pages of one split under one condition, with the annotations where they are then."""
    import pandas as pd

    from assay.data.images import read_image
    from assay.data.page_conditions import CONDITIONS
    from assay.data.progress import track
    from assay.evaluation.boxes import CORNERS, rows_of
    from assay.models.detector import load_detector
    from pipelines.detection.asking import ask

    condition, dataset = CONDITIONS[name], Path(cfg.build) / "dataset"
    images = plain.split(split)
    truth = plain.truth[plain.truth["image"].isin(images["image"])].astype(dict.fromkeys(CORNERS, float))
    sizes = []
    for image, width, height in images[["image", "width", "height"]].itertuples(index=False):
        own = truth["image"] == image
        boxes, size = condition.place(truth.loc[own, list(CORNERS)].to_numpy(), (int(width), int(height)))
        truth.loc[own, list(CORNERS)] = boxes
        sizes.append(size)
    detector, _ = load_detector(trained)
    pictures = (condition.draw(read_image(dataset / image)) for image in images["image"])
    answers = ask(cfg, detector, pictures, alone=False)
    said = track(zip(images["image"], answers, strict=True), f"pages {condition.words}", len(images))
    sized = pd.DataFrame(sizes, columns=["width", "height"], index=images.index)
    return replace(
        plain,
        boxes=rows_of("model", dict(said), detector.classes),
        truth=truth.reset_index(drop=True),
        images=images.assign(width=sized["width"], height=sized["height"]),
    )


def look_at_unmarked(
    cfg: DetectionConfig, folder: Path, plain: "BoxPredictions", *, trained: Path, run: "Run"
) -> "list[Section]":
    """Count what the model shows on pages that bear no mark; unmarked.csv and .json in `folder`, and their section.

    [] where there are none. Pages on which a reviewer saw something are left out; every page of a document of which it
    was taught one stands apart.
    """
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.documents import UNMARKED
    from assay.data.images import read_image
    from assay.data.items import POOL
    from assay.data.progress import track
    from assay.evaluation.boxes import rows_of
    from assay.evaluation.grouping import GroupingRule
    from assay.evaluation.unmarked import UNSEEN, count_on_pages, rates, unmarked_section
    from assay.files import write_json
    from assay.models.detector import load_detector
    from pipelines.detection.asking import ask
    from pipelines.detection.scoring import thresholds

    build, rule = Path(cfg.build), cfg.evaluate.inference.grouping
    manifest = read_manifest(build / "dataset")
    pages = manifest[(manifest["split"] == POOL) & (manifest["subset"] == UNMARKED)]
    if pages.empty:
        return []
    reviewed = pd.read_csv(build / "hard_examples/examples.csv", keep_default_na=False)
    marked = pages["image"].isin(reviewed.loc[reviewed["use"] != "negative", "image"])
    seen, listed = pages[~marked], trained / "negatives.csv"
    negatives = set(pd.read_csv(listed)["image"]) if listed.is_file() else set()
    taught = seen["group"].isin(seen.loc[seen["image"].isin(negatives), "group"])
    detector, _ = load_detector(trained)
    answers = ask(
        cfg, detector, (read_image(build / "dataset" / image) for image in seen["image"]), alone=False
    )
    said = track(zip(seen["image"], answers, strict=True), "pages without marks", len(seen))
    counted = count_on_pages(
        rows_of("model", dict(said), detector.classes),
        seen[["image", "source", "group", "width", "height"]].assign(taught=taught),
        thresholds=thresholds(cfg, plain, "model"),
        rule=GroupingRule(**rule.model_dump()) if rule else None,
    )
    counted.to_csv(folder / "unmarked.csv", index=False)
    found: dict[str, Any] = {"left_out": int(marked.sum()), "rows": rates(counted, cfg.project.classes)}
    write_json(folder / "unmarked.json", found)
    for row in found["rows"]:
        if row["pages"] == UNSEEN:
            run.metric(f"unmarked/{row['boxes']}/false_positives", row["value"])
    return [unmarked_section(found)]
