"""What a sweep's table and comparison need of a vision-language model: as of every way to classify conditions."""

from pipelines.condition.gathering import SCORING, compare, data_of, predictions_of, published

__all__ = ["SCORING", "TRAINING", "compare", "data_of", "predictions_of", "published"]

TRAINING = (
    "pipelines/condition/fitting.py",
    "pipelines/vision_language/answers.py",
    "pipelines/vision_language/fitting.py",
)
