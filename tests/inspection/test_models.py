"""Which models can inspect, by which names, and how good they are said to be."""

import dataclasses

import pytest

from assay.errors import UserError
from assay.files import write_json
from assay.inspection.models import choices, export_of, measured
from assay.registry.catalog import Version
from tests.inspection.conftest import export

VALUE = {"value": 0.8, "low": 0.7, "high": 0.9}


class Registry:
    """A catalog of versions that are given; what their runs keep is given by path."""

    def __init__(self, *versions, **kept):
        self.versions, self.kept = list(versions), kept

    def find(self, wanted):
        name, _, which = wanted.replace("@", "/").partition("/")
        for one in self.versions:
            if one.name == name and which in ("", str(one.version), *one.aliases):
                return one
        raise UserError(f"{wanted}: no such version")

    def exported(self, version):
        return version.export

    def numbers(self, version):
        return {}

    def json(self, version, path):
        return self.kept.get(path)


def version(name, number, export, *aliases):
    return Version(name, number, float(number), "run", aliases, {"experiment": "yolo11s"}, export)


@pytest.fixture
def builds(tmp_path):
    """A detector and a condition classifier of one inspection, and a detector of documents."""
    export(tmp_path / "infrastructure/export", "detection", classes=["rock_toe", "toe_drain"])
    export(tmp_path / "conditions/export", "condition", object_types=["rock_toe", "toe_drain"])
    export(tmp_path / "documents/export", "detection", classes=["stamp"])
    return tmp_path


def test_detectors_and_conditions_that_belong_together_are_offered(builds):
    stored = builds / "infrastructure/export"
    registry = Registry(
        version("infrastructure-detector", 3, stored),
        version("infrastructure-detector", 2, stored, "production"),
        version("infrastructure-detector", 1, builds / "deleted"),
        version("documents-detector", 1, builds / "documents/export"),
        version("infrastructure-conditions", 1, builds / "conditions/export"),
    )
    finders, judges = choices(registry, builds=builds)
    assert [one.name for one in finders] == [
        str(stored),
        "infrastructure-detector/2",
        "infrastructure-detector/3",
    ]
    assert finders[1].said == "infrastructure-detector v2 @production: yolo11s"
    assert [one.name for one in judges] == [str(builds / "conditions/export"), "infrastructure-conditions/1"]


def test_what_was_asked_for_comes_first(builds):
    other = export(builds / "elsewhere", "detection", classes=["stamp"])
    registry = Registry(version("infrastructure-detector", 2, builds / "infrastructure/export", "production"))
    assert choices(registry, builds=builds, detector=str(other))[0][0].name == str(other)
    finders, _ = choices(registry, builds=builds, detector="infrastructure-detector@production")
    assert finders[0].name == "infrastructure-detector@production" and len(finders) == 3


def test_what_is_no_such_model_is_one_line(builds, tmp_path):
    with pytest.raises(
        UserError, match=r"conditions/export: no export of task detection; there are: .*infra"
    ):
        choices(Registry(), builds=builds, detector=str(builds / "conditions/export"))
    with pytest.raises(UserError, match="nowhere: no export of task condition"):
        choices(Registry(), builds=builds, conditions="nowhere")
    with pytest.raises(UserError, match=r"no condition classifier.*dvc repro export@conditions|no detector"):
        choices(Registry(), builds=tmp_path / "empty")


def test_a_name_is_a_folder_or_a_registered_model(builds):
    stored = builds / "infrastructure/export"
    registry = Registry(version("infrastructure-detector", 2, stored, "production"))
    assert export_of(str(stored), registry) == stored
    assert export_of("infrastructure-detector@production", registry) == stored
    assert export_of("infrastructure-detector/2", registry) == stored
    assert str(export_of("build/none", registry)) == "build/none"  # its loader says what is missing
    with pytest.raises(UserError, match="no such version"):
        export_of("infrastructure-detector@fastest", registry)


def test_quality_comes_from_the_evaluation_of_the_very_model(builds):
    folder = builds / "infrastructure/export"
    assert "no evaluation lies beside it" in measured(str(folder), Registry()).about
    evaluation = folder.parent / "evaluation"
    judged = {
        "models": {"model": {"experiment": "exp"}},
        "data": {"content": "abc", "source": "sample"},
    }
    write_json(evaluation / "metrics.json", {"test": {"all": {"n": 9, "map50": VALUE}}})
    write_json(evaluation / "predictions.json", judged)
    found = measured(str(folder), Registry())
    assert found.about.startswith("sample data") and found.rows == [
        {"part": "test", "name": "map50", **VALUE, "n": 9}
    ]
    write_json(evaluation / "predictions.json", judged | {"data": {"content": "other"}})
    assert measured(str(folder), Registry()).rows == []


def test_quality_of_a_registered_version_is_its_card_s(builds):
    one = version("infrastructure-detector", 2, builds / "infrastructure/export")
    kept = {
        "evaluate/metrics.json": {"test": {"all": {"n": 9, "map50": VALUE}}},
        "run.json": {"data": {"source": "original"}},
    }
    found = measured("infrastructure-detector/2", Registry(one, **kept))
    assert found.rows[0]["value"] == 0.8 and found.about == "original data, from its card"
    other = dataclasses.replace(one, name="other-detector")
    assert measured("other-detector", Registry(other)).about == "its run keeps no evaluation"
