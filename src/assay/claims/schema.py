"""The form of conf/claims/*.yaml: evaluation sets, schedules, claims, and what a document states of them."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SCORES = ("accuracy", "map50", "map50_95", "precision", "recall", "f1")
"""Metrics of a model on a set of images; of all of them, more is better."""
RISING = (*SCORES, "fitness")
"""Metrics of which more is better; of any other, no rule says which of two is the better."""


def _plain(value: Any) -> Any:
    """Refuse what YAML takes for a number and is none (true, .nan, .inf), and a list where one value is expected."""
    if isinstance(value, dict):
        for arguments in value.values():
            for one in arguments if isinstance(arguments, list) else [arguments]:
                if one is not None:  # a value left out: counted where the function is known
                    _plain(one)
    elif not isinstance(value, str) and (type(value) not in (int, float) or not math.isfinite(value)):
        raise ValueError(f"expected a claim's name, a number, or {{function: arguments}}, not {value}")
    return value


Expression = Annotated[str | float | dict[str, Any], BeforeValidator(_plain)]
"""A claim's id, a number, or {function: [expressions]} with a function of `functions.FUNCTIONS`."""


class Strict(BaseModel):
    """Frozen, and refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationSet(Strict):
    """What numbers were measured on."""

    title: str
    n: int | None = Field(default=None, ge=1, description="images or instances an accuracy counts")
    classes: dict[str, Annotated[int, Field(ge=0)]] = Field(default={}, description="instances by class")
    split: str | None = Field(default=None, description="what results/ call these images: val, test")
    images: int | None = Field(default=None, ge=1, description="how many images; n where it is not given")
    chooses: str | None = Field(default=None, description="what is chosen on it: an epoch, a threshold")
    in_training: Annotated[int, Field(ge=0)] = Field(
        default=0, description="images that are training images, too"
    )
    where: str = Field(default="", description="where its facts come from")

    @model_validator(mode="after")
    def _adds_up(self) -> "EvaluationSet":
        total, images = sum(self.classes.values()), self.images or self.n
        if self.n is not None and self.classes and total != self.n:
            raise ValueError(f"its classes sum to {total}, n is {self.n}")
        if images is not None and self.in_training > images:
            raise ValueError(f"in_training is {self.in_training}, more than its {images} images")
        return self


class Schedule(Strict):
    """A learning rate over the epochs, as ultralytics logs it: after an epoch's last batch."""

    title: str
    decay: Literal["cosine", "linear"]
    lr0: Expression
    lrf: Expression
    epochs: Expression
    warmup_epochs: Expression | None = None
    warmup_steps: Expression | None = None
    steps_per_epoch: Expression

    @model_validator(mode="after")
    def _one_warmup(self) -> "Schedule":
        if (self.warmup_epochs is None) == (self.warmup_steps is None):
            raise ValueError("give warmup_epochs or warmup_steps, one of them")
        return self


class Claim(Strict):
    """One written value, or one that a rule needs and that follows from others (source: computed)."""

    line: int | list[int] | None = Field(
        default=None, description="in the document; several where it is repeated"
    )
    written: str | None = Field(default=None, description="the value exactly as it stands there")
    metric: str = Field(description="what it is a value of")
    experiment: str | None = None
    label: str | None = Field(default=None, description="class, object type or group")
    set: str | None = Field(default=None, description="evaluation set it was measured on")
    epoch: int | None = None
    kind: Literal["value", "setting", "target", "estimate", "planned", "example"] = "value"
    best: bool = Field(default=False, description="said to be the best of its experiment's epochs")
    unit: str = Field(default="", description="where `written` has none, such as in a table")
    means: str | None = Field(default=None, description="what a value that is no number says")
    source: Literal["document", "file", "data", "library", "ledger", "computed"] = "document"
    where: str = Field(default="", description="for another source than the document")
    equals: Expression | None = Field(default=None, description="how it follows from other claims")

    instead: Expression | None = Field(
        default=None, description="what gives the number, where `equals` does not"
    )

    @model_validator(mode="after")
    def _told_where(self) -> "Claim":
        if self.source == "document" and not self.lines:
            raise ValueError("a claim of the document needs its line")
        if any(line < 1 for line in self.lines):
            raise ValueError(f"line {self.line}: lines are counted from 1")
        if self.source not in ("document", "computed") and not self.where:
            raise ValueError(f"source {self.source} needs `where`")
        if self.source == "computed" and (self.equals is None or self.written is not None):
            raise ValueError("a computed value has `equals` and no `written`")
        if self.source != "computed" and self.written is None:
            raise ValueError("needs `written`, the value as it stands there")
        if self.means is not None and self.equals is not None:
            raise ValueError("`means` is for text, `equals` for numbers; give one of them")
        if self.best and self.metric not in RISING:
            raise ValueError(
                f"`best` is for {', '.join(RISING)}: more is better there; not for {self.metric}"
            )
        return self

    @property
    def lines(self) -> list[int]:
        """Lines of the document."""
        return [] if self.line is None else [self.line] if isinstance(self.line, int) else list(self.line)


class Statement(Strict):
    """A sentence about claims, and the rule that tests it."""

    line: int = Field(ge=1)
    written: str = Field(description="the words that state it")
    says: dict[str, Any] = Field(min_length=1, max_length=1, description="{rule: its arguments}")


class Document(Strict):
    """One file of conf/claims/."""

    document: str = Field(pattern=r"^\d{3}$")
    title: str
    name: str = Field(description="the document's file name")
    project: str
    sets: dict[str, EvaluationSet] = {}
    schedules: dict[str, Schedule] = {}
    claims: dict[str, Claim]
    statements: dict[str, Statement] = {}
