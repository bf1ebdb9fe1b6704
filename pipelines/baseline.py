"""Train the project's published baseline: the model that mines, and the one every other is compared with.

Writes build/<project>/baseline.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/baseline.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "baseline")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
