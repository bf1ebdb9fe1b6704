import pytest
from typer.testing import CliRunner

from assay.cli import app
from assay.documents import reading
from assay.errors import UserError
from assay.registry.catalog import Catalog
from tests.documents import conftest as drawn
from tests.documents.conftest import MARKS, model


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(reading.Model, "load", lambda folder, **rest: model(*MARKS))
    (tmp_path / "good.pdf").write_bytes(drawn.pdf(drawn.text))
    (tmp_path / "bad.pdf").write_bytes(drawn.locked())

    def call(*arguments):
        given = ["annotate", "--output", str(tmp_path / "out"), "--dpi", "36", *arguments]
        return CliRunner().invoke(app, given)

    return call


def test_some_failed_is_status_1_and_a_list(run, tmp_path):
    ended = run(str(tmp_path / "good.pdf"), str(tmp_path / "bad.pdf"))
    assert ended.exit_code == 1
    assert "1 documents annotated, 0 were there" in ended.output
    assert "bad.pdf: encrypted: it asks for a password" in ended.output
    assert "1 of 2 documents have problems" in ended.output
    assert run(str(tmp_path / "good.pdf")).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value"), [("--conf", "1.5"), ("--group-iou", "-1"), ("--group-dist", "-1"), ("--dpi", "5")]
)
def test_options_out_of_range_are_one_line(run, tmp_path, option, value):
    ended = run(str(tmp_path / "good.pdf"), option, value)
    assert isinstance(ended.exception, UserError)
    assert str(ended.exception).startswith(f"{option} {float(value):g}: expected ")


def test_a_registered_model_is_taken_by_its_alias(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(Catalog, "find", lambda self, wanted: wanted)
    monkeypatch.setattr(Catalog, "exported", lambda self, version: tmp_path / version)
    monkeypatch.setattr(reading.Model, "load", lambda folder, **rest: opened.append(folder) or model(*MARKS))
    assert run(str(tmp_path / "good.pdf"), "--model", "documents-detector@production").exit_code == 0
    assert set(opened) == {tmp_path / "documents-detector@production"}


def test_a_folder_that_is_no_export_is_named(tmp_path):
    with pytest.raises(UserError, match=r"model\.onnx"):
        reading.Model.load(tmp_path)
