"""Predict once, score with intervals, and compare with the baseline on the same images.

Writes build/<project>/evaluation: stored predictions, every metric with its 95 % interval, the paired comparison, and
report.html, which opens by double click.
"""

from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig
from assay.entrypoint import run_stage


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Evaluate the trained model beside the baseline; returns the summary of metrics.json."""
    from assay.evaluation.comparison import compare
    from assay.evaluation.predictions import write_predictions
    from assay.files import fresh_folder, read_json, write_json
    from pipelines.picturing import draw
    from pipelines.recording import stage_run
    from pipelines.scoring import predict_all, score_one

    build = Path(cfg.build)
    models = {"model": build / "model", "baseline": build / "baseline"}
    info = read_json(build / "model/model.json")
    name = f"{cfg.experiment.id} · {cfg.profile.name} · seed {cfg.seed}"
    with stage_run(cfg, "evaluate", name=name, model_id=info["id"]) as run:
        predictions = predict_all(cfg, models)
        run.data(predictions.data)
        run.tag("weights", info["weights"]["origin"])
        scores = score_one(cfg, predictions, "model", run)
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
            write_predictions(folder / "predictions.parquet", predictions)
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
            )
            for path in sorted(folder.iterdir()):
                run.artifact(path)
        summary = _summary(cfg, scores, comparison, info, predictions.data["source"])
        write_json(build / "metrics.json", summary)
    print(f"{build}/evaluation/report.html: {summary['main']['name']} {summary['main']['value']:.3f}")
    return summary


def _summary(
    cfg: ClassificationConfig,
    scores: dict[str, Any],
    comparison: dict[str, Any],
    info: dict[str, Any],
    source: str,
) -> dict[str, Any]:
    """What the final table shows and `dvc metrics` compares."""
    everything, against = scores["all"], comparison["all"]
    difference = against["accuracy_difference"]
    return {
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "source": source,
        "weights": info["weights"]["origin"],
        "collapsed": info["collapsed"] or everything["collapsed"],
        "main": {
            "name": cfg.project.main_metric,
            "n": everything["n"],
            **everything[cfg.project.main_metric],
        },
        "without_leaks": {
            "n": scores["without_leaks"]["n"],
            **scores["without_leaks"][cfg.project.main_metric],
        },
        "against_baseline": f"{against['verdict']}: {100 * difference['value']:+.1f} points "
        f"({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}), p = {against['p']:.2g}",
    }


if __name__ == "__main__":
    run_stage(main, __doc__)
