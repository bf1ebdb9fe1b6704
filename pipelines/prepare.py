"""Check, deduplicate and group a project's data; quarantine what is damaged.

Reads data/<project>, writes build/<project>/dataset: the manifest of usable images, pages, frames or crops with their
groups and the leaks between splits, the quarantine, and a report to look at (report.html).
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/prepare.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "prepare")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
