from pathlib import Path

import pytest
import yaml

from assay.claims.book import load
from assay.claims.check import check
from assay.errors import UserError
from tests.claims.helpers import claim


def refusal(function, *arguments, **others):
    with pytest.raises(UserError) as error:
        function(*arguments, **others)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_unknown_key_names_the_nearest(book):
    assert "did you mean 'written'" in refusal(book, {"a": {"line": 1, "writen": "5", "metric": "x"}})


def test_a_missing_key_is_named(book):
    assert "claims.a.metric: missing" in refusal(book, {"a": {"line": 1, "written": "5"}})


def test_a_number_that_is_none_asks_for_its_meaning(book):
    message = refusal(book, {"a": claim("lora")})
    assert "900.yaml: a: 'lora': no number" in message
    assert "means" in message


def test_a_reference_to_nothing_names_the_nearest(book):
    claims = {"total": claim("5"), "a": claim("5", equals={"sum": ["totl", 1]})}
    assert "a: totl: no such claim (did you mean 'total'?)" in refusal(book, claims)


def test_a_set_that_does_not_exist_is_named(book):
    sets = {"val": {"title": "the validation images"}}
    assert "vall: no such set (did you mean 'val'?)" in refusal(
        book, {"a": claim("5", set="vall")}, sets=sets
    )


def test_an_unknown_function_names_the_nearest(book):
    assert "ratoi: no such function (did you mean 'ratio'?)" in refusal(
        book, {"a": claim("5", equals={"ratoi": [1, 2]})}
    )


@pytest.mark.parametrize("arguments", [[1], [1, None], [1, 2, 3], []])
def test_a_missing_or_surplus_value_is_counted(book, arguments):
    claims = {"a": claim("5", equals={"ratio": arguments})}
    assert "a: ratio: " in (message := refusal(book, claims))
    assert "expected 2 (a / b)" in message


def test_two_functions_in_one_expression_are_refused(book):
    assert "expected one {function: arguments}" in refusal(
        book, {"a": claim("5", equals={"sum": [1], "ratio": [1, 2]})}
    )


@pytest.mark.parametrize("written", [True, False])
def test_a_claim_that_rests_on_itself_shows_the_circle(book, written):
    b = (
        claim("2", equals={"sum": ["a", 1]})
        if written
        else {"source": "computed", "metric": "x", "equals": {"sum": ["a", 1]}}
    )
    claims = {"a": claim("1", equals={"difference": ["b", 1]}), "b": b}
    assert "a: rests on itself: a -> b -> a" in refusal(book, claims)


def test_a_key_given_twice_is_refused(book, tmp_path):
    book({"a": claim("5")})
    path = tmp_path / "900.yaml"
    path.write_text(path.read_text() + "title: again\n")
    assert "title is given twice" in refusal(load, tmp_path)


def test_text_is_not_computed_with(book):
    claims = {"a": claim("lora", means="adapters"), "b": claim("5", equals={"sum": ["a", 1]})}
    assert "a: is text ('adapters')" in refusal(lambda: check(book(claims)))


def test_units_that_do_not_go_together_are_refused(book):
    claims = {"a": claim("5 ms"), "b": claim("7 MB"), "c": claim("12", equals={"sum": ["a", "b"]})}
    assert "c: sum: mixes byte and s" in refusal(lambda: check(book(claims)))


def test_a_result_of_another_unit_than_the_written_one_is_a_mistake_of_the_file(book):
    claims = {"a": claim("5 ms"), "b": claim("5", equals="a")}
    assert "give it the right `unit`" in refusal(lambda: check(book(claims)))


def test_a_division_by_nothing_is_one_line(book):
    claims = {"a": claim("0"), "b": claim("5", equals={"ratio": [1, "a"]})}
    assert "b: ratio: " in refusal(lambda: check(book(claims)))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"written": "5", "metric": "x"}, "needs its line"),
        ({"written": "5", "metric": "x", "source": "file"}, "needs `where`"),
        ({"line": 1, "metric": "x"}, "needs `written`"),
        ({"source": "computed", "metric": "x"}, "has `equals`"),
        ({"line": 1, "written": "5", "metric": "x", "means": "five", "equals": 5}, "give one of them"),
        ({"line": [], "written": "5", "metric": "x"}, "needs its line"),
        ({"line": [3, 0], "written": "5", "metric": "x"}, "counted from 1"),
    ],
)
def test_a_claim_says_where_it_comes_from(book, entry, says):
    assert says in refusal(book, {"a": entry})


@pytest.mark.parametrize(
    "equals", [float("nan"), float("inf"), True, [1, 2], {"sum": [True, 3]}, {"sum": [[1], 3]}]
)
def test_what_is_no_expression_is_refused(book, equals):
    message = refusal(book, {"a": claim("5", equals=equals)})
    assert "claims.a.equals" in message
    assert "expected a claim's name, a number, or {function: arguments}" in message


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"n": 100, "classes": {"a": 10, "b": 20}}, "sets.val: its classes sum to 30, n is 100"),
        ({"n": 10, "in_training": 20}, "sets.val: in_training is 20, more than its 10 images"),
        ({"n": 500, "images": 10, "in_training": 20}, "more than its 10 images"),
    ],
)
def test_a_set_s_counts_go_together(book, where, says):
    assert says in refusal(book, {"a": claim("5")}, sets={"val": {"title": "t"} | where})
    book(
        {"a": claim("5")},
        sets={"val": {"title": "t", "n": 30, "classes": {"a": 10, "b": 20}, "in_training": 30}},
    )


def test_a_reference_of_a_schedule_that_nothing_uses_is_resolved(book):
    schedule = {"title": "t", "decay": "linear", "lr0": "rate", "lrf": 1, "epochs": 10, "steps_per_epoch": 5}
    schedules = {"k": schedule | {"warmup_epochs": {"sum": ["wram", 1]}}}
    claims = {"rate": claim("0.1"), "warm": claim("3")}
    assert "900.yaml: k: wram: no such claim (did you mean 'warm'?)" in refusal(
        book, claims, schedules=schedules
    )


def test_what_a_number_would_follow_from_must_not_follow_from_it(book):
    claims = {"a": claim("5", equals=4, instead="b"), "b": claim("5", 2, "other", equals={"sum": ["a", 0]})}
    assert "a: rests on itself: a -> b -> a; take one `equals` or `instead` out" in refusal(book, claims)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty; expected the keys document, title, name, project, claims"),
        ("- a\n", "a list or text; expected the keys"),
        ("claims:\n  ? [a]\n  : {line: 1}\n", "line 2: a key is a list or mapping"),
        ("claims:\n  {a: b}: {line: 1}\n", "line 2: a key is a list or mapping"),
    ],
)
def test_a_file_without_keys_or_with_odd_ones_is_one_line(tmp_path, text, says):
    (tmp_path / "900.yaml").write_text(text)
    assert says in refusal(load, tmp_path)


def test_an_empty_folder_is_one_line(tmp_path):
    assert "no claim files" in refusal(load, tmp_path)


def test_a_file_under_another_name_is_refused(book, tmp_path):
    book({"a": claim("5")})
    (tmp_path / "900.yaml").rename(tmp_path / "901.yaml")
    assert "the file is named 901" in refusal(load, tmp_path)


def test_a_file_that_is_not_yaml_is_one_line(tmp_path):
    (tmp_path / "900.yaml").write_text("document: [")
    assert "not readable as YAML" in refusal(load, tmp_path)


def test_a_statement_names_its_rule_and_arguments(book):
    line = {"line": 1, "written": "best"}
    assert "bettr: no such rule (did you mean 'better'?)" in refusal(
        lambda: check(book({"a": claim("5")}, statements={"s": line | {"says": {"bettr": {}}}}))
    )
    assert "then = 'a': unknown key (did you mean 'than'?)" in refusal(
        lambda: check(
            book(
                {"a": claim("5")}, statements={"s": line | {"says": {"better": {"value": "a", "then": "a"}}}}
            )
        )
    )
    assert "s: b: no such claim" in refusal(
        lambda: check(
            book(
                {"a": claim("5")}, statements={"s": line | {"says": {"better": {"value": "a", "than": "b"}}}}
            )
        )
    )


def test_a_rule_that_cannot_be_computed_is_one_line(book):
    claims = {"a": claim("0", metric="x"), "b": claim("5", metric="y")}
    statements = {"s": {"line": 1, "written": "alike", "says": {"similar": {"a": "a", "b": "b"}}}}
    assert "s: similar: cannot be computed" in refusal(lambda: check(book(claims, statements=statements)))


def test_another_document_s_claims_are_reached_by_their_full_name(book, tmp_path):
    other = {
        "document": "901",
        "title": "t",
        "name": "901.md",
        "project": "cherry",
        "claims": {"n": claim("4")},
    }
    books = book({"a": claim("5", equals={"sum": ["901/n", 1]})}, **{"901": yaml.safe_dump(other)})
    assert [(one.verdict, one.text) for one in check(books)] == [("consistent", "4 + 1 = 5")]


@pytest.mark.parametrize(
    ("equals", "fit", "unfit"),
    [
        ({"ratio": ["hundred", "few"]}, "5", "1"),  # 100 / <50: more than 2
        ({"reduction": ["few", "hundred"]}, "80%", "40%"),
        ({"complement": "part"}, "99%", "94%"),
        ({"difference": ["hundred", "few"]}, "90", "40"),
        ({"difference": ["many", "few"]}, "-20", None),  # 30+ less <50: anything
        ({"f1": ["high", "half"]}, "90%", "40%"),  # no number, were an open end infinite
        ({"steps": ["about", "about"]}, "2", "4"),  # the middle lies on a plateau: ⌈110 / 90⌉
        ({"product": ["loss", "about"]}, "-330", "-340"),  # falls with its second argument
        ({"sum": ["loss"] * 40}, "-120", "-125"),  # a long one is as fast
    ],
)
def test_open_and_rounded_ends_are_carried_through_whichever_way_a_function_goes(book, equals, fit, unfit):
    claims = {
        "hundred": claim("100", metric="a"), "few": claim("<50", metric="b"), "part": claim("<5%", metric="c"),
        "many": claim("30+", metric="d"), "high": claim("≥90%", metric="e"), "half": claim("90%", metric="f"),
        "about": claim("90-110", metric="g"), "loss": claim("-3.0", metric="h"),
    }  # fmt: skip
    for written, verdict in ((fit, "consistent"), (unfit, "inconsistent")):
        if written:
            found = [
                one
                for one in check(book(claims | {"r": claim(written, equals=equals)}))
                if one.rule == "derivation"
            ]
            assert [one.verdict for one in found] == [verdict], (written, found)


def test_every_function_is_monotone_where_rounding_is_carried_through():
    """A ratio of two rounded numbers lies between the ratios of their ends."""
    from assay.claims.book import Book
    from assay.claims.quantity import parse

    book = Book()
    book.written = {"900/a": parse("2.0 ms"), "900/b": parse("4.0 ms")}
    from assay.claims.schema import Claim

    book.claims = {name: Claim(line=1, written="x", metric="x") for name in book.written}
    found = book.evaluate({"ratio": ["a", "b"]}, "900/a").quantity
    assert (found.low, found.high) == (pytest.approx(1.95 / 4.05), pytest.approx(2.05 / 3.95))


def test_the_shipped_files_are_where_the_command_looks():
    assert len(load(Path("conf/claims")).documents) == 5
