"""Rank what is worth a person's look: what the baseline misses, and what it is unsure of.

Never scores what is evaluated on. Writes build/<project>/candidates: the table and a page to look at (index.html) that
opens by double click.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/mine.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "mine")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
