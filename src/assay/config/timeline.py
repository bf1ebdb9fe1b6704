"""The typed model of what is read along a clip: zone states, and the text of signs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Fraction, Shared, Strict
from assay.config.condition import ClipBackbone, HeadTraining
from assay.config.detection import ClipMining, DetectionPreparation, DetectorBaseline, ExperimentId
from assay.config.scoring import Scoring


class TimelineModel(Strict):
    """Detections and CLIP similarity of each frame -> zone state of each frame."""

    architecture: Literal["rules", "mlp", "lstm", "transformer"]
    detector: ExperimentId
    clip: ClipBackbone
    end_to_end: bool = Field(description="the detector and CLIP learn too; false = fixed features")
    window: Count = Field(description="frames seen at once")
    hidden: Count
    layers: Count
    dropout: float = Field(ge=0, lt=1)


class TimelineTraining(HeadTraining):
    """Training on annotated clips."""

    max_clips: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")


class TimelineConfig(Shared):
    """One experiment that tells in every frame of a clip whether the car is in a work zone."""

    task: Literal["timeline"]
    prepare: DetectionPreparation
    mine: ClipMining
    model: TimelineModel
    train: TimelineTraining
    scoring: Scoring
    tolerances: tuple[Annotated[int, Field(ge=0)], ...] = Field(description="transition tolerances, frames")
    baseline: DetectorBaseline

    @model_validator(mode="after")
    def _cues_are_classes(self) -> "TimelineConfig":
        cues = {name for group in self.scoring.groups.values() for name in group.classes}
        if unknown := sorted(cues - set(self.project.classes)):
            raise ValueError(f"scoring.groups: {', '.join(unknown)} not among project.classes")
        return self


class OcrModel(Strict):
    """Reads the text on the signs that a detector found."""

    detector: ExperimentId
    recogniser: Literal["microsoft/trocr-small-printed", "microsoft/trocr-base-printed"]
    weights: str | None = Field(description="folder of the recogniser's weights, before every other origin")
    min_height: Count = Field(description="signs lower than this are not read, px")
    confidence: Fraction = Field(description="a reading below this is not kept")


class OcrConfig(Shared):
    """One experiment of reading signs."""

    task: Literal["ocr"]
    prepare: DetectionPreparation
    mine: ClipMining
    model: OcrModel
    baseline: DetectorBaseline
