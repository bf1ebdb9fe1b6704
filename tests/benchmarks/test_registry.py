"""The benchmark's store is a real one: the command lists what it was filled with."""

import sys

import pytest

from assay.registry.catalog import Catalog
from assay.registry.listing import rows_of
from benchmarks import registry


def test_the_store_holds_as_many_versions_as_runs_with_their_numbers(tmp_path, monkeypatch):
    registry.fill(tmp_path, runs=4, metrics=6)
    monkeypatch.chdir(tmp_path)
    rows = rows_of(Catalog())
    assert len(rows) == 4
    assert {row["name"] for row in rows} == set(registry.MODELS)
    assert {(row["metric"], row["value"], row["latency_ms"]) for row in rows} == {("accuracy", 0.9, 0.9)}


def test_a_command_that_lists_too_little_is_not_measured(tmp_path):
    with pytest.raises(SystemExit, match="ended with 0"):
        registry.measure([sys.executable, "-c", "print(1)"], tmp_path, rounds=1, lines=2)
