"""Train the chosen experiment on the prepared data and, where it says so, on reviewed hard examples.

Writes build/<project>/model. A killed training goes on from its last epoch when the same command is given again,
and ends with the same weights as one that was never killed.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run the stage as the project's task has it (pipelines/<task>/train.py); returns its numbers."""
    from pipelines.tasks import refuse_what_does_not_fit, stage_of

    refuse_what_does_not_fit(cfg)
    return stage_of(cfg.task, "train")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
