"""Predict once, score with intervals, and compare with the baseline on the same images.

Writes build/<project>/evaluation: stored predictions, every metric with its 95 % interval, the paired comparison,
and report.html, which opens by double click.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/evaluate.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "evaluate")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
