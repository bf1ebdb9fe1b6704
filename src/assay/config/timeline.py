"""The typed model of what is read along a clip: zone states, and the text of signs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Fraction, Positive, Shared, Strict
from assay.config.condition import ClipBackbone
from assay.config.detection import ClipMining, DetectionPreparation, DetectorBaseline, ExperimentId
from assay.config.scoring import Scoring


class TimelineModel(Strict):
    """Detections and CLIP similarity of each frame -> zone state of each frame."""

    architecture: Literal["rules", "mlp", "lstm", "transformer"]
    inputs: Literal["scores", "features"] = Field(
        description="what a network reads: the rules' scores of a frame, or the detector's and CLIP's features"
    )
    detector: ExperimentId
    clip: ClipBackbone | Literal["sample_clip"] = Field(
        description="second opinion; sample_clip: a small one, taught from the labelled frames"
    )
    stride: Count = Field(description="every so many frames are looked at")
    window: Count = Field(description="frames that mlp and transformer see at once")
    hidden: Annotated[int, Field(ge=4, multiple_of=4)] = Field(description="4 attention heads share them")
    layers: Count
    dropout: float = Field(ge=0, lt=1, description="share of activations left out while training")


class TimelineTraining(Strict):
    """Training on annotated clips: each fold's clips are judged by a network that learnt from the others."""

    folds: int = Field(ge=2, le=20, description="parts of the recordings; no more than there are recordings")
    epochs: int = Field(ge=0, description="0 = nothing to learn, for the rules")
    batch: Count = Field(description="clips in a step")
    max_clips: Annotated[int, Field(ge=2)] | None = Field(
        description="learn from a seeded subset; null = all"
    )
    lr: Positive = Field(le=1, description="learning rate of AdamW, falling by a cosine")
    weight_decay: float = Field(ge=0, le=1)
    class_weights: Literal["none", "balanced"] = Field(description="balanced: inverse to a state's frequency")


class TimelineEvaluation(Strict):
    """How stored states are scored."""

    bootstrap_draws: int = Field(ge=100, le=100_000, description="samples of an interval's bootstrap")


class TimelineConfig(Shared):
    """One experiment that tells in every frame of a clip whether the car is in a work zone."""

    task: Literal["timeline"]
    prepare: DetectionPreparation
    mine: ClipMining
    model: TimelineModel
    train: TimelineTraining
    scoring: Scoring
    evaluate: TimelineEvaluation
    baseline: DetectorBaseline

    @model_validator(mode="after")
    def _parts_fit(self) -> "TimelineConfig":
        cues = {name for group in self.scoring.groups.values() for name in group.classes}
        if unknown := sorted(cues - set(self.project.classes)):
            raise ValueError(f"scoring.groups: {', '.join(unknown)} not among project.classes")
        if (self.model.architecture == "rules") != (self.train.epochs == 0):
            raise ValueError("train.epochs 0 belongs to model.architecture=rules, which learns nothing")
        return self


class OcrModel(Strict):
    """Reads the text on signs, and tells from it whether a sign is a work zone's."""

    min_height: Count = Field(description="signs lower than this are not read, px")
    confidence: Fraction = Field(description="a line read with less is not kept")
    classifier: Literal["words", "letters"] = Field(
        description="words: the phrases below, nearly spelt; letters: regression on letter groups, learnt from signs"
    )
    phrases: tuple[str, ...] = Field(min_length=1, description="each says work zone; for classifier=words")
    likeness: Fraction = Field(description="of a phrase's letters that a text must share, in order")


class OcrTraining(Strict):
    """Nothing but the classifier of letters learns."""

    max_signs: Annotated[int, Field(ge=2)] | None = Field(
        description="learn from a seeded subset; null = all"
    )


class OcrEvaluation(Strict):
    """How told kinds are scored."""

    bootstrap_draws: int = Field(ge=100, le=100_000, description="samples of an interval's bootstrap")


class OcrConfig(Shared):
    """One experiment of reading signs."""

    task: Literal["ocr"]
    prepare: DetectionPreparation
    mine: ClipMining
    model: OcrModel
    train: OcrTraining
    evaluate: OcrEvaluation
    baseline: DetectorBaseline
