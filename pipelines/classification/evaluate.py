"""Predict once, score with intervals, and compare with the baseline on the same images.

Writes build/<project>/evaluation: stored predictions, every metric with its 95 % interval, the paired comparison,
and report.html, which opens by double click.
"""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Evaluate the trained model beside the baseline; returns the summary of metrics.json."""
    from assay.evaluation.comparison import compare
    from assay.files import fresh_folder, write_json
    from pipelines.classification.picturing import draw
    from pipelines.classification.scoring import predict_all, route_into, score_one, store, summarise
    from pipelines.recording import MODEL, baseline_as_experiment, model_tags, run_name, stage_run, trained_as

    build = Path(cfg.build)
    baseline = baseline_as_experiment(cfg)
    models = {"model": (cfg, build / "model"), "baseline": (baseline, build / "baseline")}
    info = trained_as(cfg, build / "model")
    trained_as(baseline, build / "baseline")
    with stage_run(
        cfg, "evaluate", sections=MODEL, name=run_name(cfg), model_id=info["id"], tags=model_tags(cfg)
    ) as run:
        stored = predict_all(cfg, models)
        predictions = stored["val"]
        run.data(predictions.data)
        run.tag("weights", info["weights"]["origin"])
        scores = score_one(cfg, stored, "model", run)
        comparison = compare(
            predictions,
            "model",
            "baseline",
            cfg.project.classes,
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )
        for part, found in comparison.items():
            run.metric(f"{part}/accuracy_difference", found["accuracy_difference"]["value"])
        with fresh_folder(build / "evaluation") as folder:
            store(folder, stored)
            write_json(folder / "metrics.json", scores)
            write_json(folder / "comparison.json", comparison)
            draw(
                cfg,
                folder,
                predictions,
                "model",
                scores=scores,
                comparison=comparison,
                trained=build / "model",
                sections=route_into(cfg, folder, predictions, "model", build / "model"),
            )
            for path in sorted(folder.iterdir()):
                run.artifact(path)
        summary = summarise(cfg, scores, comparison, info, predictions.data["source"])
        write_json(build / "metrics.json", summary)
    print(f"{build}/evaluation/report.html: {summary['main']['name']} {summary['main']['value']:.3f}")
    return summary
