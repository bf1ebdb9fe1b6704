import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from assay.claims.book import load
from assay.claims.check import check
from assay.claims.listing import as_json, listing, verdicts
from assay.claims.measured import Measured
from assay.claims.report import write_report
from tests.claims.helpers import claim

SETS = {"val": {"title": "the validation images", "n": 1226, "split": "val"}}
CLAIMS = {
    "a": claim("94.21%", 3, "accuracy", experiment="EXP-002A", set="val"),
    "b": claim("94.05%", 4, "accuracy", experiment="resnet50", set="val"),
    "gain": claim("0.19%", 5, equals={"difference": ["a", "b"]}),
    "n": {"source": "data", "where": "files", "written": "1226", "metric": "images"},
    "alone": claim("7", 6, "workers"),
}
STATEMENTS = {
    "best": {"line": 3, "written": "NEW | BEST <b>", "says": {"better": {"value": "a", "than": "b"}}}
}


@pytest.fixture
def made(book):
    return book(CLAIMS, statements=STATEMENTS, sets=SETS)


def run(folder, *, comparable=""):
    return Measured(
        "cherry", "EXP-002A", "accuracy", None, "val", 0.90, 0.88, 0.92, 1226, "original", "full", "download", "j",
        folder / "cherry/x-full-original.csv", comparable,
    )  # fmt: skip


def test_a_verdict_on_a_sentence_is_none_on_its_numbers(made):
    of_claim = verdicts(made, check(made))
    assert of_claim == {
        "900/a": "consistent",  # a whole number of images; that it is the best is another matter
        "900/b": "consistent",
        "900/gain": "inconsistent",
        "900/n": "evidence",
        "900/alone": "stated",
    }


def test_listing_names_every_finding_with_its_arithmetic(made):
    text = "\n".join(listing(made, check(made)))
    assert "900 Made by hand: 2 findings" in text
    assert "line 5: inconsistent (derivation)" in text
    assert "94.21% − 94.05% = 0.160 %; written 0.19%" in text
    assert "“NEW | BEST <b>”" in text


def test_json_counts_what_the_listing_shows(made):
    found = as_json(made, check(made))
    assert found["claims"] == 5
    assert [(one["line"], one["verdict"]) for one in found["findings"]] == [
        (3, "no evidence"),
        (5, "inconsistent"),
    ]
    assert sum(found["verdicts"].values()) == 5
    assert as_json(made, check(made), "900") == found


def test_the_report_is_the_same_every_time_and_needs_nothing_else(made, tmp_path):
    measured = [run(tmp_path / "results")]
    folder = tmp_path / "results/claims"
    first = write_report(folder, made, check(made), measured)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_report(folder, made, check(made), measured)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {"report.md", "report.html", "published-900-val.png", "measured-cherry.png"}
    html = first.read_text()
    assert not re.search(
        r'(src|href)="(?!data:|#|\.\./cherry/)', html
    )  # links lead to tables of results/ only
    assert "NEW | BEST &lt;b&gt;" in html
    assert '<span class="no-evidence">' in html  # two words were two classes, one of them that of "evidence"
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", html)


def test_the_markdown_s_tables_survive_a_pipe_in_a_sentence(made, tmp_path):
    write_report(tmp_path / "claims", made, check(made), [])
    lines = (tmp_path / "claims/report.md").read_text().splitlines()
    widths = [(len(re.findall(r"(?<!\\)\|", line)), line) for line in lines if line.startswith("|")]
    assert {count for count, _ in widths} <= {5, 6, 9}, widths
    assert any(r"NEW \| BEST" in line for line in lines)
    assert "No run has measured" in "\n".join(lines)


def test_a_published_accuracy_stands_with_the_interval_of_its_images(made, tmp_path):
    write_report(tmp_path / "claims", made, check(made), [])
    lines = (tmp_path / "claims/report.md").read_text().splitlines()
    shown = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[4] for line in lines if line.count(" | ") == 7
    }
    assert shown["a"] == "92.8 to 95.4 %, n = 1226"
    assert shown["gain"] == shown["n"] == shown["alone"] == ""
    html = (tmp_path / "claims/report.html").read_text()
    assert "<th>95 % interval</th>" in html
    assert "<td>92.8 to 95.4 %, n = 1226</td>" in html


def test_a_number_without_an_interval_is_listed_and_not_drawn(made, tmp_path):
    alone = replace(run(tmp_path / "results"), low=math.nan, high=math.nan)
    folder = tmp_path / "results/claims"
    write_report(folder, made, check(made), [alone])
    text = (folder / "report.md").read_text()
    assert "90.0 % (no interval) | 1226 | original | full | download | [not comparable]" in text
    assert "): no interval |" in text
    assert not (folder / "measured-cherry.png").exists()


@pytest.mark.parametrize(
    ("comparable", "answer"), [("", "not reproduced"), ("random weights", "not comparable")]
)
def test_what_was_measured_stands_beside_what_is_published(made, tmp_path, comparable, answer):
    folder = tmp_path / "results/claims"
    write_report(folder, made, check(made), [run(tmp_path / "results", comparable=comparable)])
    (line,) = [
        line
        for line in (folder / "report.md").read_text().splitlines()
        if "EXP-002A, accuracy" in line and "full" in line
    ]
    assert (
        f"90.0 % (88.0 to 92.0) | 1226 | original | full | download | [{answer}](../cherry/x-full-original.md)"
        in line
    )
    assert ("random weights" in line) == bool(comparable)


def test_a_published_value_is_drawn_beside_the_measured_one_and_said_to_be_not_comparable(
    made, tmp_path, monkeypatch
):
    from assay.evaluation import plots

    drawn = {}
    monkeypatch.setattr(
        plots, "plot_forest", lambda path, rows, **_: (path.write_bytes(b""), drawn.update({path.name: rows}))
    )
    for reason in ("", "sample data"):
        write_report(tmp_path / "claims", made, check(made), [run(tmp_path, comparable=reason)])
        (row,) = drawn["measured-cherry.png"]
        assert (row.measured.value, row.published) == (0.90, pytest.approx(0.9421))
        assert row.comparable == (not reason)


def test_the_committed_report_is_that_of_the_shipped_claims(tmp_path):
    """Its findings; what runs measured changes with every published table, and pictures with a machine's fonts."""
    book = load(Path("conf/claims"))
    write_report(tmp_path / "claims", book, check(book), [])
    made, committed = (
        path.read_text().split("\n## ")
        for path in (tmp_path / "claims/report.md", Path("results/claims/report.md"))
    )
    assert committed[0] == made[0], "run `assay claims report`"
    assert len(committed) == len(made) == 7
    for ours, theirs in zip(made[2:], committed[2:], strict=True):
        assert theirs.partition("### All numbers")[0] == ours.partition("### All numbers")[0], (
            "run `assay claims report`"
        )
