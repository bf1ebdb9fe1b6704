import pandas as pd
import pytest
import yaml

from assay.config.compose import CONF
from assay.errors import UserError
from assay.ledger import learnt, read_ledger, read_tables, write_ledger

MATRIX = [[631, 29], [42, 524]]
ROW = {
    "job": "one seed 42", "experiment": "one", "source": "original", "status": "ok", "weights": "download", "seed": 42,
    "n": 1226, "accuracy": 0.93, "as_published": 0.94, "without_leaks": 0.925, "comparable": "yes",
}  # fmt: skip


def shipped_names():
    return sorted(path.stem for path in (CONF / "experiment/cherry").glob("*.yaml"))


@pytest.fixture
def conf(tmp_path):
    published = {
        "one": {"accuracy": 0.9421, "confusion_matrix": MATRIX},
        "close": {"accuracy": 0.9405},  # 1155 and 1153 of 1226: no difference
        "far": {"accuracy": 0.8393},
        "fallen": {"accuracy": 0.5383},  # 660 of 1226: the larger class
        "hoped": None,
    }
    folder = tmp_path / "conf/experiment/cherry"
    folder.mkdir(parents=True)
    for name, numbers in published.items():
        experiment = {"id": name, "title": name, "planned": numbers is None, "published": numbers}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"experiment": experiment}))
    for path, value in (
        ("project/cherry", {"project": {}}),
        ("sweep/both", {"project": "cherry", "title": "?", "experiments": ["one", "close"], "seeds": [42]}),
    ):
        (tmp_path / f"conf/{path}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"conf/{path}.yaml").write_text(yaml.safe_dump(value))
    return tmp_path / "conf"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    (folder / "cherry").mkdir(parents=True)
    return folder


def table(results, *rows, name="both-full-original"):
    pd.DataFrame([ROW | row for row in rows]).to_csv(results / f"cherry/{name}.csv", index=False)


def line(text, start):
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return found


def test_every_experiment_has_a_line_and_only_measured_ones_have_numbers(conf, results):
    table(results, {})
    text = write_ledger("cherry", conf=conf, results=results).read_text()
    assert "confirmed" in line(text, "one") and "94.0 % (92.5 to 95.2)" in line(text, "one")
    assert line(text, "far").endswith("|  |  |  |  | no row yet |")
    assert "| planned |" in line(text, "hoped")
    assert "| both |" in line(text, "close")
    page = (results / "cherry/ledger.html").read_text()
    assert page.count("<h2>") == 3 and "data:image/png" in page


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"as_published": 0.90}, "published value is higher"),
        ({"as_published": 0.98}, "published value is lower"),
        ({"comparable": "no: random weights"}, "not comparable: random weights"),
        ({"collapsed": "predicts one class"}, "collapsed: predicts one class"),
        (
            {"collapsed": "predicts one class", "comparable": "no: random weights"},
            "collapsed: predicts one class; not comparable: random weights",
        ),
        ({"experiment": "hoped", "comparable": None}, "nothing published"),
    ],
)
def test_the_verdict_follows_from_the_numbers(conf, results, row, verdict):
    table(results, row)
    text = write_ledger("cherry", conf=conf, results=results).read_text()
    assert line(text, row.get("experiment", "one")).endswith(f"| {verdict} |")


def test_sample_numbers_and_failed_jobs_are_not_measured(conf, results):
    table(results, {"source": "sample"}, {"status": "failed"})
    pd.DataFrame([{"task": "noop"}]).to_csv(results / "cherry/other.csv", index=False)
    assert read_tables(results / "cherry").empty
    assert "no row yet" in line(write_ledger("cherry", conf=conf, results=results).read_text(), "one")


def test_what_was_learnt_is_computed(conf, results):
    table(results, {}, {"as_published": 0.95, "accuracy": 0.92, "without_leaks": 0.92})
    found = dict(learnt(read_ledger("cherry", conf), read_tables(results / "cherry")).rows)
    assert "fallen collapsed" in found
    assert any(start.startswith("of 4 published accuracies 1 cannot") for start in found)  # close, not far
    assert "choosing the epoch on the reported images changes accuracy by +2.00 points" in found
    assert found["leaving out the copies of training images changes accuracy by -0.25 points"] == (
        "mean of 2 measured rows, -0.50 to +0.00"
    )


def test_a_project_without_a_confusion_matrix_has_no_ledger(conf, results):
    (conf / "experiment/cherry/one.yaml").unlink()
    (conf / "sweep/both.yaml").unlink()
    with pytest.raises(UserError, match="only classifiers with a published confusion matrix have one: none"):
        write_ledger("cherry", conf=conf, results=results)
    with pytest.raises(UserError, match=r"ledger documents: only classifiers .* have one: cherry"):
        write_ledger("documents", conf=CONF, results=results)


def test_the_shipped_ledger_holds_every_experiment_of_cherry():
    ledger = read_ledger("cherry", CONF)
    assert sorted(row.experiment.id for row in ledger.rows) == shipped_names()
    assert (ledger.images, round(ledger.majority * ledger.images)) == (1226, 660)


def test_one_epoch_leaves_nothing_to_choose(conf, results):
    short = {"accuracy": 0.6, "as_published": 0.6, "without_leaks": 0.59}
    rows = ({}, short | {"comparable": "no: random weights, train.epochs 30 -> 1"})
    table(results, *rows, short | {"comparable": "no: train.epochs 30 -> 12", "as_published": 0.61})
    told = dict(learnt(read_ledger("cherry", conf), read_tables(results / "cherry")).rows)
    (found,) = [says for title, says in told.items() if title.startswith("choosing the epoch")]
    assert found.startswith("mean of 2 measured rows")
    (leaks,) = [says for title, says in told.items() if title.startswith("leaving out")]
    assert leaks.startswith("mean of 3 measured rows")
