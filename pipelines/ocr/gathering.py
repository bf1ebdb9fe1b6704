"""What a sweep's table and comparison need of reading signs."""

from pathlib import Path

from assay.config.timeline import OcrConfig
from pipelines.timeline.gathering import compare, predictions_of  # noqa: F401 - a sweep asks every task for them

TRAINING = ("pipelines/ocr/fitting.py", "pipelines/ocr/readings.py")
SCORING = ("pipelines/ocr/scoring.py",)


def data_of(cfg: OcrConfig) -> list[Path]:
    """The files that stand for all that is read: the table of signs and every picture."""
    return sorted(path for path in (Path(cfg.data) / "signs").glob("*") if path.is_file())


def published(cfg: OcrConfig) -> float | None:
    """Nothing is published."""
    return None
