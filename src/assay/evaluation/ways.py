"""Ways to three answers on the same images: a third class, or thresholds on a two-class model; scored alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.classification import decide
from assay.evaluation.intervals import Interval, bootstrap
from assay.evaluation.metrics import weighted_share
from assay.evaluation.predictions import Predictions, probabilities
from assay.evaluation.routing import CLEAN, MAYBE, PIT, Rule, route_three_class, score_routes

THIRD_CLASS = "third class"
SCORES = ("pit_caught", "maybe_share", "accuracy_decided", "false_alarms")


@dataclass(frozen=True)
class Way:
    """One model with one way to answer. routes: (rows,) its answers, in `Predictions.of`'s order of images."""

    model: str
    rule: Rule
    routes: np.ndarray

    @property
    def name(self) -> str:
        """What tables and pictures call it."""
        return f"{self.model}: {self.rule.name}"


@dataclass(frozen=True)
class Judged:
    """The images every way answers: truth (rows,) CLEAN or PIT, groups (rows,) of near-duplicates, leak (rows,)."""

    truth: np.ndarray
    groups: np.ndarray
    leak: np.ndarray


def judged(predictions: Predictions, model: str, classes: Sequence[str]) -> Judged:
    """What the images of a model are; classes: clean and pit, the names that labels have."""
    rows = predictions.of(model)
    answer = decide(rows, classes)
    return Judged(answer.truth, rows["group"].to_numpy(str), rows["leak"].to_numpy(bool))


def answers_maybe(predictions: Predictions, model: str, maybe: str = "maybe") -> bool:
    """The model has a third class and uses it."""
    return maybe in predictions.classes and bool((predictions.of(model)[f"p_{maybe}"] > 0).any())


def ways_of(
    predictions: Predictions, model: str, classes: Sequence[str], rules: Sequence[Rule], maybe: str = "maybe"
) -> list[Way]:
    """The ways of one model: its third class where it has one, else each of `rules` on its probability of a pit."""
    rows = predictions.of(model)
    if answers_maybe(predictions, model, maybe):
        routes = route_three_class(probabilities(rows, classes), probabilities(rows, [maybe])[:, 0])
        none = float("nan")
        return [Way(model, Rule(THIRD_CLASS, none, none, "learnt: the most probable of three"), routes)]
    pit = decide(rows, classes).scores[:, PIT]
    return [Way(model, rule, rule.routes(pit)) for rule in rules]


def table(ways: Sequence[Way], images: Judged) -> pd.DataFrame:
    """One row per way and set of images ("all", "without leaks"): counts, and `score_routes` with <name>_low, _high."""
    rows: list[dict[str, Any]] = []
    for part, kept in (("all", np.ones(len(images.truth), bool)), ("without leaks", ~images.leak)):
        for way in ways:
            truth, routes = images.truth[kept], way.routes[kept]
            row: dict[str, Any] = {"model": way.model, "rule": way.rule.name, "chosen_on": way.rule.chosen_on}
            row |= {"pit_at": way.rule.pit_at, "maybe_at": way.rule.maybe_at, "images": part, "n": len(truth)}
            row |= {"pits": int((truth == PIT).sum()), "missed": int((routes[truth == PIT] == CLEAN).sum())}
            scores = score_routes(truth, routes)
            for name in SCORES:
                found = scores[name]
                row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
            rows.append(row)
    return pd.DataFrame(rows)


def differences(
    one: Way, other: Way, images: Judged, *, draws: int = 1000, seed: int = 0
) -> Mapping[str, Interval]:
    """`one` minus `other`: pit_missed, maybe_share, accuracy_decided; paired bootstrap clustered by group."""

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        a, b = (_shares(weights, images.truth, way.routes) for way in (one, other))
        return {name: a[name] - b[name] for name in a}

    return bootstrap(metrics, images.groups, draws=draws, seed=seed)


def _shares(weights: np.ndarray, truth: np.ndarray, routes: np.ndarray) -> dict[str, np.ndarray]:
    pits, decided = truth == PIT, routes != MAYBE
    return {
        "pit_missed": weighted_share(weights[:, pits], routes[pits] == CLEAN),
        "maybe_share": weighted_share(weights, ~decided),
        "accuracy_decided": weighted_share(weights[:, decided], (routes == truth)[decided]),
    }
