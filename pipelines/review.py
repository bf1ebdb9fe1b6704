"""Apply what reviewers decided to the candidates; never asks anything, says how many wait.

Reads reviews/<project>/*.jsonl. Human decisions count; a model's only where review.kinds asks for them, and every table
then says so; the sample's generator answers for sample data only. Writes build/<project>/hard_examples.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/review.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "review")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
