"""Cross-validate the chosen experiment: every labelled image is tested once, by a model that saw nothing of its group.

Whole groups (documents, flights) are dealt to prepare.regroup.folds parts. For each part a model is trained on the rest,
the next part chooses its epoch, and the part itself is only tested. What all the models say of their parts is scored
together, with intervals over groups. Writes build/<project>/folds; given again, the command goes on where it was ended.
"""

from typing import Any

from assay.entrypoint import run_stage


def main(cfg: Any) -> dict[str, Any]:
    """Run every fold and score them together (pipelines/<task>/folds.py); returns the summary."""
    from importlib.util import find_spec

    from assay.errors import UserError
    from pipelines.tasks import stage_of

    if find_spec(f"pipelines.{cfg.task}.folds") is None:
        raise UserError(f"project={cfg.project.name}: folds are made for detectors; {cfg.task} has none")
    return stage_of(cfg.task, "folds")(cfg)


if __name__ == "__main__":
    run_stage(main, __doc__)
