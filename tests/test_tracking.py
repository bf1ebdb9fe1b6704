import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import UserError
from assay.tracking import find_bundles, read_bundle, record


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def recorded(folder="build/cherry/runs/train", **changes):
    return record(Path(folder), **{"kind": "train", "project": "cherry", "name": "resnet18", **changes})


def test_a_run_is_a_folder_of_text_and_files():
    Path("plot.png").write_bytes(b"picture")
    config = {"train": {"lr": 0.1, "classes": ["a", "b"]}, "seed": 1, "empty": {}}
    with recorded(config=config, tags={"profile": "demo", "seed": 1}, parent="p" * 32) as run:
        run.metric("loss", 0.5, step=0)
        run.metric("loss", 0.25, step=1)
        run.param("images", 12)
        run.tag("weights", "random")
        run.data({"project": "cherry", "source": "sample", "content": "abc"})
        run.artifact(Path("plot.png"), "plots")
        run.text("notes/why.txt", "because")
    bundle = read_bundle(Path("build/cherry/runs/train"))
    assert (bundle.id, bundle.kind, bundle.project, bundle.name) == (run.id, "train", "cherry", "resnet18")
    assert (bundle.status, bundle.error, bundle.parent) == ("finished", None, "p" * 32)
    assert bundle.started < bundle.ended
    assert bundle.config == config
    assert bundle.params == {
        "train.lr": 0.1,
        "train.classes": ["a", "b"],
        "seed": 1,
        "empty": {},
        "images": 12,
    }
    assert bundle.tags == {"profile": "demo", "seed": "1", "weights": "random"}
    assert bundle.data == {"project": "cherry", "source": "sample", "content": "abc"}
    assert [(p.name, p.value, p.step) for p in bundle.points()] == [("loss", 0.5, 0), ("loss", 0.25, 1)]
    assert (bundle.artifacts / "plots" / "plot.png").read_bytes() == b"picture"
    assert (bundle.artifacts / "notes" / "why.txt").read_text() == "because"
    assert bundle.environment["python"]
    assert bundle.model() is None


def test_a_metric_is_on_disk_at_once_and_the_run_says_it_is_running():
    with recorded() as run:
        run.metric("loss", 1.0)
        bundle = read_bundle(run.folder)
        assert (bundle.status, bundle.ended, len(bundle.points())) == ("running", None, 1)
        assert bundle.alive
    assert not read_bundle(run.folder).alive


def test_a_new_run_replaces_the_old_one_and_nothing_beside_it():
    with recorded() as first:
        first.metric("loss", 1.0)
        first.text("old.txt", "old")
        first.model("m", Path("export"), tags={}, aliases=[])
    (first.folder / "job.log").write_text("not ours")
    with recorded() as second:
        pass
    bundle = read_bundle(second.folder)
    assert bundle.id != first.id
    assert (bundle.points(), bundle.model(), list(bundle.artifacts.iterdir())) == ([], None, [])
    assert (second.folder / "job.log").exists()


def test_a_continued_run_keeps_its_id():
    with recorded() as first:
        pass
    with recorded(run_id=first.id) as second:
        pass
    assert second.id == first.id


def test_a_run_takes_the_id_of_what_it_made():
    with recorded() as run:
        run.identify("a" * 32)
    assert run.id == read_bundle(run.folder).id == "a" * 32


def test_an_exception_is_kept_and_goes_on():
    with pytest.raises(ZeroDivisionError), recorded() as run:
        run.metric("loss", 1.0)
        1 / 0  # noqa: B018
    bundle = read_bundle(run.folder)
    assert (bundle.status, bundle.error) == ("failed", "ZeroDivisionError: division by zero")
    assert "1 / 0" in bundle.traceback
    assert len(bundle.points()) == 1


def test_a_traceback_names_no_absolute_path():
    with pytest.raises(FileNotFoundError), recorded() as run:
        (Path.cwd() / "missing.txt").read_text()
    bundle = read_bundle(run.folder)
    assert str(Path.cwd()) not in bundle.error + bundle.traceback
    assert "missing.txt" in bundle.error


def test_an_interrupt_ends_the_run_as_failed():
    with pytest.raises(KeyboardInterrupt), recorded() as run:
        raise KeyboardInterrupt
    assert read_bundle(run.folder).status == "failed"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_json_does_not_know_come_back(value):
    with recorded() as run:
        run.metric("loss", value)
    line = (run.folder / "metrics.jsonl").read_text()
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    [point] = read_bundle(run.folder).points()
    assert point.value == value or (math.isnan(point.value) and math.isnan(value))


def test_a_numpy_value_and_a_path_in_the_configuration_are_fine():
    import numpy as np

    with recorded(config={"folder": Path("data/cherry"), "lr": np.float32(0.5)}) as run:
        run.metric("loss", np.float32(0.5))
        run.param("shape", (1, 2))
    bundle = read_bundle(run.folder)
    assert bundle.params["folder"] == "data/cherry"
    assert bundle.params["shape"] == [1, 2]
    assert bundle.points()[0].value == 0.5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said_once_and_the_work_goes_on(caplog):
    with caplog.at_level(logging.WARNING), recorded() as run:
        metrics = run.folder / "metrics.jsonl"
        metrics.symlink_to("/dev/full")
        for step in range(3):
            run.metric("loss", 1.0, step)
        metrics.unlink()
        metrics.write_text('{"name": "loss", "val')  # the half line that fitted
        run.metric("loss", 2.0, 3)  # there is space again
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the work goes on" in caplog.text
    bundle = read_bundle(run.folder)
    assert bundle.status == "finished"
    assert [(p.value, p.step) for p in bundle.points()] == [(1.0, 0), (1.0, 1), (1.0, 2), (2.0, 3)]


def test_a_bundle_deleted_under_a_running_training_does_not_stop_it(caplog):
    import shutil

    with recorded() as run:
        shutil.rmtree(run.folder)
        run.metric("loss", 1.0)
        run.text("a.txt", "a")
    assert "the work goes on" in caplog.text


def test_an_artifact_that_does_not_exist_is_a_mistake_of_the_caller():
    with pytest.raises(FileNotFoundError, match=r"missing\.png"), recorded() as run:
        run.artifact(Path("missing.png"))


def test_a_folder_is_kept_with_all_it_holds():
    Path("plots/deep").mkdir(parents=True)
    Path("plots/deep/a.txt").write_text("a")
    with recorded() as run:
        run.artifact(Path("plots"))
        run.artifact(Path("plots"))  # twice is not an error
    assert (run.folder / "artifacts" / "plots" / "deep" / "a.txt").read_text() == "a"


def test_a_model_is_named_relative_to_the_repository():
    with recorded(kind="export") as run:
        files = Path.cwd() / "build" / "cherry" / "export"
        run.model("cherry-classifier", files, tags={"precision": "fp32"}, aliases=["candidate"])
    assert read_bundle(run.folder).model() == {
        "name": "cherry-classifier",
        "files": "build/cherry/export",
        "tags": {"precision": "fp32"},
        "aliases": ["candidate"],
    }


def test_an_uncommitted_edit_is_kept_with_the_run(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    Path("code.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", "code.py")
    git("commit", "-qm", "first")
    Path("code.py").write_text("x = 2\n")
    with recorded() as run:
        pass
    bundle = read_bundle(run.folder)
    assert bundle.environment["git"]["dirty"] is True
    assert "+x = 2" in (bundle.artifacts / "uncommitted.diff").read_text()


def test_a_killed_process_leaves_a_readable_run_that_is_not_alive(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from assay.tracking import record\n"
        "with record(Path('bundle'), kind='train', project='cherry', name='x') as run:\n"
        "    run.metric('loss', 1.0)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    source = str(Path(sys.modules["assay"].__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, check=False)
    assert done.returncode == -9
    bundle = read_bundle(Path("bundle"))
    assert (bundle.status, bundle.alive, len(bundle.points())) == ("running", False, 1)


def test_bundles_are_found_once_oldest_first_and_damaged_ones_are_named():
    with recorded("build/b") as older:
        older.text("run.json", "an artifact of that name is no bundle")
    with recorded("build/a") as newer:
        pass
    Path("runs").mkdir()
    (Path("runs") / "copy").symlink_to(Path("build/a").resolve())
    damaged = Path("build/c")
    damaged.mkdir()
    (damaged / "run.json").write_text('{"id": ')
    strange = Path("build/d")
    strange.mkdir()
    (strange / "run.json").write_text("[1]")
    bundles, problems = find_bundles([Path("build"), Path("build"), Path("runs"), Path("missing")])
    assert [bundle.id for bundle in bundles] == [older.id, newer.id]
    assert [problem.split(" is not ")[0] for problem in problems] == ["build/c/run.json", "build/d/run.json"]


def test_of_two_copies_the_one_that_ended_later_counts():
    import shutil

    with recorded("build/a") as first:
        pass
    shutil.copytree("build/a", "build/copy")
    with recorded("build/a", run_id=first.id, name="continued"):
        pass
    [bundle], _ = find_bundles([Path("build")])
    assert bundle.name == "continued"


def test_a_folder_without_a_run_is_one_line():
    with pytest.raises(UserError, match=r"nowhere/run\.json is not a readable run record"):
        read_bundle(Path("nowhere"))


def test_nothing_heavy_is_imported_to_record():
    code = (
        "import sys, assay.tracking, assay.registry\n"
        "heavy = {'mlflow', 'torch', 'pandas', 'numpy', 'sqlalchemy', 'filelock'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    source = str(Path(sys.modules["assay"].__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
