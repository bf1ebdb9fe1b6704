"""pipelines/folds.py for detectors."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    from assay.evaluation.boxes import BoxPredictions


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Train and test every fold, then score all tested images together; returns the summary."""
    from assay.data.classification import source_of
    from assay.data.images import read_image
    from assay.evaluation.boxes import write_boxes
    from assay.evaluation.page_sections import folds_section, grouping_section
    from assay.files import fresh_folder, read_json, write_json
    from pipelines.detection.picturing import draw_report
    from pipelines.detection.scoring import score_grouped, score_one
    from pipelines.recording import MODEL, model_tags, run_name, stage_run

    refuse_what_saw_the_tested(cfg)
    parts = [of_fold(cfg, fold) for fold in range(_regroup(cfg).folds)]
    tested = [_tested(part, fold) for fold, part in enumerate(parts)]
    out, first = Path(cfg.build) / "folds", Path(parts[0].build)
    with stage_run(
        cfg,
        "folds",
        sections=MODEL,
        name=f"{run_name(cfg)} · folds",
        folder=out / "run",
        tags=model_tags(cfg),
    ) as run:
        run.data(source_of(first / "dataset"))
        together = pooled(tested)
        where = {
            image: Path(part.build) / "dataset" / image
            for part, one in zip(parts, tested, strict=True)
            for image in one.images["image"]
        }
        scores = score_one(cfg, together, "model", run)
        by_fold = [_scored(cfg, one) for one in tested]
        with fresh_folder(out / "evaluation") as folder:
            write_boxes(folder / "predictions.parquet", together)
            write_json(folder / "metrics.json", scores)
            write_json(folder / "folds.json", by_fold)
            grouped = score_grouped(cfg, together, "model", folder, run)
            draw_report(
                parts[0],
                folder,
                together,
                "model",
                scores=scores,
                comparison=None,
                trained=first / "model",
                sections=[folds_section(by_fold), *([grouping_section(grouped)] if grouped else [])],
                load=lambda image: read_image(where[image]),
            )
            for path in sorted(folder.iterdir()):
                run.artifact(path)
    everything = scores["test"]["all"]
    kept = [read_json(Path(part.build) / "model/model.json")["best_epoch"] for part in parts]
    main_metric = cfg.project.main_metric
    summary = {
        "n": everything["n"],
        "groups": everything["groups"],
        "epochs": kept,
        **everything[main_metric],
    }
    write_json(out / "metrics.json", summary)
    print(
        f"{out}/evaluation/report.html: {main_metric} {summary['value']:.3f} ({summary['low']:.3f} to "
        f"{summary['high']:.3f}) on {summary['n']} images of {summary['groups']} groups, {len(parts)} folds"
    )
    return summary


def refuse_what_saw_the_tested(cfg: DetectionConfig) -> None:
    """Raise UserError for an experiment that starts from, asks or learns from what has seen all images.

    Or that would find other thresholds in every fold: what is tested is scored together, at one threshold per class.
    """
    from assay.errors import UserError

    wanted = {
        "prepare.regroup": cfg.prepare.regroup is None,
        "model.fine_tune": cfg.model.fine_tune is not None,
        "train.teacher": cfg.train.teacher is not None,
        "train.hard_negatives": bool(cfg.train.hard_negatives or cfg.train.negative_share),
        "train.reviewed_boxes": cfg.train.reviewed_boxes,
        "evaluate.inference.ensemble": bool(cfg.evaluate.inference.ensemble),
    }
    if wanted.pop("prepare.regroup"):
        raise UserError(f"project={cfg.project.name}: prepare.regroup is null; its images have no folds")
    if found := [key for key, there in wanted.items() if there]:
        raise UserError(
            f"experiment={cfg.experiment.id}: {', '.join(found)}: such models and reviews come from images that a fold "
            "tests; take another experiment, or set it to null, 0, false or []"
        )
    if cfg.evaluate.inference.thresholds == "validation":
        raise UserError(
            "evaluate.inference.thresholds=validation: every fold would find its own, and all tested images are scored "
            "together; set it to fixed"
        )


def of_fold(cfg: DetectionConfig, fold: int) -> DetectionConfig:
    """The same configuration, for one fold: its data and model go to a folder of their own."""
    regroup = _regroup(cfg).model_copy(update={"split": "kfold", "fold": fold})
    prepare = cfg.prepare.model_copy(update={"regroup": regroup})
    return cfg.model_copy(update={"prepare": prepare, "build": f"{cfg.build}/folds/{fold}"})


def pooled(parts: "list[BoxPredictions]") -> "BoxPredictions":
    """What every model says of the images it was tested on, as one model's."""
    import pandas as pd

    tables = {
        name: pd.concat([getattr(one, name) for one in parts], ignore_index=True)
        for name in ("boxes", "truth", "images")
    }
    return replace(parts[0], **tables)


def _tested(cfg: DetectionConfig, fold: int) -> "BoxPredictions":
    """Prepare, train and predict one fold, unless that is done for this configuration and these data."""
    import hashlib
    import shutil

    from assay.data.source import current_source
    from assay.evaluation.boxes import read_boxes, write_boxes
    from assay.files import read_json, write_json
    from pipelines.detection import prepare
    from pipelines.detection.fitting import train_into
    from pipelines.detection.scoring import predict_all
    from pipelines.recording import MODEL, model_tags, run_name, stage_run

    build, data = Path(cfg.build), Path(cfg.data)
    source = current_source(data, project=data.name)["content"]
    request = hashlib.sha256(f"{cfg.model_dump_json()} {source}".encode()).hexdigest()
    known, stored = build / "fold.json", build / "predictions.parquet"
    done = read_json(known) if known.is_file() else {}
    if done.get("request") != request:
        prepare.main(cfg)
        done = {"request": request, "trained": False}
        write_json(known, done)
    if not done["trained"]:
        print(f"fold {fold + 1} of {_regroup(cfg).folds}", flush=True)
        name = f"{run_name(cfg)} · fold {fold}"
        with stage_run(cfg, "fold", sections=MODEL, name=name, tags=model_tags(cfg)) as run:
            work = Path("runs/training") / cfg.project.name / f"fold_{fold}"
            train_into(cfg, build / "model", work=work, run=run)
            shutil.rmtree(work, ignore_errors=True)
            found = predict_all(cfg, {"model": build / "model"})
        test = found.images[found.images["split"] == "test"].reset_index(drop=True)
        boxes, truth = (
            table[table["image"].isin(test["image"])].reset_index(drop=True)
            for table in (found.boxes, found.truth)
        )
        write_boxes(stored, replace(found, boxes=boxes, truth=truth, images=test))
        write_json(known, done | {"trained": True})
    return read_boxes(stored)


def _scored(cfg: DetectionConfig, found: "BoxPredictions") -> dict[str, Any]:
    from assay.evaluation.detection import score
    from pipelines.detection.scoring import thresholds

    part = score(
        found,
        "model",
        split="test",
        thresholds=thresholds(cfg, found, "model"),
        draws=cfg.evaluate.bootstrap_draws,
        seed=cfg.seed,
    )["all"]
    keys = ("n", "groups", "objects", "map50", "map50_95", "precision", "recall", "collapsed")
    return {key: part[key] for key in keys}


def _regroup(cfg: DetectionConfig) -> Any:
    return cfg.prepare.regroup
