import os
import sqlite3
from contextlib import closing

from assay.errors import UserError
from assay.service.models import Models
from tests.documents.conftest import MARKS, model


def registry(folder, version, location):
    """As much of MLflow's tables as is read."""
    (folder / "mlruns").mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "mlruns/mlflow.db")) as store, store:
        store.execute("create table if not exists model_versions (name, version, storage_location)")
        store.execute("create table if not exists registered_model_aliases (name, version, alias)")
        store.execute("insert into model_versions values ('documents-detector', ?, ?)", (version, location))
        store.execute("delete from registered_model_aliases")
        store.execute(
            "insert into registered_model_aliases values ('documents-detector', ?, 'production')", (version,)
        )


def export(folder, weights):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(weights)
    return folder


def models(tmp_path, loaded):
    def load(folder):
        if b"broken" in (folder / "model.onnx").read_bytes():
            raise UserError(f"{folder}: broken")
        loaded.append(folder)
        return model(*MARKS)

    exports = [tmp_path / "build/a", tmp_path / "build/b"]
    return Models(mlruns=tmp_path / "mlruns", exports=exports, load=load, every=0)


def test_the_newest_export_answers_until_a_version_is_production(tmp_path):
    loaded = []
    given = models(tmp_path, loaded)
    assert given.current() is None and given.problem == "no model is ready yet"
    old, new = export(tmp_path / "build/a", b"1"), export(tmp_path / "build/b", b"2")
    os.utime(old / "model.onnx", (1, 1))
    chosen = given.current()
    assert (chosen.version, chosen.why) == (
        "0" * 12,
        "the newest export: no version has the alias production",
    )
    assert chosen.said()["experiment"] == "told"
    registered = export(tmp_path / "mlruns/m-1/artifacts/artifacts/export", b"3")
    registry(tmp_path, 1, "mlruns/m-1/artifacts")
    assert (given.current().version, given.current().why) == ("1", "the registry's alias production")
    assert loaded == [new, registered]  # each once, however often it is asked


def test_another_production_version_is_loaded_while_running_and_a_broken_one_is_not(tmp_path):
    loaded = []
    given = models(tmp_path, loaded)
    for version, weights in ((1, b"1"), (2, b"2"), (3, b"broken")):
        export(tmp_path / f"mlruns/m-{version}/artifacts/export", weights)
        registry(tmp_path, version, f"mlruns/m-{version}")
        assert given.current().version == str(min(version, 2))
    assert given.problem == "the model can't be loaded, the log says why"
    assert str(tmp_path) not in given.problem
