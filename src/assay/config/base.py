"""Building blocks of every configuration model."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProjectName = Literal["cherry", "workzone", "infrastructure", "conditions", "documents"]
ExportRuntime = Literal["onnx", "openvino_fp32", "openvino_bf16", "openvino_int8", "torchscript", "tensorrt"]


class Strict(BaseModel):
    """Frozen, and refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class PublishedReduction(Strict):
    """What a source says of its false positives, as it says it."""

    source: str
    images: Count
    before: int = Field(ge=0)
    false_positives: int = Field(ge=0)
    change: float = Field(ge=-1, description="relative, of the false positives")


class NegativeVideoEvaluation(Strict):
    """False alarms are counted on the clips that show no object."""

    stride: Count = Field(description="every so many frames are looked at")
    published: PublishedReduction | None


class Project(Strict):
    """What a project is, whatever the experiment."""

    name: ProjectName = Field(description="folder of data/ and build/, and the code that reads the data")
    title: str = Field(description="heading of reports")
    registered_model: str = Field(description="name in the model registry, <project>-<task>")
    main_metric: str = Field(description="the number the final table shows")
    classes: tuple[str, ...] = Field(
        min_length=1,
        description="in the order of the model's outputs; own ones: prepare.class_map and review.labels, too",
    )
    baseline: str = Field(description="the published baseline: the experiment whose model mines")
    negative_video: NegativeVideoEvaluation | None = Field(default=None, description="null = no such clips")


class Published(BaseModel):
    """Numbers as published, by metric; rates in the unit the source uses."""

    model_config = ConfigDict(extra="allow", frozen=True)

    unit: Literal["percent", "fraction"] = "fraction"

    def share(self, metric: str) -> float | None:
        """A published rate as a share, 0-1; None where the source gives none."""
        value = (self.model_extra or {}).get(metric)
        return None if value is None else float(value) / (100 if self.unit == "percent" else 1)


class Experiment(Strict):
    """Which experiment of conf/experiment this is, and what its authors reported."""

    id: str
    title: str
    planned: bool = Field(default=False, description="the source names it but reports no number")
    published: Published | None = Field(default=None, description="what the source reports; None = nothing")


class WeightsPolicy(Strict):
    """Where pretrained weights may come from when no file and no installed package has them."""

    allow_download: bool = Field(description="the library may fetch them")
    allow_random_init: bool = Field(description="where none are at hand, start from the starter or at random")


class Profile(Strict):
    """How far an experiment is scaled to the time and the machine at hand."""

    name: Literal["demo", "cpu", "full", "smoke"]
    caps: dict[str, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        description="upper bound by task and configuration key"
    )
    substitute: dict[str, dict[str | int, str | int]] = Field(description="smaller stand-in by key and value")
    weights: WeightsPolicy
    scaled: dict[str, Any] = Field(default={}, description="what the profile changed: key -> [from, to]")


class Review(Strict):
    """The labels a reviewer may give a candidate, and whose answers training may use."""

    labels: tuple[str, ...] = Field(min_length=1, description="the answers that a reviewer may give")
    kinds: tuple[Literal["human", "model"], ...] = Field(
        default=("human",),
        min_length=1,
        description="reviewers whose decisions count; model must be asked for, and every table then says so",
    )


class Shared(Strict):
    """What every experiment has."""

    seed: int = Field(ge=0, lt=2**31)
    project: Project
    experiment: Experiment
    profile: Profile
    data: str = Field(description="folder of the project's data")
    build: str = Field(description="folder the stages write to")
    review: Review
