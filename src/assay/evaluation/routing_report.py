"""Tables, pictures and words about routing, for one model and for a whole sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.evaluation.answers import answers
from assay.evaluation.classification import decide
from assay.evaluation.costs import expected_costs
from assay.evaluation.out_of_fold import read_out_of_fold
from assay.evaluation.predictions import Predictions
from assay.evaluation.routing import PIT, Rule
from assay.evaluation.routing_plots import plot_costs, plot_trade
from assay.evaluation.sections import Section, share
from assay.evaluation.thresholds import rules
from assay.evaluation.ways import SCORES, Judged, Way, answers_maybe, judged, table, ways_of
from assay.files import atomic_write, read_json, write_json

RULES = "routing.json"
_SAID = {"pit_caught": "pits caught (pit or maybe)", "maybe_share": "maybe, for a person"}
_SAID |= {"accuracy_decided": "accuracy of what is decided", "false_alarms": "clean called pit"}
_NOTE = (
    "Every way answers the same images. A pit is missed when it is called clean; called maybe, a person finds it. "
    "'searched' has the fewest maybe that catch the recall asked for, without more false alarms than production's "
    "rule, on out-of-fold training images, and is applied here unchanged. Intervals: Wilson, 95 %."
)
_COSTS = (
    "Expected cost per 1000 fruits when a false alarm costs 1 and a person decides every maybe rightly; nearly half of "
    "these images are pits, on a line it is fewer. Bands: 95 %, bootstrap that keeps near-duplicates together."
)


def route_one(
    folder: Path,
    predictions: Predictions,
    model: str,
    classes: Sequence[str],
    *,
    trained: Path,
    production: tuple[float, float] | None,
    recall: float,
    draws: int,
    seed: int,
) -> list[Section]:
    """Write routing.json (the rules), routing.csv, routing_costs.csv and two pictures of one model; its sections.

    classes: clean and pit. trained: the model's folder, which may hold out-of-fold probabilities. production: its
    thresholds (pit, maybe); None where the experiment asks for no routing. recall: for the searched rule, 0-1.
    Nothing is written, and nothing returned, for a two-class model without routing.

    Raises UserError as `read_out_of_fold` does.
    """
    found: list[Rule] = []
    if not answers_maybe(predictions, model):
        if production is None or len(classes) != 2:
            return []
        unseen = read_out_of_fold(trained, classes)
        found = rules(
            val=decide(predictions.of(model), classes),
            unseen=None if unseen is None else decide(unseen, classes),
            production=production,
            recall=recall,
        )
    write_json(folder / RULES, {"rules": [asdict(rule) for rule in found]})
    images, ways = judged(predictions, model, classes), ways_of(predictions, model, classes, found)
    return _write(folder, predictions, classes, images, ways, draws=draws, seed=seed)[0]


def route_all(
    folder: Path,
    predictions: Predictions,
    classes: Sequence[str],
    *,
    evaluated: Mapping[str, Path],
    roles: Mapping[str, str],
    absent: Mapping[str, str],
    recall: float,
    draws: int,
    seed: int,
) -> list[Section]:
    """The same table of every model of a sweep, and the questions of document 004 answered (routing_answers.json).

    evaluated: model -> the folder `route_one` wrote to; models without a routing.json there take no part. roles,
    absent: as in `answers`. Nothing is written where only rules of one model, or none, could be set side by side.
    """
    ways: list[Way] = []
    for model, written in evaluated.items():
        if (written / RULES).is_file():
            found = [Rule(**rule) for rule in read_json(written / RULES)["rules"]]
            ways += ways_of(predictions, model, classes, found)
    if not ways:
        return []
    images = judged(predictions, ways[0].model, classes)
    for model in {way.model for way in ways}:
        if not np.array_equal(predictions.of(model)["image"], predictions.of(ways[0].model)["image"]):
            raise UserError(
                f"'{model}' and '{ways[0].model}' were not run on the same images; predict both on one data set"
            )
    _, costs = _write(folder, predictions, classes, images, ways, draws=draws, seed=seed)
    said = answers(
        ways, images, roles=roles, absent=absent, costs=costs, recall=recall, draws=draws, seed=seed
    )
    write_json(folder / "routing_answers.json", [asdict(one) for one in said])
    return read_sections(folder)


def _write(
    folder: Path,
    predictions: Predictions,
    classes: Sequence[str],
    images: Judged,
    ways: Sequence[Way],
    *,
    draws: int,
    seed: int,
) -> tuple[list[Section], pd.DataFrame]:
    scores = table(ways, images)
    costs = expected_costs(
        images.truth, {way.name: way.routes for way in ways}, images.groups, draws=draws, seed=seed
    )
    for name, written in (("routing", scores), ("routing_costs", costs)):
        with atomic_write(folder / f"{name}.csv") as temporary:
            written.to_csv(temporary, index=False)
    drawn = [way for way in ways if way.rule.name not in ("oracle", "production, calibrated")]
    plot_costs(folder / "routing_costs.png", costs[costs["way"].isin([way.name for way in drawn])])
    every = scores[scores["images"] == "all"].reset_index(drop=True)
    plot_trade(
        folder / "routing_trade.png",
        [
            (
                way.model,
                decide(predictions.of(way.model), classes).scores[:, PIT],
                images.truth,
                way.rule.pit_at,
            )
            for way in ways
            if way.rule.name == "production"
        ],
        [
            (way.name, row["maybe_share"], 1 - row["pit_caught"])
            for way, row in zip(ways, every.to_dict("records"), strict=True)
        ],
    )
    return _read(folder), costs


def read_sections(folder: Path) -> list[Section]:
    """The sections that `route_one` or `route_all` wrote to `folder`, read again; none where they wrote nothing."""
    if not (folder / "routing.csv").is_file():
        return []
    said = folder / "routing_answers.json"
    return [*_read(folder), *([_in_words(read_json(said))] if said.is_file() else [])]


def _read(folder: Path) -> list[Section]:
    scores = pd.read_csv(folder / "routing.csv")
    head = ("model", "rule", "pit from", "maybe from", "pits missed", *(_SAID[name] for name in SCORES))
    rows = [_cells(row) for row in scores[scores["images"] == "all"].to_dict("records")]
    figures = [
        ("Missed pits against images for a person", folder / "routing_trade.png"),
        (_COSTS, folder / "routing_costs.png"),
    ]
    return [Section("Three answers: clean, maybe, pit", _NOTE, head, rows, figures)]


def _cells(row: Mapping[Any, Any]) -> list[str]:
    ends = ["" if isnan(row[name]) else f"{row[name]:.3f}" for name in ("pit_at", "maybe_at")]
    scores = [
        share({"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}) for name in SCORES
    ]
    rule = f"{row['rule']} (on these images)" if row["rule"] == "oracle" else row["rule"]
    return [row["model"], rule, *ends, f"{row['missed']} of {row['pits']}", *scores]


def _in_words(said: Sequence[Mapping[str, str]]) -> Section:
    return Section(
        "What document 004 asks, answered from these numbers",
        "Sentences follow from the table by rule; a difference is claimed only where its interval leaves 0 out.",
        ("question", "answer"),
        [(one["question"], one["answer"]) for one in said],
    )
