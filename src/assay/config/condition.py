"""The typed model of condition classification: stage 2 behind a detector, on crops of its boxes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Positive, Shared, Strict
from assay.config.detection import DetectorBaseline

ClipBackbone = Literal["openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14"]


class HeadTraining(Strict):
    """How a small model learns on features, or the last blocks under it."""

    epochs: int = Field(ge=0, description="0 = nothing to learn")
    batch: Count
    optimizer: Literal["adamw"]
    lr: Positive = Field(le=1, description="learning rate")
    weight_decay: float = Field(ge=0, le=1)
    class_weights: Literal["none", "balanced"] = Field(description="balanced: inverse to a class's frequency")
    patience: Count | None = Field(description="stop after so many epochs without a better one; null = never")


class CropTraining(HeadTraining):
    """Training on crops of boxes."""

    max_images: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")


class ConditionModel(Strict):
    """CLIP embedding of a crop, object type and spatial features -> condition."""

    backbone: ClipBackbone
    weights: str | None = Field(description="folder of the backbone's weights, before every other origin")
    head: Literal["prompts", "mlp"] = Field(description="prompts: zero-shot similarity; mlp: a trained head")
    classes: Literal["binary", "three", "nine"] = Field(
        description="normal/conditional, normal/blocked/damaged, or the nine names of the annotation"
    )
    prompts: dict[str, str] = Field(description="text by class, for head=prompts")
    spatial: Literal["none", "geometric", "relational", "both"] = Field(description="nine features a set")
    type_embedding: int = Field(ge=0, description="size of the learnt object-type embedding; 0 = none")
    hidden: tuple[Count, ...] = Field(description="widths of the head's hidden layers")
    dropout: float = Field(ge=0, lt=1)
    unfrozen_blocks: Literal["all"] | Annotated[int, Field(ge=0)] = Field(
        description="last transformer blocks that learn; 0 = frozen backbone"
    )

    @model_validator(mode="after")
    def _prompts_where_asked(self) -> "ConditionModel":
        if (self.head == "prompts") != bool(self.prompts):
            raise ValueError("prompts belong to head=prompts, and it needs them")
        return self


class ConditionConfig(Shared):
    """One experiment of condition classification, stage 2 behind a detector."""

    task: Literal["condition"]
    model: ConditionModel
    train: CropTraining
    baseline: DetectorBaseline


class VisionLanguageModel(Strict):
    """A vision-language model with low-rank adapters that answers a question about a crop."""

    backbone: Literal["Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"]
    weights: str | None = Field(description="folder of the backbone's weights, before every other origin")
    classes: Literal["binary", "three", "nine"]
    question: str
    rank: Count = Field(description="rank of the adapters")
    alpha: Positive = Field(description="scale of the adapters")
    dropout: float = Field(ge=0, lt=1)


class VisionLanguageConfig(Shared):
    """One experiment of condition classification by a vision-language model."""

    task: Literal["vision_language"]
    model: VisionLanguageModel
    train: CropTraining
    baseline: DetectorBaseline
