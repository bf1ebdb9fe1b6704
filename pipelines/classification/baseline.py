"""Train the project's published baseline: the model that mines, and the one every other is compared with.

Writes build/<project>/baseline.
"""

from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Train the baseline on the data as published; returns what is known of the model."""
    from pipelines.classification.fitting import fit
    from pipelines.recording import baseline_as_experiment

    return fit(baseline_as_experiment(cfg), "baseline")
