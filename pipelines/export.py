"""Export the trained model, prove that every export behaves like it, and ask for its registration.

Writes build/<project>/export: the exported model, metadata.json and parity.json. An export that differs from the
model by more than the budget in conf/ fails the stage. `assay registry sync` registers what passed.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/export.py); returns its numbers."""
    from pipelines.tasks import stage_of

    return stage_of(cfg.task, "export")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
