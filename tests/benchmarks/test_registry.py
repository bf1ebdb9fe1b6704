"""The benchmark's store is a real one: the command lists what it was filled with."""

import sys

import pytest

from assay.registry.catalog import Catalog
from assay.registry.listing import rows_of
from benchmarks import registry


def test_the_store_holds_as_many_versions_as_runs_with_their_numbers(tmp_path, monkeypatch):
    registry.fill(tmp_path, runs=7, metrics=6)
    monkeypatch.chdir(tmp_path)
    rows = rows_of(Catalog())
    assert len({(row["name"], row["version"]) for row in rows}) == len(rows) == 7
    assert {row["tag"] for row in rows} == {f"resnet18_{number}_64" for number in range(7)}
    assert {row["name"] for row in rows} == set(registry.MODELS)
    assert {(row["metric"], row["value"], row["latency_ms"]) for row in rows} == {("accuracy", 0.9, 0.9)}


def test_a_run_that_was_copied_is_to_mlflow_as_one_that_it_made(tmp_path, monkeypatch):
    registry.fill(tmp_path, runs=5, metrics=6)
    monkeypatch.chdir(tmp_path)
    client = Catalog().client
    versions = client.search_model_versions(f"name = '{registry.MODELS[0]}'")
    copy, made = (client.get_run(one.run_id) for one in versions)
    assert [run.info.run_name for run in (copy, made)] == ["run 3", "run 0"]
    assert copy.info.artifact_uri == made.info.artifact_uri.replace(made.info.run_id, copy.info.run_id)
    assert len(copy.data.metrics) == 6
    for told in ("metrics", "params"):
        assert getattr(copy.data, told) == getattr(made.data, told)
    points = [client.get_metric_history(run.info.run_id, "accuracy") for run in (copy, made)]
    assert [len(some) for some in points] == [1, 1]


def test_a_command_that_lists_too_little_is_not_measured(tmp_path):
    with pytest.raises(SystemExit, match="ended with 0"):
        registry.measure([sys.executable, "-c", "print(1)"], tmp_path, rounds=1, lines=2)
