"""The typed model of condition classification: stage 2 behind a detector, on crops of its boxes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Fraction, Positive, Shared, Strict

ClipBackbone = Literal["openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14"]
ImageBackbone = Literal[
    "openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14", "tf_efficientnet_lite0.in1k"
]


class HeadTraining(Strict):
    """How a small model learns on features, or the last blocks under it."""

    epochs: int = Field(ge=0, description="0 = nothing to learn")
    batch: Count
    optimizer: Literal["adamw"]
    lr: Positive = Field(le=1, description="learning rate")
    weight_decay: float = Field(ge=0, le=1)
    class_weights: Literal["none", "balanced"] = Field(description="balanced: inverse to a class's frequency")
    patience: Count | None = Field(description="stop after so many epochs without a better one; null = never")


class ReviewedLabels(Strict):
    """What training does with reviewed instances."""

    use: bool = Field(description="apply reviewed labels; the others train on their labels as published")
    repeat: Count = Field(description="how often a reviewed instance is shown per epoch")


class ConditionTraining(HeadTraining):
    """Training of a condition classifier; the test instances are never looked at while it learns."""

    max_images: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")
    selection: Literal["last", "best"] = Field(
        description="which epoch is kept; best: on `validation_share` of the training photos, held out for it"
    )
    validation_share: float = Field(gt=0, lt=1, description="of the training photos, for selection=best")
    hard_examples: ReviewedLabels

    @model_validator(mode="after")
    def _patience_has_something_to_watch(self) -> "ConditionTraining":
        if self.patience is not None and self.selection == "last":
            raise ValueError("patience needs selection=best: without held-out photos no epoch is better")
        return self


class ConditionPreparation(Strict):
    """How annotated boxes become a data set of crops."""

    object_types: tuple[str, ...] = Field(min_length=1, description="in the order of the type embedding")
    near_duplicate_distance: float = Field(
        ge=0, le=0.5, description="share of differing hash bits of two photos"
    )


class ConditionModel(Strict):
    """Image features of a crop, object type and spatial features -> condition."""

    backbone: ImageBackbone = Field(description="CLIP, or the ImageNet network whose weights install offline")
    weights: str | None = Field(description="folder of the backbone's weights, before every other origin")
    head: Literal["prompts", "mlp"] = Field(description="prompts: zero-shot similarity; mlp: a trained head")
    classes: Literal["binary", "three", "nine"] = Field(
        description="normal/conditional, normal/blocked/damaged, or the nine names of the annotation"
    )
    prompts: dict[str, str] = Field(description="text by class, for head=prompts")
    spatial: Literal["none", "geometric", "relational", "recomputed", "both", "both_recomputed"] = Field(
        description="nine features a set; recomputed: the relational ones from the boxes of conditions.csv"
    )
    type_embedding: int = Field(ge=0, description="size of the learnt object-type embedding; 0 = none")
    hidden: tuple[Count, ...] = Field(description="widths of the head's hidden layers")
    dropout: float = Field(ge=0, lt=1, description="share of activations left out while training")
    unfrozen_blocks: Literal["all"] | Annotated[int, Field(ge=0)] = Field(
        description="last transformer blocks that learn; 0 = frozen backbone"
    )

    @model_validator(mode="after")
    def _prompts_where_asked(self) -> "ConditionModel":
        if (self.head == "prompts") != bool(self.prompts):
            raise ValueError("prompts belong to head=prompts, and it needs them")
        return self


class CropMining(Strict):
    """Which training instances are worth a person's look."""

    uncertain_below: Fraction = Field(description="candidates: top probability below this, and all misses")
    max_candidates: Count = Field(description="so many at most are offered for review")


class ConditionEvaluation(Strict):
    """How stored probabilities are scored."""

    bootstrap_draws: int = Field(ge=100, le=100_000, description="samples of an interval's bootstrap")


class ConditionParity(Strict):
    """How far an export may stray from the model before the stage fails."""

    runtimes: tuple[Literal["onnx", "openvino_fp32", "openvino_bf16", "torchscript", "tensorrt"], ...] = (
        Field(min_length=1, description="no int8: it takes one input, these networks take three")
    )
    max_probability_difference: Positive = Field(le=1, description="of onnx, openvino_fp32, torchscript")
    max_accuracy_drop: Fraction = Field(description="of those three, on the test instances, as a share")
    max_rounded_accuracy_drop: Fraction = Field(description="the same of bf16 and tensorrt, which round")


class ConditionBaseline(Strict):
    """What stage 2 is measured against, and the model that mines."""

    task: Literal["condition"]
    experiment: str
    model: ConditionModel
    train: ConditionTraining


class ConditionConfig(Shared):
    """One experiment of condition classification, stage 2 behind a detector."""

    task: Literal["condition"]
    prepare: ConditionPreparation
    model: ConditionModel
    train: ConditionTraining
    mine: CropMining
    evaluate: ConditionEvaluation
    export: ConditionParity
    baseline: ConditionBaseline

    @model_validator(mode="after")
    def _reviewers_answer_two_classes(self) -> "ConditionConfig":
        _two_classes_for_reviewers(self)
        return self


AdaptedLayer = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class VisionLanguageModel(Strict):
    """A vision-language model with low-rank adapters that answers a question about a crop."""

    backbone: Literal["Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"]
    weights: str | None = Field(description="folder of the backbone's files, before every other origin")
    classes: Literal["binary", "three", "nine"] = Field(
        description="as of the other rows; a class's name is the word that answers"
    )
    image_size: int = Field(ge=56, le=1120, multiple_of=28, description="side of a crop; a token is 28 px")
    question: str = Field(min_length=1, description="may name {object_type} and {classes}")
    rank: Count = Field(description="rank of the adapters")
    alpha: Positive = Field(description="scale of the adapters, by rank")
    dropout: float = Field(
        ge=0, lt=1, description="share of what enters the adapters, left out while training"
    )
    targets: tuple[AdaptedLayer, ...] = Field(
        min_length=1, description="layers of the text tower that get adapters"
    )

    @model_validator(mode="after")
    def _question_can_be_asked(self) -> "VisionLanguageModel":
        try:
            self.question.format(object_type="", classes="")
        except (KeyError, IndexError, ValueError):
            raise ValueError("question may hold {object_type} and {classes} and no other braces") from None
        return self


class VisionLanguageConfig(Shared):
    """One experiment of condition classification by a vision-language model, which is not exported."""

    task: Literal["vision_language"]
    prepare: ConditionPreparation
    model: VisionLanguageModel
    train: ConditionTraining
    mine: CropMining
    evaluate: ConditionEvaluation
    baseline: ConditionBaseline

    @model_validator(mode="after")
    def _reviewers_answer_two_classes(self) -> "VisionLanguageConfig":
        _two_classes_for_reviewers(self)
        return self


StageTwo = ConditionConfig | VisionLanguageConfig  # a detector's boxes -> their condition


def _two_classes_for_reviewers(cfg: StageTwo) -> None:
    if cfg.train.hard_examples.use and cfg.model.classes != "binary":
        raise ValueError("train.hard_examples.use needs model.classes=binary: reviewers answer those two")
