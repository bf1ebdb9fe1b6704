import sqlite3
from contextlib import closing

import pytest

from assay.errors import UserError
from assay.files import write_json
from assay.status import print_table

RESULT = {
    "experiment": "resnet18",
    "profile": "demo",
    "source": "sample",
    "weights": "random",
    "model": "abc",
    "collapsed": None,
    "main": {"name": "accuracy", "n": 284, "value": 0.8, "low": 0.75, "high": 0.85},
    "without_leaks": {"n": 276, "value": 0.79, "low": 0.74, "high": 0.84},
    "against_baseline": "no evidence of a difference: +1.0 points (-2.0 to +4.0), p = 0.5",
}
VERSION = {"name": "cherry-classifier", "version": 3, "aliases": ["candidate"], "tags": {"model": "abc"}}


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """What is printed for results by project and registered versions, the lines of a cell joined."""

    def shown(results, versions=()):
        for project, result in results.items():
            if result:
                write_json(tmp_path / "build" / project / "metrics.json", result)
                write_json(tmp_path / "build" / project / "model/model.json", {"id": "abc"})
        monkeypatch.setattr("assay.registry.model_versions", lambda mlruns: list(versions))
        print_table(list(results), mlruns=tmp_path / "mlruns", build=tmp_path / "build")
        lines = capsys.readouterr().out.splitlines()
        cells = [line.strip("│").split("│") for line in lines if line.startswith("│")]
        columns = [" ".join(" ".join(column).split()) for column in zip(*cells, strict=True)]
        return " | ".join([*columns, *(line for line in lines if "│" not in line)])

    return shown


def test_a_row_says_what_ran_on_what_and_how_sure_the_number_is(shown):
    text = shown({"cherry": RESULT}, [VERSION])
    for part in (
        "resnet18 (demo)",
        "sample, weights: random",
        "(0.750 to 0.850), n = 284",
        "cherry-classifier v3",
    ):
        assert part in text
    assert "accuracy 0.800" in text and "COLLAPSED" not in text and "make ui" in text


def test_a_collapse_comes_before_the_number(shown):
    text = shown({"cherry": RESULT | {"collapsed": "predicts one class"}})
    assert text.index("COLLAPSED: predicts one class") < text.index("0.750 to 0.850")


def test_a_project_without_a_result_did_not_finish_or_was_not_run(shown, tmp_path):
    (tmp_path / "build/workzone").mkdir(parents=True)
    text = shown({"cherry": RESULT, "workzone": None})
    assert text.count("did not finish") == 1 and "workzone" in text and "not run yet" not in text
    text = shown({"documents": None})
    assert "not run yet" in text and "`make repro`" in text and "did not finish" not in text


def test_only_the_version_of_the_very_model_is_named(shown):
    other = VERSION | {"version": 4, "tags": {"model": "def"}}
    assert "cherry-classifier v3" in shown({"cherry": RESULT}, [VERSION, other])
    assert "not registered" in shown({"cherry": RESULT}, [other])


def test_a_result_of_another_model_than_the_trained_one_is_out_of_date(shown):
    text = shown({"cherry": RESULT | {"model": "def"}}, [VERSION])
    assert "out of date" in text and "0.800" not in text


def test_a_store_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "mlruns").mkdir()
    with closing(sqlite3.connect(tmp_path / "mlruns/mlflow.db")) as connection:
        connection.execute("create table something (else_ int)")
    with pytest.raises(UserError, match="runs are safe in build/"):
        print_table(["cherry"], mlruns=tmp_path / "mlruns", build=tmp_path / "build")
