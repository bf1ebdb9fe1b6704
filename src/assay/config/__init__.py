"""One typed, validated configuration: composed by Hydra from conf/, checked before anything heavy is imported."""

from assay.config.compose import compose, expand_sweep, load_resolved, render
from assay.config.detection import DetectionConfig
from assay.config.schema import ClassificationConfig, Config, Sweep

__all__ = [
    "ClassificationConfig",
    "Config",
    "DetectionConfig",
    "Sweep",
    "compose",
    "expand_sweep",
    "load_resolved",
    "render",
]
