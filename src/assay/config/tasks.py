"""The typed models of every task but image classification: what detection and its companions can be told.

Values live in conf/; this module only says which are possible. A detector's arguments keep Ultralytics'
names (`box`, `close_mosaic`, `lr0`, ...): a published args.yaml can be read beside them.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, Fraction, Positive, Shared, Strict
from assay.config.scoring import Scoring

Detector = Annotated[str, Field(pattern=r"^yolo(v8|11|12)[nsmlx]$", description="family and letter")]
ExperimentId = Annotated[str, Field(min_length=1, description="an experiment of the same project")]
ClipBackbone = Literal["openai/clip-vit-base-patch32", "openai/clip-vit-large-patch14"]


class DetectorModel(Strict):
    """A YOLO detector and where its weights start."""

    architecture: Detector
    pretrained: bool = Field(description="start from the COCO weights; false = random initialisation")
    weights: str | None = Field(description="path of a weights file that goes before every other origin")
    fine_tune: ExperimentId | None = Field(description="start from this experiment's best checkpoint")
    image_size: int = Field(ge=32, le=2048, description="side of the letterboxed input, px")
    patch: Literal[32] = Field(description="image_size must be a multiple of this, the coarsest stride")
    attention: Literal["none", "cbam"] = Field(description="cbam: block attention behind the backbone")

    @model_validator(mode="after")
    def _size_fits_patch(self) -> "DetectorModel":
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        return self


class DetectorTraining(Strict):
    """How a detector learns. There is no optimizer `auto`: it replaces lr0 and momentum in silence."""

    subset: str | None = Field(description="folder of the project's data where it has several; null = all")
    hard_negatives: int = Field(ge=0, description="reviewed images without an object, as empty labels")
    synthetic: float = Field(ge=0, le=100, description="generated images per real training image")
    teacher: ExperimentId | None = Field(description="distil from this experiment's detector")
    dis: float = Field(ge=0, description="weight of the distillation loss, where there is a teacher")

    epochs: int = Field(ge=0, description="0 = the starting weights as they come")
    batch: Count
    max_images: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")
    patience: Count | None = Field(description="stop after so many epochs without a better one; null = never")
    save_period: Count | None = Field(description="a checkpoint every so many epochs; null = best, last")
    deterministic: bool
    freeze: int = Field(ge=0, description="so many first layers do not learn")

    optimizer: Literal["sgd", "adamw"]
    lr0: Positive = Field(le=1, description="learning rate after warm-up")
    lrf: Positive = Field(le=1, description="last learning rate as a share of lr0")
    cosine: bool = Field(description="cosine decay; false = linear")
    momentum: Fraction = Field(description="SGD momentum or Adam beta1")
    weight_decay: float = Field(ge=0, le=1)
    warmup_epochs: float = Field(ge=0)
    warmup_momentum: Fraction
    warmup_bias_lr: Fraction = Field(description="learning rate of the biases when warm-up begins")

    box: float = Field(ge=0, description="weight of the box loss")
    cls: float = Field(ge=0, description="weight of the class loss")
    dfl: float = Field(ge=0, description="weight of the distribution focal loss")
    iou: Fraction = Field(description="IoU of non-maximum suppression while validating")
    conf: Fraction = Field(description="confidence a box needs while validating")

    mosaic: Fraction
    close_mosaic: int = Field(ge=0, description="no mosaic in so many last epochs")
    mixup: Fraction
    copy_paste: Fraction
    hsv_h: Fraction
    hsv_s: Fraction
    hsv_v: Fraction
    degrees: float = Field(ge=0, le=180)
    translate: Fraction
    scale: Fraction
    shear: float = Field(ge=0, le=180, description="degrees")
    perspective: float = Field(ge=0, le=0.001)
    flipud: Fraction
    fliplr: Fraction
    auto_augment: Literal["randaugment", "autoaugment", "augmix"] | None = Field(
        description="as in the published arguments; it acts in classification only"
    )
    erasing: Fraction = Field(description="as in the published arguments; it acts in classification only")
    multi_scale: Fraction = Field(description="vary the input size by up to this share; 0 = fixed")


class SelfSupervision(Strict):
    """Pre-training of the detector's backbone on frames without labels."""

    method: Literal["simsiam", "dino"]
    stride: Count = Field(description="every so many frames of a clip are used")
    epochs: Count
    batch: Count
    lr: Positive = Field(le=1)
    weight_decay: float = Field(ge=0, le=1)


class Grouping(Strict):
    """How boxes of one class that show one mark become one (document 003, lines 328-358)."""

    drop_contained: Fraction = Field(description="drop a box with more than this share inside a surer one")
    distance: Positive = Field(description="join boxes whose centres are nearer than this, px")
    iou: Fraction = Field(description="join boxes that overlap more than this")
    containment: Fraction = Field(description="join boxes of which more than this share lies in the other")


class DetectorInference(Strict):
    """How a trained detector is asked."""

    confidence: Fraction = Field(description="a box below this is not shown")
    class_confidence: dict[str, Fraction] = Field(description="threshold by class, instead of confidence")
    nms_iou: Fraction = Field(description="IoU of non-maximum suppression")
    tta: bool = Field(description="predict flipped and scaled copies too")
    ensemble: tuple[ExperimentId, ...] = Field(description="experiments whose detectors vote beside this one")
    grouping: Grouping | None


class DetectorBaseline(Strict):
    """The published baseline, the detector that mines."""

    task: Literal["detection"]
    experiment: str
    model: DetectorModel
    train: DetectorTraining


class DetectionConfig(Shared):
    """One experiment of detection."""

    task: Literal["detection"]
    model: DetectorModel
    pretrain: SelfSupervision | None
    train: DetectorTraining
    inference: DetectorInference
    baseline: DetectorBaseline


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
    model: OcrModel
    baseline: DetectorBaseline
