import numpy as np
import pandas as pd
import pytest

from assay.errors import UserError
from assay.evaluation.comparison import compare, compare_all
from assay.evaluation.predictions import Predictions

CLASSES = ["clean", "pit"]


def stored(right: dict[str, np.ndarray], *, groups=None) -> Predictions:
    """Models by which images they get right; the truth alternates between the classes."""
    tables = []
    for model, hits in right.items():
        n = len(hits)
        truth = np.arange(n) % 2
        pit = np.where(
            np.asarray(hits) == truth.astype(bool), 0.9, 0.1
        )  # right on a pit, or wrong on a clean one
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "image": [f"{i:05d}.png" for i in range(n)],
                    "group": [str(i) for i in (range(n) if groups is None else groups)],
                    "label": np.where(truth, "pit", "clean"),
                    "leak": np.arange(n) < 4,
                    "p_clean": 1 - pit,
                    "p_pit": pit,
                }
            )
        )
    return Predictions(pd.concat(tables), ("clean", "pit"), {model: {} for model in right}, {})


def hits(n, wrong) -> np.ndarray:
    return ~np.isin(np.arange(n), list(wrong))


def test_a_clear_difference_is_found_in_both_directions():
    predictions = stored({"good": hits(400, range(20)), "bad": hits(400, range(80))})
    better = compare(predictions, "good", "bad", CLASSES)["all"]
    assert better["verdict"] == "better beyond noise"
    assert better["accuracy_difference"]["value"] == pytest.approx(60 / 400)
    assert (better["candidate_only"], better["reference_only"]) == (60, 0)
    worse = compare(predictions, "bad", "good", CLASSES)["all"]
    assert worse["verdict"] == "worse beyond noise"
    assert worse["recall_difference"]["pit"]["value"] == pytest.approx(-30 / 200)


def test_two_images_of_1226_are_no_evidence():
    """The ledger's 94.21 % against 94.05 %."""
    predictions = stored({"new": hits(1226, range(71)), "old": hits(1226, range(40, 113))})
    result = compare(predictions, "new", "old", CLASSES)["all"]
    assert result["accuracy_difference"]["value"] == pytest.approx(2 / 1226)
    assert result["verdict"] == "no evidence of a difference"


def test_identical_models_do_not_differ():
    result = compare(stored({"a": hits(50, {1}), "b": hits(50, {1})}), "a", "b", CLASSES)["all"]
    assert result["p"] == 1.0 and result["verdict"] == "no evidence of a difference"


def test_mcnemar_is_exact_where_few_images_differ():
    result = compare(stored({"a": hits(100, set()), "b": hits(100, range(6))}), "a", "b", CLASSES)["all"]
    assert result["p"] == pytest.approx(2 * 0.5**6)  # six of six one way, two-sided binomial


def test_copies_of_one_image_are_not_evidence():
    """30 differing images that are one cherry, 30 times: McNemar is fooled, the interval is not."""
    groups = [0] * 30 + list(range(1, 71))
    result = compare(
        stored({"a": hits(100, set()), "b": hits(100, range(30))}, groups=groups), "a", "b", CLASSES
    )["all"]
    assert result["p"] < 0.001
    assert result["verdict"] == "no evidence of a difference"


def test_leaks_are_compared_apart():
    result = compare(stored({"a": hits(40, set()), "b": hits(40, range(4))}), "a", "b", CLASSES)
    assert result["all"]["candidate_only"] == 4
    assert result["without_leaks"]["candidate_only"] == 0 and result["without_leaks"]["n"] == 36


def test_different_images_are_refused_with_their_number():
    predictions = stored({"a": hits(10, set()), "b": hits(7, set())})
    with pytest.raises(UserError, match="3 only in 'a', 0 only in 'b'"):
        compare(predictions, "a", "b", CLASSES)


def test_a_sweep_pays_for_its_many_pairs():
    """One p of .031 is evidence alone; as the best of three pairs it is not (Holm: 3 x .031)."""
    predictions = stored({"a": hits(100, set()), "b": hits(100, range(6)), "c": hits(100, range(2))})
    assert compare(predictions, "a", "b", CLASSES)["all"]["verdict"] == "better beyond noise"
    pairs = {
        (pair["candidate"], pair["reference"]): pair
        for pair in compare_all(predictions, ["a", "b", "c"], CLASSES)
    }
    assert set(pairs) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert pairs["a", "b"]["p_holm"] == pytest.approx(3 * 2 * 0.5**6)
    assert pairs["a", "b"]["verdict"] == "no evidence of a difference"


def test_one_model_has_no_pairs():
    assert compare_all(stored({"a": hits(10, set())}), ["a"], CLASSES) == []
