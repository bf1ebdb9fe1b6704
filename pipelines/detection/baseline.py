"""pipelines/baseline.py for detectors."""

from typing import Any

from assay.config import DetectionConfig


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Train; returns what is known of the model."""
    from pipelines.detection.fitting import fit
    from pipelines.recording import baseline_as_experiment

    return fit(baseline_as_experiment(cfg), "baseline")
