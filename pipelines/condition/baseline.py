"""Train what stage 2 is measured against: image features and one linear layer. It is also the model that mines.

Writes build/conditions/baseline.
"""

from typing import Any

from assay.config.condition import ConditionConfig


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Train the baseline on the labels as published; returns what is known of the model."""
    from pipelines.condition.fitting import fit
    from pipelines.recording import baseline_as_experiment

    return fit(baseline_as_experiment(cfg), "baseline")
