"""Train the chosen experiment on the prepared data and, where it says so, on reviewed hard examples.

Writes build/<project>/model. A killed training goes on from its last epoch when the same command is given again,
and ends with the same weights as one that was never killed.
"""

from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Train the experiment; returns what is known of the model."""
    from pipelines.classification.fitting import fit

    return fit(cfg, "train")
