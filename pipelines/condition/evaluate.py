"""Predict the test instances once, score with intervals, and compare with the baseline on the same crops.

Writes build/conditions/evaluation: stored predictions, every metric with its 95 % interval, accuracy by object
type, the paired comparison, and report.html, which opens by double click.
"""

from pathlib import Path
from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Evaluate the trained model beside the baseline; returns the summary of metrics.json."""
    from assay.evaluation.comparison import compare
    from assay.files import fresh_folder, write_json
    from assay.training.precision import start_torch
    from pipelines.condition.scoring import predict_all, score_one, store
    from pipelines.recording import MODEL, baseline_as_experiment, model_tags, run_name, stage_run, trained_as

    start_torch(cfg.seed)
    build = Path(cfg.build)
    models = {"model": build / "model", "baseline": build / "baseline"}
    info = trained_as(cfg, models["model"])
    trained_as(baseline_as_experiment(cfg), models["baseline"])
    draws, seed = cfg.evaluate.bootstrap_draws, cfg.seed
    with stage_run(
        cfg, "evaluate", sections=MODEL, name=run_name(cfg), model_id=info["id"], tags=model_tags(cfg)
    ) as run:
        predictions, own_predictions = predict_all(cfg, models)
        run.data(predictions.data)
        run.tag("weights", info["weights"]["origin"])
        scores = score_one(cfg, predictions, "model", run)
        comparison = compare(predictions, "model", "baseline", cfg.project.classes, draws=draws, seed=seed)
        for part, found in comparison.items():
            run.metric(f"{part}/accuracy_difference", found["accuracy_difference"]["value"])
        with fresh_folder(build / "evaluation") as folder:
            store(
                cfg,
                folder,
                predictions,
                own_predictions,
                "model",
                scores=scores,
                comparison=comparison,
                trained=models["model"],
                run=run,
            )
            for path in sorted(folder.iterdir()):
                run.artifact(path)
        summary = _summarise(cfg, scores, comparison, info, predictions.data["source"])
        write_json(build / "metrics.json", summary)
    print(f"{build}/evaluation/report.html: {summary['main']['name']} {summary['main']['value']:.3f}")
    return summary


def _summarise(
    cfg: ConditionConfig,
    scores: dict[str, Any],
    comparison: dict[str, Any],
    info: dict[str, Any],
    source: str,
) -> dict[str, Any]:
    """What the final table shows and `dvc metrics` compares; of the form every classifier has."""
    from pipelines.classification.scoring import summarise

    like_a_classifier: Any = cfg  # it reads what every configuration has
    by_type = {kind: found["value"] for kind, found in scores["all"]["by_type"].items() if found["n"]}
    return summarise(like_a_classifier, scores, comparison, info, source) | {"by_type": by_type}
