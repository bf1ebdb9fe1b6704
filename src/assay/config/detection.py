"""The typed model of detection. A detector's arguments keep Ultralytics' names (`box`, `close_mosaic`, `lr0`, ...):
a published args.yaml can be read beside them.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from assay.config.base import Count, ExportRuntime, Fraction, Positive, Shared, Strict
from assay.config.messages import nearest
from assay.config.scoring import Scoring

Detector = Annotated[str, Field(pattern=r"^yolo(v8|11|12)[nsmlx]$", description="family and letter")]
ExperimentId = Annotated[str, Field(min_length=1, description="an experiment of the same project")]


class DetectorModel(Strict):
    """A YOLO detector and where its weights start."""

    architecture: Detector
    pretrained: bool = Field(description="start from the COCO weights; false = random initialisation")
    weights: str | None = Field(description="path of a weights file that goes before every other origin")
    fine_tune: ExperimentId | None = Field(description="start from this experiment's best checkpoint")
    image_size: int = Field(ge=32, le=2048, description="side of the letterboxed input, px")
    patch: Literal[32] = Field(description="image_size must be a multiple of this, the coarsest stride")
    attention: Literal["none", "cbam"] = Field(description="cbam: block attention behind a yolo11's backbone")

    @model_validator(mode="after")
    def _size_fits_patch(self) -> "DetectorModel":
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch {self.patch}")
        if self.attention != "none" and not self.architecture.startswith("yolo11"):
            raise ValueError(
                f"attention {self.attention} is described for yolo11 only, not {self.architecture}"
            )
        return self

    @property
    def network(self) -> str:
        """The network's name with what is added to it: yolo11s, yolo11s_cbam."""
        return self.architecture if self.attention == "none" else f"{self.architecture}_{self.attention}"


class DetectorTraining(Strict):
    """How a detector learns. There is no optimizer `auto`: it replaces lr0 and momentum in silence."""

    subset: str | None = Field(description="folder of the project's data where it has several; null = all")
    hard_negatives: int = Field(ge=0, description="reviewed images without an object, as empty labels")
    negative_share: float | None = Field(
        ge=0,
        le=0.5,
        description="of all training images, instead of a number of hard negatives; null = the number",
    )
    reviewed_boxes: bool = Field(
        False,
        description="boxes that reviewers drew replace a training image's own, and add images of the pool",
    )
    negative_warning: Fraction = Field(description="a larger share of hard negatives is warned of")
    synthetic: float = Field(ge=0, le=100, description="pages drawn per real training image; documents only")
    teacher: ExperimentId | None = Field(
        description="its detector's boxes on frames of the clips are further labels; null = none"
    )
    teacher_confidence: Fraction = Field(description="the teacher's boxes below this are no labels")
    teacher_frames: Count = Field(description="so many frames with such a box, at most")

    epochs: int = Field(ge=0, description="0 = the starting weights as they come")
    select: Literal["map50", "map50_95", "last"] = Field(
        description="which epoch is kept: the best on the validation images by this metric, or the last"
    )
    batch: Count = Field(description="images in a step")
    nominal_batch: Count = Field(
        description="gradients of so many images are gathered before a step (Ultralytics' nbs)"
    )
    max_images: Annotated[int, Field(ge=2)] | None = Field(description="train on a seeded subset; null = all")
    patience: Count | None = Field(description="stop after so many epochs without a better one; null = never")
    precision: Literal["auto", "fp32", "bf16"] = Field(description="auto: bf16 where the hardware has it")
    deterministic: bool = Field(description="the same seed gives the same weights")
    freeze: int = Field(ge=0, description="so many first layers do not learn")

    optimizer: Literal["sgd", "adamw"]
    lr0: Positive = Field(le=1, description="learning rate after warm-up")
    lrf: Positive = Field(le=1, description="last learning rate as a share of lr0")
    cosine: bool = Field(description="cosine decay; false = linear")
    momentum: Fraction = Field(description="SGD momentum or Adam beta1")
    weight_decay: float = Field(ge=0, le=1)
    warmup_epochs: float = Field(ge=0, description="the learning rate rises over so many")
    warmup_momentum: Fraction = Field(description="momentum when warm-up begins")
    warmup_bias_lr: Fraction = Field(description="learning rate of the biases when warm-up begins")

    box: float = Field(ge=0, description="weight of the box loss")
    cls: float = Field(ge=0, description="weight of the class loss")
    dfl: float = Field(ge=0, description="weight of the distribution focal loss")
    iou: Fraction = Field(description="IoU of non-maximum suppression while validating")
    conf: Fraction = Field(description="confidence a box needs while validating")

    mosaic: Fraction = Field(description="share of images made of four")
    close_mosaic: int = Field(ge=0, description="no mosaic in so many last epochs")
    mixup: Fraction = Field(description="share of images blended with another")
    copy_paste: Fraction = Field(description="share of images with pasted objects")
    hsv_h: Fraction = Field(description="hue shift, at most")
    hsv_s: Fraction = Field(description="saturation change, at most")
    hsv_v: Fraction = Field(description="brightness change, at most")
    degrees: float = Field(ge=0, le=180, description="rotation, at most")
    translate: Fraction = Field(description="shift, at most, as a share")
    scale: Fraction = Field(description="zoom, at most, as a share")
    shear: float = Field(ge=0, le=180, description="degrees")
    perspective: float = Field(ge=0, le=0.001, description="of Ultralytics' warp, at most")
    flipud: Fraction = Field(description="share turned upside down")
    fliplr: Fraction = Field(description="share mirrored")
    auto_augment: Literal["randaugment", "autoaugment", "augmix"] | None = Field(
        description="as in the published arguments; it acts in classification only"
    )
    erasing: Fraction = Field(description="as in the published arguments; it acts in classification only")
    multi_scale: Fraction = Field(description="vary the input size by up to this share; 0 = fixed")


class SelfSupervision(Strict):
    """Pre-training of the detector's backbone on frames without labels."""

    method: Literal["simsiam"]
    image_size: int = Field(ge=32, multiple_of=32, description="side of a view, px")
    stride: Count = Field(description="every so many frames of a clip are used")
    epochs: Count
    batch: int = Field(ge=2, description="batch norm needs two")
    lr: Positive = Field(le=1)
    weight_decay: float = Field(ge=0, le=1)


class Grouping(Strict):
    """How boxes of one class that show one mark become one (document 003, lines 328-358)."""

    drop_contained: Fraction = Field(description="drop a box with more than this share inside a surer one")
    distance: Positive = Field(description="join boxes whose centres are nearer than this, px")
    page_side: Count | None = Field(description="longer side of the page these px belong to; null = as it is")
    iou: Fraction = Field(description="join boxes that overlap more than this")
    containment: Fraction = Field(description="join boxes of which more than this share lies in the other")


class DetectorInference(Strict):
    """How a trained detector is asked."""

    confidence: Fraction = Field(description="a box below this is not shown")
    class_confidence: dict[str, Fraction] = Field(description="threshold by class, instead of confidence")
    thresholds: Literal["fixed", "validation"] = Field(
        "fixed",
        description="by the two keys above; or of the highest F1 on validation by class, frozen for test",
    )
    nms_iou: Fraction = Field(description="IoU of non-maximum suppression")
    tta: bool = Field(description="predict flipped and scaled copies too")
    ensemble: tuple[ExperimentId, ...] = Field(description="experiments whose detectors vote beside this one")
    grouping: Grouping | None = Field(description="boxes of one mark become one; null = no")


class DetectorBaseline(Strict):
    """The published baseline, the detector that mines."""

    task: Literal["detection"]
    experiment: str
    model: DetectorModel
    train: DetectorTraining


class Regrouping(Strict):
    """Which images stay together, and which split is made of them."""

    split: Literal["published", "grouped", "kfold"] = Field(
        description="as published; whole groups, classes balanced; one of `folds` such parts is tested"
    )
    look_distance: Fraction = Field(
        description="photos whose names tell no flight: how unlike those of one may look; 0 = each by itself"
    )
    test_share: Fraction = Field(description="of the images, for split=grouped")
    minimum: dict[str, Count] = Field(description="class -> boxes validation needs, for split=grouped")
    folds: int = Field(ge=3, le=20, description="for split=kfold: one is tested, the next one is validation")
    fold: int = Field(ge=0, lt=20, description="which one is tested")

    @model_validator(mode="after")
    def _a_fold_of_folds(self) -> "Regrouping":
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}: they count from 0 to {self.folds - 1}")
        return self


class DetectionPreparation(Strict):
    """How photos, pages or frames with boxes become a data set."""

    class_map: dict[str, str] = Field(
        description='name in the annotation -> class of the project, "" = background'
    )
    ignore: tuple[str, ...] = Field(
        description="annotated names that are neither object nor background, whatever class_map says of them"
    )
    scored_subset: str | None = Field(description="folder whose held-out images are scored; null = all")
    near_duplicate_distance: float = Field(ge=0, le=0.5, description="share of differing hash bits")
    regroup: Regrouping | None = Field(None, description="photos of flights; null = as the reader has them")
    validation_share: Fraction = Field(description="of the groups, where the data is not split yet")
    split_seed: int = Field(
        ge=0,
        description="of that split, and of regroup; grouped: 0 = nearest to the shares, others as near as can be",
    )
    dpi: int = Field(ge=36, le=600, description="resolution at which PDF pages are drawn")
    max_side: Count = Field(description="images and pages larger than this are quarantined, px")

    @model_validator(mode="after")
    def _some_are_left_to_train_on(self) -> "DetectionPreparation":
        if self.regroup and self.validation_share + self.regroup.test_share >= 1:
            raise ValueError(
                f"validation_share {self.validation_share:g} and regroup.test_share {self.regroup.test_share:g} leave "
                "nothing to train on; together they must be below 1"
            )
        return self


class PageMining(Strict):
    """Which document pages are worth a look too: QR codes that only detector or decoder sees, marks of many boxes."""

    confidence: Fraction = Field(description="a box below this is not shown")
    grouping: Grouping
    merged: int = Field(ge=2, description="a mark made of so many boxes or more")
    low_confidence: Fraction = Field(description="a shown mark below this")


class ImageMining(Strict):
    """Which images or pages are worth a person's look: unsure boxes, and boxes that two looks disagree about."""

    of: Literal["images"]
    second_look: Literal["mirrored", "augmented"] = Field(
        "mirrored",
        description="what a plain look is compared with; mirrored: the mirror image; augmented: test-time augmentation",
    )
    conditions: str | None = Field(
        None, description="folder of an exported condition classifier that judges what is found; null = none"
    )
    unsure_condition: Fraction = Field(0.75, description="a condition less probable than this is unsure")
    uncertain: tuple[Fraction, Fraction] = Field(description="a best box scored in this band is unsure")
    match_iou: Fraction = Field(description="two boxes that overlap less are not the same")
    max_candidates: Count = Field(description="so many at most are offered for review")
    pages: PageMining | None = Field(None, description="further reasons on document pages; null = none")


class FlickerMining(Strict):
    """The second, label-free miner: boxes that neighbouring frames do not have, or have and this one has not."""

    cap: int = Field(ge=0, description="candidates per clip; 0 = off")
    window: Count = Field(description="looked-at frames before and after that are compared")
    confidence: Fraction = Field(description="a box below this does not count")
    iou: Fraction = Field(description="boxes of two frames that overlap less are not the same")
    motion: float = Field(ge=0, le=2, description="share of its size that a box may move per frame")


class FrameSkipping(Strict):
    """Frames that look like the last one are not shown to the detector."""

    difference: Fraction = Field(
        description="mean difference of thumbnails below which a frame is skipped; 0 = off"
    )
    most: Count = Field(description="frames in a row that are skipped, at most")


class ClipMining(Strict):
    """Which frames of clips are worth a person's look (document 002)."""

    of: Literal["clips"]
    stride: Count = Field(description="every so many frames are looked at")
    cap: Count = Field(description="candidates per clip")
    score_range: tuple[Fraction, Fraction] = Field(description="of the smoothed fused score")
    gate: bool = Field(description="a candidate needs the multi-cue gate")
    verifier: Literal["none", "clip", "sample_clip"] = Field(
        description="second opinion on a frame; none: the detector's score alone; clip: needs its weights; "
        "sample_clip: a small one, taught from the labelled frames before mining"
    )
    runtime: Literal["auto", "torch", "openvino"] = Field(
        description="what runs the detector; auto: the GPU where there is one, otherwise OpenVINO"
    )
    precision: Literal["auto", "f32", "bf16", "int8"] = Field(
        description="of OpenVINO; auto: bf16 where the CPU has matrix units for it (AMX), otherwise f32"
    )
    engine: Literal["local", "ray"] = Field(
        description="ray: clips as tasks of a Ray cluster; the extra `ray`"
    )
    cluster: str | None = Field(
        description="address of a running Ray cluster; null = one on this machine, for the run"
    )
    shard: Annotated[str, Field(pattern=r"^\d+/\d+$")] | None = Field(
        description="0/2, 1/2: one of two processes that share the clips; null = all clips, and put the output together"
    )
    flicker: FlickerMining
    skip: FrameSkipping
    scoring: Scoring
    tolerances: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="frames by which a transition may be off, where people marked zone states"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> "ClipMining":
        if self.engine == "ray" and self.precision == "int8":
            raise ValueError(
                "precision int8 learns from all clips, which a worker does not have: use engine local"
            )
        if self.shard is not None:
            index, of = map(int, self.shard.split("/"))
            if index >= of:
                raise ValueError(f"shard {self.shard}: expected 0/2 or 1/2 for two processes, and so on")
        return self


class DetectorEvaluation(Strict):
    """How stored boxes are scored."""

    bootstrap_draws: int = Field(ge=100, le=100_000, description="samples of an interval's bootstrap")
    min_score: Fraction = Field(description="boxes below this are not stored")
    max_boxes: Count = Field(description="so many best boxes of an image are stored")
    robustness: tuple[Literal["turned_right", "turned_left", "dpi_100", "dpi_75", "faded"], ...] = Field(
        (), description="also on held-out pages that arrive so; rows of the page of the evaluate stage"
    )
    inference: DetectorInference


class DetectorParity(Strict):
    """How far an export may stray from the model before the stage fails."""

    runtimes: tuple[ExportRuntime, ...] = Field(min_length=1)
    max_score_difference: Positive = Field(le=1, description="of onnx, openvino_fp32, torchscript")
    max_box_difference: Positive = Field(description="of those three, px of the network's input")
    max_map50_drop: Fraction = Field(description="of those three, on the held-out images")
    max_rounded_map50_drop: Fraction = Field(description="the same of bf16, int8 and tensorrt, which round")
    calibration_images: Count = Field(description="training images that set openvino_int8's ranges")


class DetectionConfig(Shared):
    """One experiment of detection."""

    task: Literal["detection"]
    prepare: DetectionPreparation
    model: DetectorModel
    pretrain: SelfSupervision | None = Field(
        description="the backbone learns from frames without labels first; null = no"
    )
    train: DetectorTraining
    mine: Annotated[ImageMining | ClipMining, Field(discriminator="of")]
    evaluate: DetectorEvaluation
    export: DetectorParity
    baseline: DetectorBaseline

    @model_validator(mode="after")
    def _keys_are_classes(self) -> "DetectionConfig":
        regroup, classes = self.prepare.regroup, self.project.classes
        for key, given in (
            ("prepare.regroup.minimum", regroup.minimum if regroup else {}),
            ("evaluate.inference.class_confidence", self.evaluate.inference.class_confidence),
        ):
            for name in given:
                if name not in classes:
                    raise ValueError(f"{key}.{name}: no such class{nearest(name, classes)}")
        return self

    @model_validator(mode="after")
    def _one_model_before(self) -> "DetectionConfig":
        if self.model.fine_tune and self.train.teacher:
            raise ValueError(
                "model.fine_tune and train.teacher: an experiment goes on from one other; set one to null"
            )
        if self.train.hard_negatives and self.train.negative_share is not None:
            raise ValueError(
                "train.hard_negatives and train.negative_share both say how many negatives; set one"
            )
        return self

    @model_validator(mode="after")
    def _names_are_classes(self) -> "DetectionConfig":
        """Own classes are named in three keys: project.classes, prepare.class_map and review.labels."""
        classes = self.project.classes
        for raw, name in self.prepare.class_map.items():
            if raw not in self.prepare.ignore and name not in (*classes, ""):
                raise ValueError(
                    f"prepare.class_map: {raw!r} becomes {name!r}, which is no class; "
                    f"project.classes are {', '.join(classes)}"
                )
        unsaid = [name for name in classes if name not in self.review.labels]
        if unsaid and self.mine.of == "images":
            raise ValueError(
                f"review.labels: {', '.join(unsaid)} missing; a reviewer says which of project.classes shows"
            )
        return self
