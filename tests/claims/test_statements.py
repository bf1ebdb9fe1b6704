"""Every rule for a sentence has claims that trigger it and claims, one mutation away, that do not."""

import pytest

from assay.errors import UserError
from tests.claims.helpers import claim

VAL = {"title": "the validation images", "n": 1226}
OTHER = {"title": "the test images", "n": 128}


@pytest.fixture
def judged(verdicts):
    def judged(rule, arguments, claims, **others):
        statement = {"line": 1, "written": "so it is", "says": {rule: arguments}}
        ((verdict, text),) = verdicts(rule, claims, statements={"s": statement}, **others)
        return verdict, text

    return judged


def accuracy(written, where="val"):
    return claim(written, metric="accuracy", experiment=written, set=where)


@pytest.mark.parametrize(
    ("both", "claimed", "verdict", "says"),
    [
        (("94.21%", "94.05%"), "better", "no evidence", "exact p is 0.5 to 0.93, whichever"),  # 2 images
        (("94.21%", "92.99%"), "better", "not testable", "p is 6.1e-05 to 0.26"),  # 15: by the predictions
        (("95.02%", "92.58%"), "better", "consistent", "p is 1.9e-09 to 0.018"),  # overlap is no test
        (("94.21%", "88.42%"), "better", "consistent", "1155 and 1084 of 1226 right"),
        (("88.42%", "94.21%"), "worse", "consistent", "1084 and 1155 of 1226 right"),
        (("94%", "92.99%"), "better", "not testable", "1147 to 1158 and 1140 of 1226 right"),
        (
            ("93.15%", "93.07%"),
            "worse",
            "inconsistent",
            "+0.08 points (1142 and 1141 of 1226 right), not worse",
        ),
        (("93.07%", "93.15%"), "better", "inconsistent", "not better"),
    ],
)
def test_better(judged, both, claimed, verdict, says):
    a, b = both
    arguments = {"value": "a", "than": "b", "claimed": claimed}
    found, text = judged("better", arguments, {"a": accuracy(a), "b": accuracy(b)}, sets={"val": VAL})
    assert found == verdict
    assert says in text


def test_better_wants_the_same_images_and_their_number(judged):
    claims = {"a": accuracy("86.54%"), "b": accuracy("10.16%", "test")}
    sets = {"val": VAL, "test": OTHER}
    assert judged("better", {"value": "a", "than": "b"}, claims, sets=sets)[0] == "not like for like"
    claims = {name: claim(f"{value}%", metric="map50") for name, value in (("a", 82), ("b", 79))}
    assert judged("better", {"value": "a", "than": "b"}, claims)[0] == "not testable"
    claims = {"a": accuracy("94.21%"), "b": claim("88.42%", metric="accuracy")}  # of images that nobody names
    assert judged("better", {"value": "a", "than": "b"}, claims, sets={"val": VAL})[0] == "not testable"


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        (("latency", "latency"), "s: better: compares latency with latency; .* more is better"),
        (("accuracy", "recall"), "s: better: compares accuracy with recall; "),
    ],
)
def test_better_is_refused_where_less_may_be_better_or_the_metrics_differ(judged, metrics, says):
    claims = {
        name: claim("80%", metric=one, experiment=name) for name, one in zip("ab", metrics, strict=True)
    }
    with pytest.raises(UserError, match=says):
        judged("better", {"value": "a", "than": "b"}, claims)


@pytest.mark.parametrize(
    ("value", "elsewhere", "verdict"),
    [
        ("94.21%", [], "inconsistent"),
        ("94.6%", [], "no evidence"),  # the interval holds the target
        ("97.0%", [], "consistent"),
        ("97.0%", ["low"], "no evidence"),  # missed on other images
        ("97.0%", ["high"], "consistent"),
    ],
)
def test_at_least(judged, value, elsewhere, verdict):
    claims = {
        "a": accuracy(value), "low": accuracy("80.47%", "test"), "high": accuracy("98.4%", "test"),
        "target": claim("≥94.5%", kind="target"),
    }  # fmt: skip
    arguments = {"value": "a", "target": "target", "elsewhere": elsewhere}
    assert judged("at_least", arguments, claims, sets={"val": VAL, "test": OTHER})[0] == verdict


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"value": "a", "target": "least"}, "≤40 ms is a bound from above"),
        ({"value": 0.9, "target": "a"}, "value = 0.9: input should be a valid string"),
    ],
)
def test_at_least_refuses_a_target_to_stay_below_and_a_bare_number(judged, arguments, says):
    claims = {
        "a": claim("37 ms", metric="latency"),
        "least": claim("≤40 ms", metric="latency", kind="target"),
    }
    with pytest.raises(UserError, match=says):
        judged("at_least", arguments, claims)


@pytest.mark.parametrize(("b", "verdict"), [("28.6M", "inconsistent"), ("11.0M", "consistent")])
def test_similar(judged, b, verdict):
    claims = {"a": claim("9.1M", metric="x"), "b": claim(b, metric="y")}
    assert judged("similar", {"a": "a", "b": "b"}, claims)[0] == verdict


@pytest.mark.parametrize(("count", "verdict"), [("765", "inconsistent"), ("635", "consistent")])
def test_minority(judged, count, verdict):
    claims = {"a": claim(count, metric="x"), "b": claim("700", metric="y")}
    assert judged("minority", {"count": "a", "other": "b"}, claims)[0] == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (None, 0.256, "inconsistent"),
        (None, 0.7, "consistent"),
        (0.7, None, "inconsistent"),
        (0.5, 0.9, "consistent"),
    ],
)
def test_within(judged, low, high, verdict):
    assert judged("within", {"value": "a", "low": low, "high": high}, {"a": claim("66%")})[0] == verdict


@pytest.mark.parametrize(
    ("mean", "last", "verdict"),
    [
        ("8.4", None, "inconsistent"),
        ("9.4", None, "consistent"),
        ("9.4", 20, "consistent"),
        ("19.5", 20, "inconsistent"),
    ],
)
def test_mean_in_bins(judged, mean, last, verdict):
    claims = {"m": claim(mean, metric="x"), "low": claim("20", metric="y"), "high": claim("80", metric="z")}
    bins = [{"count": "low", "first": 1, "last": 5}, {"count": "high", "first": 11, "last": last}]
    assert judged("mean_in_bins", {"mean": "m", "bins": bins}, claims)[0] == verdict


@pytest.mark.parametrize(("total", "verdict"), [("57", "inconsistent"), ("67", "consistent")])
def test_left_over(judged, total, verdict):
    claims = {
        "all": claim(total, metric="x"),
        "train": claim("51", metric="y"),
        "val": claim("6", metric="z"),
    }
    arguments = {"total": "all", "parts": ["train", "val"], "what": "a test set"}
    found, text = judged("left_over", arguments, claims)
    assert found == verdict
    assert text == f"{total} − 51 − 6 = {int(total) - 57} left for a test set"


@pytest.mark.parametrize(("without", "verdict"), [("228", "inconsistent"), ("17,957", "consistent")])
def test_empty_labels(judged, without, verdict):
    claims = {"all": claim("17,957", metric="x"), "none": claim(without, metric="y")}
    arguments = {"images": "all", "objects": {"difference": ["all", "none"]}}
    assert judged("empty_labels", arguments, claims)[0] == verdict


SCHEDULES = {
    "stated": {"title": "cosine", "decay": "cosine", "lr0": 0.001, "lrf": 0.01, "epochs": 60, "warmup_epochs": 3,
               "steps_per_epoch": 4},
    "auto": {"title": "auto", "decay": "linear", "lr0": {"auto_learning_rate": 3}, "lrf": 0.01, "epochs": 60,
             "warmup_steps": 100, "steps_per_epoch": {"steps": [51, 12]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "verdict", "says"),
    [
        ({1: "0.000057", 30: "0.00075", 60: "0.000038"}, "inconsistent", "cosine: 0 of 3 fit"),
        ({1: "0.000057", 30: "0.00075", 60: "0.000038"}, "inconsistent", "auto: 3 of 3 fit"),
        ({4: "0.00099", 31: "0.00051", 60: "0.000011"}, "consistent", "cosine: 3 of 3 fit"),
    ],
)
def test_rates(judged, rates, verdict, says):
    claims = {f"r{epoch}": claim(written, metric="rate", epoch=epoch) for epoch, written in rates.items()}
    arguments = {"rates": {epoch: f"r{epoch}" for epoch in rates}, "stated": "stated", "instead": ["auto"]}
    found, text = judged("rates", arguments, claims, schedules=SCHEDULES)
    assert found == verdict
    assert says in text


@pytest.mark.parametrize(
    ("high", "verdict"), [("0.90", "uninformative"), ("0.80", "consistent"), ("0.95", "inconsistent")]
)
def test_formula_range(judged, high, verdict):
    claims = {"low": claim("0.20", metric="x"), "high": claim(high, metric="y")}
    arguments = {"low": "low", "high": "high", "least": {"logistic": -1.4}, "most": {"logistic": 2.2}}
    assert judged("formula_range", arguments, claims)[0] == verdict


@pytest.mark.parametrize(("seen", "verdict"), [("0.77", "uninformative"), ("0.85", "consistent")])
def test_binds(judged, seen, verdict):
    claims = {"bound": claim("0.85", metric="x"), "seen": claim(seen, metric="y")}
    assert judged("binds", {"bound": "bound", "seen": "seen"}, claims)[0] == verdict


@pytest.mark.parametrize(("score", "verdict"), [("0.500", "uninformative"), ("0.700", "consistent")])
def test_undecided(judged, score, verdict):
    arguments = {"value": "a", "neutral": 0.5, "because": "logistic(0)"}
    assert judged("undecided", arguments, {"a": claim(score)})[0] == verdict


@pytest.mark.parametrize(
    ("n", "other", "verdict"), [("6", "~72%", "not testable"), ("5000", "~65%", "consistent")]
)
def test_gap(judged, n, other, verdict):
    claims = {"a": claim("74.62%", metric="x"), "b": claim(other, metric="y"), "n": claim(n, metric="z")}
    assert judged("gap", {"value": "a", "others": ["b"], "n": "n"}, claims)[0] == verdict


@pytest.mark.parametrize(("size", "verdict"), [("111 MB", "inconsistent"), ("106 MB", "consistent")])
def test_same_unit(judged, size, verdict):
    claims = {
        "a": claim("90MB", metric="s1"), "an": claim("23,512,130", metric="p1"),
        "b": claim(size, metric="s2"), "bn": claim("27,868,034", metric="p2"),
    }  # fmt: skip
    sizes = [{"size": "a", "parameters": "an"}, {"size": "b", "parameters": "bn"}]
    found, text = judged("same_unit", {"sizes": sizes}, claims)
    assert found == verdict
    assert "= 94.0 MB = 89.7 MiB, written 90MB: MiB" in text


@pytest.mark.parametrize(
    ("batch", "verdict"), [("35", "not like for like"), ("16", "consistent"), (None, "not testable")]
)
def test_confounded(judged, batch, verdict):
    claims = {"a": claim("16", metric="batch", experiment="x", kind="setting"),
              "h": claim("134", metric="hard negatives", experiment="x", kind="setting"),
              "g": claim("0", metric="hard negatives", experiment="y", kind="setting")}  # fmt: skip
    if batch:
        claims["b"] = claim(batch, metric="batch", experiment="y", kind="setting")
    arguments = {"a": "x", "b": "y", "credited": "hard negatives"}
    assert judged("confounded", arguments, claims)[0] == verdict


@pytest.mark.parametrize(("metric", "verdict"), [("recall", "not testable"), ("precision", "consistent")])
def test_needs(judged, metric, verdict):
    claims = {"a": claim("0.9", metric=metric, experiment="x")}
    assert judged("needs", {"metrics": ["precision"], "experiments": ["x"]}, claims)[0] == verdict


@pytest.mark.parametrize(
    ("metric", "experiment", "says"),
    [
        ("recal", "x", "recal: no claim has this metric \\(did you mean 'recall'\\?\\); write {new: recal}"),
        ("recall", "y", "y: no claim has this experiment"),
        ({"new": "recall"}, "x", "{new: recall}: claims have this metric; write recall"),
        ("recall", {"new": "x"}, "{new: x}: claims have this experiment"),
    ],
)
def test_needs_knows_every_name_or_is_told_that_it_is_new(judged, metric, experiment, says):
    with pytest.raises(UserError, match=says):
        judged(
            "needs", {"metrics": [metric], "experiments": [experiment]}, {"a": claim("0.9", experiment="x")}
        )


def test_what_is_new_is_not_given(judged):
    arguments = {
        "metrics": ["value", {"new": "calibration error"}],
        "experiments": ["x", {"new": "x without y"}],
    }
    found, text = judged("needs", arguments, {"a": claim("0.9", experiment="x")})
    assert found == "not testable"
    assert text == (
        "not given: value of x without y, calibration error of x, calibration error of x without y"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"a": "x", "b": "yy", "credited": "batch"}, "yy: no claim has this experiment"),
        ({"a": "x", "b": "y", "credited": "bach"}, "bach: no claim has this metric"),
    ],
)
def test_confounded_knows_both_experiments_and_what_is_credited(judged, arguments, says):
    claims = {name: claim("16", metric="batch", experiment=name, kind="setting") for name in ("x", "y")}
    with pytest.raises(UserError, match=says):
        judged("confounded", arguments, claims)
