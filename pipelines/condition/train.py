"""Train the chosen experiment on the prepared crops and, where it says so, on reviewed labels.

Writes build/conditions/model.
"""

from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Train the experiment; returns what is known of the model."""
    from pipelines.condition.fitting import fit

    return fit(cfg, "train")
