"""conf/promotion.yaml: what a model must keep to be promoted to production."""

from pydantic import Field

from assay.config.base import Fraction, Strict


class Promotion(Strict):
    """Guards of `assay models promote`; the gain itself must leave 0 out of its 95 % interval."""

    max_recall_drop: Fraction = Field(description="share of recall that a class may lose")
    draws: int = Field(ge=200, le=100_000, description="samples of the paired bootstrap")
    seed: int = Field(ge=0, lt=2**31)
