"""Tables of the notebooks that need no graph; tests/pipelines/test_notebooks.py has the others."""

from pathlib import Path

import pytest

from assay import analysis
from assay.errors import UserError

ROOT = Path(__file__).parents[1]


def test_start_finds_the_root_from_a_folder_below(monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    assert analysis.start() == ROOT == Path.cwd()


def test_outside_of_a_repository_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no params\.yaml here or above"):
        analysis.start(tmp_path)


def test_a_stage_that_did_not_run_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="`dvc repro prepare@cherry` writes it"):
        analysis.split_table("cherry")
    with pytest.raises(UserError, match="no published sweep"):
        analysis.sweep_table("cherry")


@pytest.mark.parametrize(("project", "metric"), [("cherry", "accuracy"), ("infrastructure", "map50")])
def test_published_sweeps_are_one_table_best_first(monkeypatch, project, metric):
    monkeypatch.chdir(ROOT)
    table = analysis.sweep_table(project)
    assert table[metric].is_monotonic_decreasing and len(table) >= 2
    assert (table["low"] < table[metric]).all() and (table[metric] < table["high"]).all()
    assert table["without_leaks"].notna().all() and table["published"].notna().any()


def test_every_finding_of_the_claims_is_a_row_with_its_arithmetic(monkeypatch):
    monkeypatch.chdir(ROOT)
    findings = analysis.findings_table()
    assert len(findings) >= 22 and findings["text"].str.len().min() > 0
    assert analysis.claims_table().loc["all", "inconsistent"] > 0
