"""The registry against real SQLite stores. Creating one takes seconds, so that is done once."""

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from assay import registry
from assay.errors import UserError
from assay.registry import store
from assay.tracking import record

SOURCE = Path(sys.modules["assay"].__file__).parents[1]
ROOTS = [Path("build")]

SERVED_BY = """
from pathlib import Path
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Constant(PythonModel):
    def load_context(self, context):
        self.value = float(Path(context.artifacts["export"], "value.txt").read_text())
    def predict(self, context, model_input, params=None):
        return [self.value for _ in model_input]

set_model(Constant())
"""


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    mlruns = tmp_path_factory.mktemp("store") / "mlruns"
    registry.connect(mlruns)
    with store.exclusive(mlruns):
        store.open_local(mlruns)
    return mlruns


@pytest.fixture
def repository(tmp_path, monkeypatch, empty_store):
    """An empty repository with a fresh store, as current folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "first place"
    root.mkdir()
    shutil.copytree(empty_store, root / "mlruns")
    (root / "pyfunc.py").write_text(SERVED_BY)
    monkeypatch.chdir(root)
    return root


def sync(**arguments):
    return registry.sync(ROOTS, pyfunc=Path("pyfunc.py"), **arguments)


def recorded(stage, **changes):
    folder = Path("build/cherry/runs", stage)
    return record(folder, **{"kind": stage, "project": "cherry", "name": f"{stage} resnet18", **changes})


def train(**changes):
    with recorded("train", config={"train": {"lr": 0.1}}, tags={"seed": "1"}, **changes) as run:
        run.data({"project": "cherry", "source": "sample", "content": "c" * 64, "counts": {"train": 12}})
        for epoch in range(3):
            run.metric("val/accuracy", 0.5 + epoch / 10, epoch)
        run.text("curve.txt", "a curve")
    return run.id


def evaluate(model):
    with recorded("evaluate", model_id=model, tags={"seed": "ignored"}) as run:
        run.metric("accuracy", 0.9)
        run.text("confusion.txt", "a matrix")
    return run.id


def export(model, value=3.0):
    folder = Path("build/cherry/export")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "value.txt").write_text(str(value))
    with recorded("export", model_id=model) as run:
        tags = {"name": "resnet18_raw_128"}
        run.model("cherry-classifier", Path("build/cherry/export"), tags=tags, aliases=["candidate"])
    return run.id


def everything():
    model = train()
    with recorded("prepare") as run:
        run.metric("images", 12)
    evaluate(model)
    export(model)
    return model


def query(sql, mlruns=Path("mlruns")):
    with closing(sqlite3.connect(mlruns / "mlflow.db")) as connection:
        return connection.execute(sql).fetchall()


def row_counts():
    tables = [name for (name,) in query("select name from sqlite_master where type = 'table'")]
    return {name: query(f"select count(*) from {name}")[0][0] for name in tables}


def client():
    from mlflow import MlflowClient

    return MlflowClient(registry.connect())


def runs():
    """Every run of the store by name."""
    found = client()
    experiments = [experiment.experiment_id for experiment in found.search_experiments()]
    return {run.info.run_name: run for run in found.search_runs(experiments)}


def test_a_model_is_one_run_with_its_evaluation_and_export(repository):
    model = everything()
    report = sync()
    assert (report.created, report.updated, report.skipped, report.problems) == (2, 2, 0, [])
    assert report.versions == ["cherry-classifier 1"]
    found = runs()
    assert sorted(found) == ["prepare resnet18", "train resnet18"]
    run = found["train resnet18"]
    assert run.data.metrics == {"val/accuracy": 0.7, "accuracy": 0.9}
    assert run.data.params == {"train.lr": "0.1"}
    assert run.data.tags["assay.bundle"] == model
    assert (run.data.tags["stage"], run.data.tags["seed"], run.data.tags["source"]) == (
        "train",
        "1",
        "sample",
    )
    assert len(run.data.tags["assay.bundle.evaluate"]) == len(run.data.tags["assay.bundle.export"]) == 32
    assert run.info.status == "FINISHED"
    [dataset] = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("cherry-sample", "c" * 36)
    history = client().get_metric_history(run.info.run_id, "val/accuracy")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.6), (2, 0.7)]
    names = {file.path for file in client().list_artifacts(run.info.run_id)}
    assert names == {"run.json", "curve.txt", "evaluate", "export", "card"}
    assert [f.path for f in client().list_artifacts(run.info.run_id, "evaluate")] == [
        "evaluate/confusion.txt",
        "evaluate/run.json",
    ]


def test_times_are_those_of_the_bundle(repository):
    train()
    sync()
    raw = json.loads(Path("build/cherry/runs/train/run.json").read_text())
    info = runs()["train resnet18"].info
    assert info.start_time == pytest.approx(store_ms(raw["started"]), abs=1)
    assert info.end_time == pytest.approx(store_ms(raw["ended"]), abs=1)


def store_ms(text):
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp() * 1000


def test_a_second_sync_changes_nothing(repository):
    everything()
    sync()
    before = row_counts()
    report = sync()
    assert (report.created, report.updated, report.skipped, report.versions) == (0, 0, 4, [])
    assert row_counts() == before


def test_nothing_to_do_imports_no_mlflow(repository):
    everything()
    sync()
    code = "import sys; from pathlib import Path; from assay import registry\n"
    code += "r = registry.sync([Path('build')]); sys.exit(r.skipped != 4 or 'mlflow' in sys.modules)"
    assert python(code).returncode == 0


def python(code, **options):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, **options
    )


def test_the_registered_model_predicts_and_everything_moves_with_the_folder(repository, monkeypatch):
    everything()
    sync()
    stored = query("select artifact_location from experiments where name = 'cherry'")
    stored += query("select artifact_uri from runs")
    stored += query("select artifact_location from logged_models")
    stored += query("select storage_location from model_versions")
    assert len(stored) == 5
    assert all(location.startswith("mlruns/artifacts/cherry") for (location,) in stored)

    other = repository.parent / "second place"
    repository.rename(other)
    monkeypatch.chdir(other)
    registry.connect()
    import mlflow

    model = mlflow.pyfunc.load_model("models:/cherry-classifier@candidate")
    assert model.predict([1, 2]) == [3.0, 3.0]
    run = runs()["train resnet18"]
    assert Path(client().download_artifacts(run.info.run_id, "curve.txt")).read_text() == "a curve"


def test_a_new_export_is_a_new_version_and_the_alias_moves_there(repository):
    model = train()
    first = export(model)
    sync()
    second = export(model, value=4.0)
    assert sync().versions == ["cherry-classifier 2"]
    newest, oldest = registry.model_versions()
    assert (newest["version"], newest["aliases"], newest["tags"]["assay.bundle"]) == (
        2,
        ["candidate"],
        second,
    )
    assert (oldest["version"], oldest["aliases"], oldest["tags"]["assay.bundle"]) == (1, [], first)
    assert newest["tags"]["name"] == "resnet18_raw_128"
    assert newest["run_id"] == runs()["train resnet18"].info.run_id


def test_an_alias_a_person_moved_stays_where_it_is(repository):
    model = train()
    export(model)
    sync()
    client().delete_registered_model_alias("cherry-classifier", "candidate")
    sync()
    assert registry.model_versions()[0]["aliases"] == []


def test_a_failed_export_registers_nothing(repository):
    model = train()
    with pytest.raises(ZeroDivisionError), recorded("export", model_id=model) as run:
        run.model("cherry-classifier", Path("build/cherry/export"), tags={}, aliases=["candidate"])
        1 / 0  # noqa: B018
    assert sync().versions == []
    assert registry.model_versions() == []


def test_a_missing_export_is_named_and_brought_in_later(repository):
    model = train()
    export(model)
    shutil.move("build/cherry/export", "elsewhere")
    report = sync()
    assert report.versions == []
    assert "build/cherry/runs/export: its model's files build/cherry/export are missing" in report.problems[0]
    shutil.move("elsewhere", "build/cherry/export")
    assert sync().versions == ["cherry-classifier 1"]


def test_losing_mlruns_loses_nothing(repository, monkeypatch, empty_store):
    everything()
    sync()
    before = {name: (run.data.metrics, run.data.params, run.info.start_time) for name, run in runs().items()}
    versions = [(v["name"], v["version"], v["aliases"], v["tags"]) for v in registry.model_versions()]
    # Another folder, because MLflow in this process holds the first database open.
    rebuilt = repository.parent / "rebuilt"
    shutil.copytree(repository, rebuilt, ignore=shutil.ignore_patterns("mlruns"))
    shutil.copytree(empty_store, rebuilt / "mlruns")
    monkeypatch.chdir(rebuilt)
    sync()
    after = {name: (run.data.metrics, run.data.params, run.info.start_time) for name, run in runs().items()}
    assert after == before
    assert [(v["name"], v["version"], v["aliases"], v["tags"]) for v in registry.model_versions()] == versions


@pytest.mark.parametrize(
    "where", ["_log_metrics", "_log_files", "_mark_synced", "register", "created", "logged"]
)
def test_a_sync_that_stopped_half_way_is_finished_by_the_next(repository, monkeypatch, where):
    import mlflow

    everything()

    def stop(*arguments, **options):
        raise KeyboardInterrupt  # nothing catches it, as nothing catches a kill

    with monkeypatch.context() as patch:
        if where == "created":  # the run exists, nothing is in it
            patch.setattr("assay.registry.runs._update_own", stop)
        elif where == "logged":  # the model is there, its version is not
            patch.setattr(mlflow.MlflowClient, "create_model_version", stop)
        else:
            patch.setattr(f"assay.registry.runs.{where}", stop)
        with pytest.raises(KeyboardInterrupt):
            sync()
    report = sync()
    assert report.problems == []
    found = runs()
    assert sorted(found) == ["prepare resnet18", "train resnet18"]
    assert len(query("select * from runs")) == 2
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    run = found["train resnet18"]
    assert len(client().get_metric_history(run.info.run_id, "accuracy")) == 1
    assert len(client().get_metric_history(run.info.run_id, "val/accuracy")) == 3
    assert [(v["version"], v["aliases"]) for v in registry.model_versions()] == [(1, ["candidate"])]
    assert query("select count(*) from logged_models where lifecycle_stage = 'active'") == [(1,)]
    before = row_counts()
    sync()
    assert row_counts() == before


def test_a_run_killed_in_training_is_killed_in_mlflow_and_a_live_one_waits(repository):
    train()
    path = Path("build/cherry/runs/train/run.json")
    state = json.loads(path.read_text()) | {"status": "running", "ended": None}
    path.write_text(json.dumps(state | {"pid": os.getpid()}))
    report = sync()
    assert (report.created, report.skipped) == (0, 1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path.write_text(json.dumps(state | {"pid": gone.pid}))
    assert sync().created == 1
    assert runs()["train resnet18"].info.status == "KILLED"
    assert sync().skipped == 1
    # It was not dead after all (it ran on another machine): what it says at its end counts.
    path.write_text(json.dumps(state | {"status": "finished", "ended": "2030-01-01T00:00:00+00:00"}))
    assert sync().updated == 1
    assert runs()["train resnet18"].info.status == "FINISHED"


def test_a_failed_run_is_failed_in_mlflow(repository):
    with pytest.raises(ValueError, match="no images"), recorded("train"):
        raise ValueError("no images")
    sync()
    run = runs()["train resnet18"]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: no images")


@pytest.mark.parametrize("early", [True, False])  # the jobs are brought in before the sweep ended, or with it
def test_the_jobs_of_a_sweep_are_its_children(repository, early):
    with recorded("sweep") as sweep:
        for number in range(2):
            with record(
                Path(f"build/job{number}"),
                kind="job",
                project="cherry",
                name=f"job {number}",
                parent=sweep.id,
            ):
                pass
        if early:
            assert sync().created == 2
    sync()
    found = runs()
    parent = found["sweep resnet18"].info.run_id
    assert [found[f"job {n}"].data.tags["mlflow.parentRunId"] for n in range(2)] == [parent, parent]


def test_a_continued_run_is_brought_up_to_date(repository):
    with recorded("sweep") as run:
        run.metric("done", 1, 0)
    sync()
    with recorded("sweep", run_id=run.id) as run:
        run.metric("done", 2, 1)
    report = sync()
    assert (report.created, report.updated) == (0, 1)
    assert runs()["sweep resnet18"].data.metrics == {"done": 2.0}


def test_a_second_evaluation_of_a_model_takes_the_place_of_the_first(repository):
    model = train()
    evaluate(model)
    sync()
    with recorded("evaluate", model_id=model) as run:
        run.metric("accuracy", 0.8)
    sync()
    shown = runs()["train resnet18"]
    assert shown.data.metrics["accuracy"] == 0.8
    assert shown.data.tags["assay.bundle.evaluate"] == run.id


def test_an_evaluation_of_an_unknown_model_is_named_and_keeps_nothing_else_back(repository):
    evaluate("f" * 32)
    train()
    report = sync()
    assert report.created == 1
    assert [problem.split(":")[0] for problem in report.problems] == ["build/cherry/runs/evaluate"]


def test_a_damaged_bundle_is_named_and_keeps_nothing_else_back(repository):
    train()
    Path("build/broken").mkdir()
    Path("build/broken/run.json").write_text("{")
    report = sync()
    assert report.created == 1
    assert "build/broken/run.json" in report.problems[0]


def test_what_mlflow_cannot_hold_is_fitted(repository):
    config = {"long": "x" * 10_000, "odd (name)": 1, "k" * 300: 2, **{f"p{n}": n for n in range(250)}}
    with recorded("train", config=config, tags={"long": "y" * 10_000}) as run:
        run.metric("loss%", math.nan)
        run.metric("inf", math.inf)
        run.metric("../up", 1.0)
        for step in range(2500):
            run.metric("many", step, step)
    report = sync()
    assert report.problems == []
    data = runs()["train resnet18"].data
    assert len(data.params) == 253
    assert data.params["long"] == "x" * 6000
    assert data.params["odd _name_"] == "1"
    assert set(data.tags["long"]) == {"y"}
    assert math.isnan(data.metrics["loss_"])
    assert math.isnan(data.metrics["inf"])
    assert data.metrics["up"] == 1.0
    assert len(client().get_metric_history(runs()["train resnet18"].info.run_id, "many")) == 2500


def test_a_run_deleted_in_mlflow_stays_deleted(repository):
    train()
    sync()
    client().delete_run(runs()["train resnet18"].info.run_id)
    assert sync().skipped == 1
    assert runs() == {}


def test_the_store_is_in_wal_mode(repository):
    train()
    sync()
    assert query("pragma journal_mode") == [("wal",)]


def test_a_store_that_was_half_created_is_created_again(tmp_path, monkeypatch):
    """The killed process leaves .creating.db; the store appears only when it is whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("mlruns").mkdir()
    Path("mlruns/.creating.db").write_bytes(b"half a database")
    registry.connect()
    with store.exclusive(store.MLRUNS):
        store.open_local(store.MLRUNS)
    assert not list(Path("mlruns").glob(".creating*"))
    assert query("select name from experiments") == [("Default",)]


def test_a_read_only_store_is_one_line(repository, monkeypatch):
    train()
    shutil.rmtree("mlruns")
    Path("mlruns").write_text("a file where the folder should be: root may write into any folder")
    with pytest.raises(
        UserError, match=r"mlruns cannot be used .* runs are safe in build/.*registry sync` again"
    ):
        sync()


def test_a_locked_store_is_one_line(repository, monkeypatch):
    train()
    monkeypatch.setattr(store, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect("mlruns/mlflow.db")) as other:
        other.execute("begin immediate")
        with pytest.raises(UserError, match=r"database is locked.*runs are safe in build/"):
            sync()


def test_a_damaged_store_is_one_line(repository):
    train()
    Path("mlruns/mlflow.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(UserError, match=r"not a database.*runs are safe in build/"):
        sync()
    with pytest.raises(UserError, match="not a database"):
        registry.model_versions()


def test_a_store_of_another_mlflow_is_one_line(repository):
    train()
    with closing(sqlite3.connect("mlruns/mlflow.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = 'ffffffffffff'")
    with pytest.raises(
        UserError, match=r"another version of MLflow; runs are safe in build/; move mlruns away"
    ):
        sync()


def test_a_second_sync_waits_for_the_first(repository):
    train()
    done = threading.Event()

    def wait_and_sync():
        sync()
        done.set()

    with store.exclusive(store.MLRUNS):
        other = threading.Thread(target=wait_and_sync)
        other.start()
        assert not done.wait(0.5)
    other.join(60)
    assert done.is_set()
    assert len(runs()) == 1


def test_an_address_in_the_environment_is_used_as_it_is(repository, monkeypatch, empty_store):
    everything()
    elsewhere = repository.parent / "elsewhere"
    shutil.copytree(empty_store, elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}/mlflow.db")
    assert sync().versions == ["cherry-classifier 1"]
    assert query("select count(*) from runs", elsewhere) == [(2,)]
    assert query("select count(*) from runs") == [(0,)]
    before = query("select count(*) from tags", elsewhere)
    assert sync().skipped == 4
    assert query("select count(*) from tags", elsewhere) == before


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", None),
        ("sqlite:///mlruns/mlflow.db", None),  # what .env says for `mlflow ui`: the local store after all
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_which_addresses_are_the_local_store(monkeypatch, address, expected):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert store.server() == expected


def test_a_server_that_is_not_there_is_one_line(repository, monkeypatch):
    train()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 cannot be used .*runs are safe in build/"):
        sync()


def test_a_databases_driver_that_is_not_installed_is_one_line(repository, monkeypatch):
    train()
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://assay@127.0.0.1:9/mlflow")
    with pytest.raises(UserError, match=r"cannot be used .*psycopg.*runs are safe in build/") as caught:
        sync()
    assert "\n" not in str(caught.value)


def test_no_store_has_no_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert registry.model_versions() == []
    assert not Path("mlruns").exists()


def test_the_user_interface_listens_on_this_machine_only():
    command = registry.ui_command()
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "sqlite:///mlruns/mlflow.db" in command


def start_sync():
    code = "from pathlib import Path; from assay.registry import sync\n"
    code += "sync([Path('build')], pyfunc=Path('pyfunc.py'))"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def there_is(what):
    """Whether the store under construction holds a file or a row of a table."""
    if what == ".creating.db":
        return Path("mlruns", what).exists()
    return Path("mlruns/mlflow.db").exists() and query(f"select count(*) from {what}") != [(0,)]


@pytest.mark.slow
def test_a_sync_that_is_killed_again_and_again_ends_like_one_that_was_not(tmp_path, monkeypatch):
    """From no store at all, with kill -9 as soon as something new is there; the terminal stays clean."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("pyfunc.py").write_text(SERVED_BY)
    everything()
    for what in (".creating.db", "runs", "logged_models", "model_versions"):
        process = start_sync()
        while not there_is(what) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        output, _ = process.communicate()
        assert (output, process.returncode) in [("", -signal.SIGKILL), ("", 0)], what
    process = start_sync()
    assert process.communicate() == ("", None)
    assert process.returncode == 0
    assert sorted(runs()) == ["prepare resnet18", "train resnet18"]
    assert query("select status, count(*) from runs group by status") == [("FINISHED", 2)]
    assert query("select count(*) from metrics") == [(5,)]
    assert [(v["version"], v["aliases"]) for v in registry.model_versions()] == [(1, ["candidate"])]


@pytest.mark.slow
def test_two_first_syncs_at_once_make_one_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("pyfunc.py").write_text(SERVED_BY)
    everything()
    both = [start_sync() for _ in range(2)]
    assert [process.communicate(timeout=100)[0] for process in both] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    assert query("select status, count(*) from runs group by status") == [("FINISHED", 2)]
    assert len(registry.model_versions()) == 1
