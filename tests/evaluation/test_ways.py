"""Ways side by side, the answers in words, and what is written of them; on two models of known skill."""

import re

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.answers import (
    AS_GOOD,
    REACHES,
    REPLACES,
    RISK,
    answers,
    compare_in_words,
    recall_in_words,
)
from assay.evaluation.costs import expected_costs
from assay.evaluation.out_of_fold import FILE
from assay.evaluation.predictions import Predictions
from assay.evaluation.routing import CLEAN, MAYBE, PIT, Rule
from assay.evaluation.routing_report import route_all, route_one
from assay.evaluation.ways import THIRD_CLASS, Judged, Way, differences, judged, table, ways_of
from assay.files import read_json

CLASSES = ("clean", "pit")
N = 800


def way(routes, name="some", rule="searched"):
    return Way(name, Rule(rule, 0.8, 0.3, "test"), np.array(routes))


@pytest.fixture(scope="module")
def images():
    truth = np.arange(N) % 2
    return Judged(truth, np.arange(N).astype(str), np.arange(N) < 40)


@pytest.fixture(scope="module")
def three():
    """A two-class model "binary" and a three-class model "third" on the same images."""
    random = np.random.default_rng(3)
    truth = np.arange(N) % 2
    pit = 1 / (1 + np.exp(-3 * (2 * truth - 1 + random.normal(0, 0.8, N))))
    unsure = np.where(np.abs(pit - 0.5) < 0.3, 0.6, 0.1)
    common = {
        "image": [f"{i:03d}.png" for i in range(N)],
        "group": [str(i // 2) for i in range(N)],
        "label": np.where(truth, "pit", "clean"),
        "leak": np.arange(N) < 40,
    }
    binary = pd.DataFrame({"model": "binary", **common, "p_clean": 1 - pit, "p_pit": pit, "p_maybe": 0.0})
    third = pd.DataFrame(
        {
            "model": "third",
            **common,
            "p_clean": (1 - pit) * (1 - unsure),
            "p_pit": pit * (1 - unsure),
            "p_maybe": unsure,
        }
    )
    return Predictions(
        pd.concat([binary, third]), (*CLASSES, "maybe"), {"binary": {}, "third": {}}, {"content": "c"}
    )


def test_a_two_class_model_has_rules_and_a_three_class_model_its_class(three):
    rules = [Rule("production", 0.75, 0.5, "as published")]
    assert [one.name for one in ways_of(three, "binary", CLASSES, rules)] == ["binary: production"]
    (third,) = ways_of(three, "third", CLASSES, rules)
    assert third.name == f"third: {THIRD_CLASS}" and (third.routes == MAYBE).any()


def test_the_table_counts_all_images_and_those_without_leaks(three):
    seen = judged(three, "binary", CLASSES)
    (only,) = ways_of(three, "binary", CLASSES, [Rule("production", 0.75, 0.5, "as published")])
    found = table([only], seen).set_index("images")
    assert found["n"].to_dict() == {"all": N, "without leaks": N - 40}
    missed = ((only.routes == CLEAN) & (seen.truth == PIT)).sum()
    assert found.loc["all", "missed"] == missed > 0
    assert found.loc["all", "pit_caught"] == pytest.approx(1 - missed / (N / 2))
    assert (found["pit_caught_low"] < found["pit_caught"]).all()


def test_a_difference_of_a_way_from_itself_is_nothing(images):
    one = way(np.where(np.arange(N) % 7 == 0, MAYBE, images.truth))
    for found in differences(one, one, images, draws=200).values():
        assert (found.value, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("missed", "looks", "verdict"),
    [
        (0, 40, "Safer beyond noise"),
        (40, 0, "Cheaper beyond noise"),
        (40, 200, "Dearer beyond noise"),
        (0, 200, "A trade: the first misses fewer"),
        (120, 0, "A trade: the first misses more"),
        (120, 40, "Less safe beyond noise"),
        (120, 200, "Worse beyond noise"),
        (0, 0, "Better beyond noise"),
        (41, 41, "No evidence of a difference"),
    ],
)
def test_words_follow_from_the_intervals(images, missed, looks, verdict):
    """The other way misses 40 of 400 pits and sends 40 of 800 images to a person."""

    def routed(missed, looks):
        routes = images.truth.copy()
        routes[np.flatnonzero(images.truth == PIT)[:missed]] = CLEAN
        routes[np.flatnonzero(images.truth == CLEAN)[:looks]] = MAYBE
        return routes

    one, other = way(routed(missed, looks), "one"), way(routed(40, 40), "other")
    said = compare_in_words(one, other, images, draws=300, seed=0)
    assert said.startswith(verdict)
    assert f"{missed} (one: searched) against 40 (other: searched) of 400" in said


@pytest.mark.parametrize(
    ("missed", "verdict"),
    [(0, "Yes, the whole"), (3, "No evidence either way"), (40, "No, the whole interval lies below")],
)
def test_a_recall_is_reached_only_beyond_noise(images, missed, verdict):
    routes = images.truth.copy()
    routes[np.flatnonzero(images.truth == PIT)[:missed]] = CLEAN
    said = recall_in_words(way(routes), way(routes, rule="oracle"), images, 0.99)
    assert said.startswith(verdict) and f"catches {400 - missed} of 400 pits" in said
    assert "allows 0 missed of 400" in said  # 1 of 400 has a lower bound of 98.6 %


def test_a_question_without_its_model_says_why(three, images):
    ways = ways_of(three, "third", CLASSES, [])
    seen = judged(three, "third", CLASSES)
    costs = expected_costs(seen.truth, {one.name: one.routes for one in ways}, seen.groups, draws=100, seed=0)
    said = answers(
        ways,
        seen,
        roles={"two_stage": "third"},
        absent={"direct": "it failed"},
        costs=costs,
        recall=0.99,
        draws=100,
    )
    by_question = {one.question: one.answer for one in said}
    assert by_question[AS_GOOD] == "Not answered: it failed."
    assert by_question[REPLACES] == "Not answered: no job of this sweep is routing."
    assert by_question[REACHES.format(recall=99)].startswith("Not answered")


def test_what_is_written_of_one_model_and_of_a_sweep(three, tmp_path):
    common = {"draws": 100, "seed": 0}
    folders = {}
    for model in ("binary", "third"):
        folders[model] = tmp_path / model
        folders[model].mkdir()
        unseen = three.of("binary").assign(fold=0)
        if model == "binary":
            unseen.to_parquet(folders[model] / FILE)
        sections = route_one(
            folders[model],
            three,
            model,
            CLASSES,
            trained=folders[model],
            production=(0.75, 0.5),
            recall=0.95,
            **common,
        )
        assert len(sections) == 1 and all(path.is_file() for _, path in sections[0].figures)
    assert [rule["name"] for rule in read_json(folders["binary"] / "routing.json")["rules"]][3] == "searched"
    out = tmp_path / "sweep"
    out.mkdir()
    sections = route_all(
        out,
        three,
        CLASSES,
        evaluated=folders,
        roles={"two_stage": "third", "routing": "binary"},
        absent={},
        recall=0.95,
        **common,
    )
    assert len(sections) == 2 and len(sections[0].rows) == 6
    written = pd.read_csv(out / "routing.csv")
    assert set(written["rule"]) >= {"production", "searched", THIRD_CLASS}
    said = {one["question"]: one["answer"] for one in read_json(out / "routing_answers.json")}
    assert re.search(r"\d+ \(third: third class\) against \d+ \(binary: production\) of 400", said[RISK])
    # as many "maybe" as the pictures' table says
    third = written[(written["rule"] == THIRD_CLASS) & (written["images"] == "all")].iloc[0]
    assert third["maybe_share"] == pytest.approx((three.of("third")["p_maybe"] > 0.5).mean(), abs=0.05)


def test_a_two_class_model_without_routing_takes_no_part(three, tmp_path):
    arguments = {"recall": 1.0, "draws": 100, "seed": 0}
    assert not route_one(tmp_path, three, "binary", CLASSES, trained=tmp_path, production=None, **arguments)
    assert not route_all(
        tmp_path, three, CLASSES, evaluated={"binary": tmp_path}, roles={}, absent={}, **arguments
    )
    assert list(tmp_path.iterdir()) == []
