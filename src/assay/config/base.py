"""Building blocks of every configuration model."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProjectName = Literal["cherry", "workzone", "infrastructure", "conditions", "documents"]


class Strict(BaseModel):
    """Frozen, and refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Project(Strict):
    """What a project is, whatever the experiment."""

    name: ProjectName
    title: str
    registered_model: str = Field(description="name in the model registry, <project>-<task>")
    main_metric: str = Field(description="the number the final table shows")
    classes: tuple[str, ...] = Field(min_length=1)
    baseline: str = Field(description="the published baseline: the experiment whose model mines")


class Published(BaseModel):
    """Numbers as published, by metric; rates in the unit the source uses."""

    model_config = ConfigDict(extra="allow", frozen=True)

    unit: Literal["percent", "fraction"] = "fraction"

    def share(self, metric: str) -> float | None:
        """A published rate as a share, 0-1; None where the source gives none."""
        value = (self.model_extra or {}).get(metric)
        return None if value is None else float(value) / (100 if self.unit == "percent" else 1)


class Experiment(Strict):
    """Which experiment of the ledger this is, and what its authors reported."""

    id: str
    title: str
    planned: bool = Field(default=False, description="the source names it but reports no number")
    published: Published | None = Field(default=None, description="what the source reports; None = nothing")


class WeightsPolicy(Strict):
    """Where pretrained weights may come from when no file and no installed package has them."""

    allow_download: bool
    allow_random_init: bool


class Profile(Strict):
    """How far an experiment is scaled to the time and the machine at hand."""

    name: Literal["demo", "cpu", "full", "smoke"]
    caps: dict[str, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        description="upper bound by task and configuration key"
    )
    substitute: dict[str, dict[str, str]] = Field(description="smaller stand-in by key and value")
    weights: WeightsPolicy
    scaled: dict[str, Any] = Field(default={}, description="what the profile changed: key -> [from, to]")


class Review(Strict):
    """The labels a reviewer may give a candidate."""

    labels: tuple[str, ...] = Field(min_length=1)


class Shared(Strict):
    """What every experiment has."""

    seed: int = Field(ge=0, lt=2**31)
    project: Project
    experiment: Experiment
    profile: Profile
    data: str = Field(description="folder of the project's data")
    build: str = Field(description="folder the stages write to")
    review: Review
