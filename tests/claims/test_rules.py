"""Every rule has claims that trigger it and claims, one mutation away, that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UserError
from tests.claims.helpers import claim

VAL = {"title": "the validation images", "n": 100, "classes": {"a": 60, "b": 40}}
TEST = {"title": "the test images", "n": 50}


@pytest.mark.parametrize(
    ("written", "verdict"),
    [("33.3%", "consistent"), ("33%", "consistent"), ("33.4%", "inconsistent"), ("0.333", "consistent")],
)
def test_derivation(verdicts, written, verdict):
    found = verdicts("derivation", {"a": claim(written, equals={"ratio": [1, 3]})})
    assert [one for one, _ in found] == [verdict]
    assert "1 / 3 = " in found[0][1]


def test_derivation_says_where_a_number_was_cut_off_and_what_would_give_it(verdicts):
    ((_, text),) = verdicts("derivation", {"a": claim("47.7%", equals={"ratio": [700, 1465]})})
    assert "700 / 1465 = 47.78 %; written 47.7% (cut off instead of rounded)" in text
    ((_, text),) = verdicts(
        "derivation", {"a": claim("1.09", equals={"ratio": [700, 765]}, instead={"ratio": [765, 700]})}
    )
    assert "1.09 would be 765 / 700" in text
    with pytest.raises(UserError, match="is not it either"):
        verdicts("derivation", {"a": claim("1.09", equals={"ratio": [700, 765]}, instead={"ratio": [7, 1]})})


@pytest.mark.parametrize(("other", "found"), [("val", []), ("test", ["not like for like"])])
def test_same_images(verdicts, other, found):
    claims = {
        "new": claim("90%", metric="accuracy", experiment="x", set="val"),
        "old": claim("80%", metric="accuracy", experiment="y", set=other),
        "gain": claim("10%", equals={"difference": ["new", "old"]}),
    }
    assert [one for one, _ in verdicts("same images", claims, sets={"val": VAL, "test": TEST})] == found


@pytest.mark.parametrize(
    "equals",
    [
        {"product": [{"difference": ["new", "old"]}, 100]},
        {"difference": ["new", "again"]},  # by way of a computed claim
        {"ratio": [{"mean": ["new", "newer"]}, "old"]},
    ],
)
def test_same_images_is_asked_of_every_call_and_of_what_computed_claims_rest_on(verdicts, equals):
    claims = {
        "new": claim("90%", metric="accuracy", experiment="x", set="val"),
        "newer": claim("90%", metric="accuracy", experiment="z", set="val"),
        "old": claim("80%", metric="accuracy", experiment="y", set="test"),
        "again": {"source": "computed", "metric": "accuracy", "equals": "old"},
        "gain": claim("10", equals=equals),
    }
    found = verdicts("same images", claims, sets={"val": VAL, "test": TEST})
    assert found[0] == ("not like for like", "90% on the validation images, 80% on the test images")
    claims["old"]["set"] = "val"
    assert verdicts("same images", claims, sets={"val": VAL, "test": TEST}) == []


def test_same_images_is_not_asked_of_numbers_on_one_side_of_a_comparison(verdicts):
    claims = {name: claim("90%", metric="accuracy", experiment=name, set=name) for name in ("val", "test")}
    claims["share"] = claim("0.018", equals={"ratio": [{"mean": ["val", "test"]}, 50]})
    assert verdicts("same images", claims, sets={"val": VAL, "test": TEST}) == []


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (claim("0.87", 2, "mean", experiment="x"), "consistent"),  # fewer decimals
        (claim("0.88", 2, "mean", experiment="x"), "inconsistent"),
        (
            {"written": "0.88", "metric": "mean", "experiment": "x", "source": "file", "where": "log"},
            "inconsistent",
        ),
        (claim("0.88", 2, "mean", experiment="y"), None),  # another experiment's
        (claim("0.88", 2, "mean", experiment="x", kind="target"), None),  # a target is no value
    ],
)
def test_same_quantity(verdicts, second, verdict):
    found = verdicts("same quantity", {"a": claim("0.874", 1, "mean", experiment="x"), "b": second})
    assert [one for one, _ in found] == ([verdict] if verdict else [])


def test_same_quantity_of_settings_is_exact_and_of_text_by_meaning(verdicts):
    def setting(written, line, **others):
        return claim(written, line, "mosaic", experiment="x", kind="setting", **others)

    assert verdicts("same quantity", {"a": setting("0.3", 1), "b": setting("0.2", 2)})[0][0] == "inconsistent"
    assert verdicts("same quantity", {"a": setting("0.3", 1), "b": setting("30%", 2)})[0][0] == "consistent"
    texts = {"a": setting("xyxy", 1, means="corners"), "b": setting("centre", 2, means="centre")}
    assert verdicts("same quantity", texts)[0][0] == "inconsistent"
    texts["b"]["means"] = "corners"
    assert verdicts("same quantity", texts)[0][0] == "consistent"
    with pytest.raises(UserError, match="is a number and this is text"):
        verdicts("same quantity", {"a": setting("0.3", 1), "b": setting("off", 2, means="none")})
    with pytest.raises(UserError, match="another unit"):
        verdicts("same quantity", {"a": setting("0.3", 1), "b": setting("3 ms", 2)})


@pytest.mark.parametrize(
    ("written", "found"), [("60.00%", ["collapsed"]), ("40.00%", ["collapsed"]), ("61.00%", []), ("~60%", [])]
)
def test_one_class(verdicts, written, found):
    claims = {"a": claim(written, metric="accuracy", experiment="x", set="val")}
    assert [one for one, _ in verdicts("one class", claims, sets={"val": VAL})] == found


def test_one_class_of_many_images_is_not_guessed_from_few_decimals(verdicts):
    many = {"title": "many", "n": 10_000, "classes": {"a": 6001, "b": 3999}}
    claims = {"a": claim("60%", metric="accuracy", experiment="x", set="many")}
    assert verdicts("one class", claims, sets={"many": many}) == []


@pytest.mark.parametrize(
    ("written", "metric", "label", "verdict"),
    [
        ("93.0%", "accuracy", None, "consistent"),
        ("93.4%", "accuracy", None, "inconsistent"),  # 93 or 94 of 100
        ("85.0%", "recall", "b", "consistent"),  # 34 of 40
        ("86.0%", "recall", "b", "inconsistent"),
        ("93.4%", "f1", None, None),  # no count of images
        ("≥93.4%", "accuracy", None, "consistent"),  # 94 and more
    ],
)
def test_whole_numbers(verdicts, written, metric, label, verdict):
    claims = {
        "a": claim(written, metric=metric, experiment="x", set="val") | ({"label": label} if label else {})
    }
    found = verdicts("whole numbers", claims, sets={"val": VAL})
    assert [one for one, _ in found] == ([verdict] if verdict else [])


@pytest.mark.parametrize(("last", "found"), [("73.0%", ["inconsistent"]), ("73.1%", [])])
def test_copied_numbers(verdicts, last, found):
    claims = {}
    for where, values in (("val", ["71.0%", "72.0%", "73.0%"]), ("test", ["71.0%", "72.0%", last])):
        for label, written in zip("abc", values, strict=True):
            claims[f"{where}.{label}"] = claim(
                written, metric="map50", label=label, experiment="x", set=where
            )
    sets = {"val": VAL, "test": TEST}
    assert [one for one, _ in verdicts("copied numbers", claims, sets=sets)] == found


def test_two_equal_numbers_are_chance(verdicts):
    claims = {
        f"{where}.{label}": claim("71.0%", metric="map50", label=label, experiment="x", set=where)
        for where in ("val", "test") for label in "ab"
    }  # fmt: skip
    assert verdicts("copied numbers", claims, sets={"val": VAL, "test": TEST}) == []


def test_selection(verdicts):
    sets = {"val": VAL | {"chooses": "the epoch"}, "test": TEST}
    claims = {"a": claim("93%", metric="accuracy", experiment="x", set="val")}
    assert [one for one, _ in verdicts("selection", claims, sets=sets)] == ["biased"]
    assert verdicts("selection", claims, sets={"val": VAL}) == []
    claims["b"] = claim("92%", metric="accuracy", experiment="x", set="test")  # reported elsewhere, too
    assert verdicts("selection", claims, sets=sets) == []


def test_overlap(verdicts):
    claims = {"a": claim("93%", metric="accuracy", experiment="x", set="val")}
    ((verdict, text),) = verdicts(
        "overlap", claims, sets={"val": VAL | {"in_training": 16, "where": "files"}}
    )
    assert verdict == "biased"
    assert text.startswith("16 of the validation images are training images")
    assert verdicts("overlap", claims, sets={"val": VAL}) == []


def test_equal_recall(verdicts):
    claims = {"a": claim("91", metric="false_positives", experiment="x", set="test")}
    ((verdict, text),) = verdicts("equal recall", claims, sets={"test": TEST})
    assert verdict == "not testable"
    assert "recall and confidence on the same images not given" in text
    claims["r"] = claim("91%", metric="recall", experiment="x", set="test")
    assert "confidence on" in verdicts("equal recall", claims, sets={"test": TEST})[0][1]
    claims["c"] = claim("0.25", metric="confidence", experiment="x", set="test")
    assert verdicts("equal recall", claims, sets={"test": TEST}) == []


@pytest.mark.parametrize(("later", "verdict"), [("74.5%", "inconsistent"), ("70.1%", "consistent")])
def test_best_epoch(verdicts, later, verdict):
    claims = {
        "a": claim("72.7%", metric="map50", experiment="x", epoch=52, best=True),
        "b": claim(later, metric="map50", experiment="x", epoch=59),
        "c": claim("99%", metric="recall", experiment="x", epoch=59),  # another metric
    }
    assert [one for one, _ in verdicts("best epoch", claims)] == [verdict]


@pytest.mark.parametrize(("size", "found"), [("19 MB", ["inconsistent"]), ("38 MB", []), ("76 MB", [])])
def test_bytes_a_parameter(verdicts, size, found):
    claims = {
        "s": claim(size, metric="size", experiment="x"),
        "p": claim("19M", metric="parameters", experiment="x"),
    }
    assert [one for one, _ in verdicts("bytes a parameter", claims)] == found
    claims["p"]["experiment"] = "y"
    assert verdicts("bytes a parameter", claims) == []


def test_best_is_said_of_a_metric_of_which_more_is_better(verdicts):
    with pytest.raises(UserError, match=r"`best` is for accuracy, .* not for loss"):
        verdicts("best epoch", {"a": claim("0.10", metric="loss", epoch=3, best=True)})


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(2, 5), st.integers(0, 4))
def test_what_follows_from_rounded_numbers_is_consistent_with_what_is_rounded_from_the_true_ones(
    a, b, inner, outer
):
    """The rounding of every number that goes in is carried through."""
    from assay.claims.book import Book
    from assay.claims.quantity import parse
    from assay.claims.schema import Claim

    book = Book()
    book.written = {"900/a": parse(f"{a:.{inner}f} ms"), "900/b": parse(f"{b:.{inner}f} ms")}
    book.claims = {name: Claim(line=1, written="x", metric="x") for name in book.written}
    if book.written["900/b"].low <= 0:
        return
    for expression, true in (
        ({"ratio": ["a", "b"]}, a / b),
        ({"change": ["a", "b"]}, a / b - 1),
        ({"reduction": ["a", "b"]}, 1 - a / b),
        ({"ratio": [{"sum": ["a", "b"]}, {"mean": ["a", "b"]}]}, 2),
    ):
        assert parse(f"{100 * true:.{outer}f}%").meets(book.evaluate(expression, "900/a").quantity)
