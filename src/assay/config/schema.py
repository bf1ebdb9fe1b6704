"""The typed model of a composed configuration: what every experiment shares, and image classification.

Values live in conf/, where people read and change them; this module only says which are possible. A model is
frozen and refuses unknown keys, so that a misspelt key never trains in silence.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, ExportRuntime, Fraction, Positive, ProjectName, Shared, Strict
from assay.config.condition import ConditionConfig, VisionLanguageConfig
from assay.config.detection import DetectionConfig
from assay.config.timeline import OcrConfig, TimelineConfig


class ClassificationPreparation(Strict):
    """How folders of images become a data set."""

    image_size: int = Field(
        ge=16, le=1024, description="the images' own side, px; others are counted as resized"
    )
    near_duplicate_distance: float = Field(ge=0, le=0.5, description="share of differing hash bits")


class ClassifierModel(Strict):
    """A timm classifier."""

    architecture: str = Field(description="timm model, pinned by its full pretrained tag")
    pretrained: bool = Field(description="start from the tag's weights; false = random initialisation")
    weights: str | None = Field(description="path of a weights file that goes before every other origin")
    image_size: int = Field(ge=28, le=1024, description="side of the square input, px")
    patch: Count = Field(description="image_size must be a multiple of this (14 for DINOv2)")
    input_mode: Literal["raw", "norm"] = Field(
        description="raw: 0-255 as production feeds it; norm: ImageNet mean and standard deviation"
    )
    freeze: Literal["none", "backbone"] | tuple[str, ...] = Field(
        description="none, backbone (only the head learns), or the child modules that do not learn"
    )

    @model_validator(mode="after")
    def _size_fits_patch(self) -> "ClassifierModel":
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        return self


class HardExamples(Strict):
    """What training does with reviewed candidates."""

    use: bool = Field(description="apply reviewed labels; published rows train on the labels as published")
    repeat: Count = Field(description="how often a reviewed example is shown per epoch")


class ClassifierTraining(Strict):
    """How a classifier learns."""

    epochs: Count = Field(description="passes over the training images")
    batch: int = Field(ge=2, description="batch norm needs two")
    select_share: float = Field(
        gt=0, le=0.5, description="part of the training images, by group, that the clean selection chooses on"
    )
    max_images: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")
    folds: int = Field(
        ge=0,
        le=20,
        description="further trainings, each without one part of the training images, which it then judges; 0 = none",
    )
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: Positive = Field(le=1, description="learning rate")
    group_lrs: dict[str, Positive] = Field(description="learning rate by child module, instead of lr")
    weight_decay: float = Field(ge=0, le=1)
    schedule: Literal["constant", "cosine"]
    label_smoothing: Fraction = Field(description="share of the target spread over all classes")
    augmentation: Literal["none", "geometric", "enhanced"]
    patience: Count | None = Field(description="stop after so many epochs without a better one; null = never")
    precision: Literal["auto", "fp32", "bf16"] = Field(description="auto: bf16 where the hardware has it")
    maybe: Literal["none", "misses", "reviewed"] = Field(
        description="third class: none; misses of a stage-1 model (two-stage); labels that reviewers gave"
    )
    hard_examples: HardExamples

    @model_validator(mode="after")
    def _folds_fit(self) -> "ClassifierTraining":
        if self.folds == 1:
            raise ValueError("folds 1 leaves nothing to train on; use 0 or at least 2")
        if self.maybe == "misses" and not self.folds:
            raise ValueError("maybe: misses finds them by cross-fitting; set folds to at least 2")
        return self


class UncertaintyMining(Strict):
    """Which classified images are worth a person's look."""

    uncertain_below: Fraction = Field(description="candidates: top probability below this, and all misses")
    max_candidates: Count = Field(description="so many at most are offered for review")


class Routing(Strict):
    """Production's rule: pit at or above `pit`, maybe at or above `maybe`, else clean (pit probability).

    With out-of-fold probabilities (`train.folds`) a second rule is searched: one that catches `recall` of the pits.
    """

    pit: Fraction
    maybe: Fraction
    recall: float = Field(gt=0, le=1, description="share of the pits the searched rule calls pit or maybe")

    @model_validator(mode="after")
    def _ordered(self) -> "Routing":
        if self.maybe > self.pit:
            raise ValueError(f"maybe {self.maybe} must not exceed pit {self.pit}")
        return self


class ClassifierEvaluation(Strict):
    """How stored probabilities are scored."""

    bootstrap_draws: int = Field(ge=100, le=100_000, description="samples of an interval's bootstrap")
    routing: Routing | None = Field(
        description="thresholds that send an image to pit, maybe or clean; null = no"
    )


class ParityBudget(Strict):
    """Which exports are made, and how far one may stray from the model before the stage fails."""

    runtimes: tuple[ExportRuntime, ...] = Field(min_length=1)
    max_probability_difference: Positive = Field(le=1, description="of onnx, openvino_fp32, torchscript")
    max_accuracy_drop: Fraction = Field(description="of those three, on the validation images, as a share")
    max_rounded_accuracy_drop: Fraction = Field(
        description="the same of bf16, int8 and tensorrt, which round"
    )
    calibration_images: Count = Field(description="training images that set openvino_int8's ranges")


class ClassifierBaseline(Strict):
    """The published baseline, the model that mines."""

    task: Literal["classification"]
    experiment: str
    model: ClassifierModel
    train: ClassifierTraining


class ClassificationConfig(Shared):
    """One experiment of image classification."""

    task: Literal["classification"]
    prepare: ClassificationPreparation
    model: ClassifierModel
    train: ClassifierTraining
    mine: UncertaintyMining
    evaluate: ClassifierEvaluation
    export: ParityBudget
    baseline: ClassifierBaseline


Config = Annotated[
    ClassificationConfig
    | DetectionConfig
    | ConditionConfig
    | VisionLanguageConfig
    | TimelineConfig
    | OcrConfig,
    Field(discriminator="task"),
]


class Sweep(Strict):
    """A named, versioned comparison: experiments x seeds, and optional variants of each."""

    name: str
    project: ProjectName
    title: str = Field(description="the question the sweep answers")
    experiments: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    variants: tuple[dict[str, Any], ...] = Field(
        default=(), description="overrides, one job each, in addition to the experiment as it stands"
    )
