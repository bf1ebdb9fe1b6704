"""pipelines/evaluate.py for detectors."""

from pathlib import Path
from typing import Any

from assay.config import DetectionConfig


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Evaluate the trained detector beside the baseline; returns the summary of metrics.json."""
    from assay.files import fresh_folder, write_json
    from pipelines.detection.picturing import look_at_unmarked, look_otherwise
    from pipelines.detection.scoring import compare_with, predict_all, score_one, scores_of, store, summarise
    from pipelines.proving import keep_video, look_at_video, prove
    from pipelines.recording import MODEL, baseline_as_experiment, model_tags, run_name, stage_run, trained_as

    build = Path(cfg.build)
    models = {"model": build / "model", "baseline": build / "baseline"}
    info = trained_as(cfg, models["model"])
    trained_as(baseline_as_experiment(cfg), models["baseline"])
    with stage_run(
        cfg, "evaluate", sections=MODEL, name=run_name(cfg), model_id=info["id"], tags=model_tags(cfg)
    ) as run:
        predictions = predict_all(cfg, models)
        run.data(predictions.data)
        run.tag("weights", info["weights"]["origin"])
        scores = score_one(cfg, predictions, "model", run)
        comparison = compare_with(cfg, predictions, "model", "baseline")
        with fresh_folder(build / "evaluation") as folder:
            store(
                cfg,
                folder,
                predictions,
                "model",
                scores=scores,
                comparison=comparison,
                trained=models["model"],
                run=run,
                sections=[
                    *look_otherwise(
                        cfg, folder, predictions, trained=models["model"], scores=scores, run=run
                    ),
                    *look_at_unmarked(cfg, folder, predictions, trained=models["model"], run=run),
                ],
            )
            video = look_at_video(cfg, models)
            keep_video(folder, video)
            theirs = scores_of(cfg, predictions, "baseline")
            prove(
                cfg,
                folder,
                predictions,
                video,
                {
                    name: {split: found["all"] for split, found in parts.items()}
                    for name, parts in (("baseline", theirs), ("model", scores))
                },
                title=f"{cfg.experiment.title}: false positives against {cfg.project.baseline}",
                stated={name: predictions.models[name]["thresholds"] for name in models},
            )
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                run.artifact(path)
        summary = summarise(cfg, scores, comparison, info, predictions.data["source"])
        write_json(build / "metrics.json", summary)
    print(f"{build}/evaluation/report.html: {summary['main']['name']} {summary['main']['value']:.3f}")
    return summary
