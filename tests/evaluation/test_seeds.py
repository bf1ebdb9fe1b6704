import numpy as np
import pandas as pd
import pytest

from assay.errors import UserError
from assay.evaluation.predictions import Predictions
from assay.evaluation.seeds import compare_experiments, spread

CLASSES = ["clean", "pit"]


def stored(right: dict[str, np.ndarray]) -> Predictions:
    """Models by which images they get right; the truth alternates between the classes."""
    tables = []
    for model, hits in right.items():
        truth = np.arange(len(hits)) % 2
        pit = np.where(hits == truth.astype(bool), 0.9, 0.1)
        about = {"model": model, "image": [f"{i:05d}" for i in range(len(hits))], "leak": False}
        label = np.where(truth, "pit", "clean")
        tables.append(
            pd.DataFrame(about).assign(group=about["image"], label=label, p_clean=1 - pit, p_pit=pit)
        )
    return Predictions(pd.concat(tables), ("clean", "pit"), {model: {} for model in right}, {})


def hits(share, seed, n=1000):
    """Right on about `share` of the images, on others with each seed."""
    return np.random.default_rng(seed).random(n) < share


def test_spread_by_hand():
    assert spread([0.9, 0.92, 0.94]) == pytest.approx(
        {"n": 3, "mean": 0.92, "sd": 0.02, "low": 0.9, "high": 0.94}
    )
    assert np.isnan(spread([0.9])["sd"])


def test_a_difference_beyond_both_variances_is_found():
    right = {f"a{i}": hits(0.95, i) for i in range(3)} | {f"b{i}": hits(0.80, 10 + i) for i in range(3)}
    pairs = {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}
    (pair,) = compare_experiments(stored(right), pairs, CLASSES)
    assert pair["verdict"] == "better beyond noise" and pair["seeds"] == [3, 3]
    assert pair["difference"]["low"] < 0.15 < pair["difference"]["high"]
    (other,) = compare_experiments(stored(right), dict(reversed(pairs.items())), CLASSES)
    assert other["verdict"] == "worse beyond noise"


def test_seeds_are_no_further_images():
    """Three trainings that answer alike know no more than one of them."""
    good, bad = hits(0.9, 0), hits(0.9, 1)
    once = compare_experiments(stored({"a": good, "b": bad}), {"a": ["a"], "b": ["b"]}, CLASSES)[0]
    right = {f"a{i}": good for i in range(3)} | {f"b{i}": bad for i in range(3)}
    thrice = compare_experiments(stored(right), {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}, CLASSES)[
        0
    ]
    assert thrice["difference"] == pytest.approx(once["difference"]) and thrice["p"] == pytest.approx(
        once["p"]
    )
    assert once["one_seed"] and not thrice["one_seed"]


def test_trainings_that_differ_widely_are_no_evidence():
    """One seed of three fails: the images alone would call the difference certain."""
    right = {f"a{i}": hits(0.9, i) for i in range(3)} | {
        "b0": hits(0.9, 10),
        "b1": hits(0.9, 11),
        "b2": hits(0.5, 12),
    }
    (pair,) = compare_experiments(stored(right), {"a": ["a0", "a1", "a2"], "b": ["b0", "b1", "b2"]}, CLASSES)
    assert pair["difference"]["value"] > 3 * pair["sd_images"]
    assert pair["sd_seeds"] > pair["sd_images"] and pair["verdict"] == "no evidence of a difference"


def test_holm_counts_the_pairs():
    right = {
        name: hits(share, seed) for seed, (name, share) in enumerate({"a": 0.9, "b": 0.87, "c": 0.85}.items())
    }
    pairs = compare_experiments(stored(right), {name: [name] for name in right}, CLASSES)
    assert len(pairs) == 3 and min(pair["p"] for pair in pairs) * 3 == pytest.approx(
        min(pair["p_holm"] for pair in pairs)
    )


def test_other_images_are_refused():
    with pytest.raises(UserError, match="'b1' and 'b0' were not run on the same images"):
        compare_experiments(
            stored({"a": hits(0.9, 0), "b0": hits(0.9, 1), "b1": hits(0.9, 2, n=20)}),
            {"a": ["a"], "b": ["b0", "b1"]},
            CLASSES,
        )
