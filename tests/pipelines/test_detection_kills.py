"""kill -9 of a detection or condition stage, and the same command again: the bytes are those of one never killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.config import compose
from pipelines.condition import baseline as condition_baseline
from pipelines.condition import mine as condition_mine
from pipelines.condition import prepare as condition_prepare
from pipelines.condition import review as condition_review
from pipelines.detection import baseline, prepare, review
from pipelines.detection import mine as mining
from tests.pipelines.condition.test_stages import draw
from tests.pipelines.detection_data import make, overrides

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONGER = ["train.epochs=3", "train.max_images=8", "train.batch=4"]
CONDITIONS = [
    "project=conditions",
    "experiment=clip_b32_reviewed",
    "profile=smoke",
    "seed=0",
    "train.epochs=6",
]


class Stages:
    """Runs stages of one project as processes in a folder of its own."""

    def __init__(self, folder, arguments):
        self.folder, self.arguments = folder, arguments

    def command(self, stage):
        """What a person types, and how it is started."""
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            "OMP_NUM_THREADS": "1",
            "SOURCE_DATE_EPOCH": "1700000000",  # when a mining began is in its candidates
        }
        return [sys.executable, "-m", f"pipelines.{stage}", *self.arguments], environment

    def run(self, stage):
        """Run a stage to its end; what it printed."""
        command, environment = self.command(stage)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def kill(self, stage, when):
        """Start a stage, and kill -9 it with its children as soon as `when()` says so."""
        command, environment = self.command(stage)
        with (
            (self.folder / "log").open("w") as log,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            while not when():
                assert process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.001)
            os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL

    def contents(self, path):
        """{relative path: bytes} below a folder of the build; of model.json all but where it was resumed."""
        (build,) = (self.folder / "build").iterdir()
        files = {}
        for file in sorted(found for found in (build / path).rglob("*") if found.is_file()):
            content = file.read_bytes()
            if file.name == "model.json":
                content = {key: value for key, value in json.loads(content).items() if key != "resumed_after"}
            files[file.relative_to(build / path).as_posix()] = content
        return files

    def copy(self, folder):
        """The same state in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Stages(folder, self.arguments)


def prepared(folder, arguments, *stages):
    """A folder with drawn data in which `stages` have run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in stages:
            stage.main(compose(arguments))
    return Stages(folder, arguments)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos of infrastructure, ready for mining and training."""
    folder = tmp_path_factory.mktemp("photos") / "work"
    make("infrastructure", folder)
    return prepared(folder, overrides("infrastructure", *LONGER), prepare, baseline, mining, review)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of work zones, ready for mining."""
    folder = tmp_path_factory.mktemp("clips") / "work"
    make("workzone", folder)
    return prepared(folder, overrides("workzone"), prepare, baseline)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """Boxes of infrastructure whose conditions were reviewed, ready for training."""
    folder = tmp_path_factory.mktemp("boxes") / "work"
    draw(folder / "data/infrastructure")
    stages = (condition_prepare, condition_baseline, condition_mine, condition_review)
    return prepared(folder, CONDITIONS, *stages)


def test_a_killed_training_of_a_detector_goes_on(photos, tmp_path):
    through, killed = photos.copy(tmp_path / "through"), photos.copy(tmp_path / "killed")
    through.run("train")
    checkpoint = killed.folder / "runs/training/infrastructure/train/checkpoint.pt"
    killed.kill("train", checkpoint.exists)  # written after the first of three epochs
    assert checkpoint.exists() and not (killed.folder / "build/infrastructure/model").exists()
    said = killed.run("train")
    assert "training went on after epoch" in said and "epoch 1 of 3" not in said
    whole = through.contents("model")
    assert {"model.safetensors", "model.json", "history.csv"} <= set(whole)
    assert killed.contents("model") == whole
    model = json.loads((killed.folder / "build/infrastructure/model/model.json").read_text())
    assert model["resumed_after"] in (1, 2)
    assert not (killed.folder / "runs/training/infrastructure/train").exists()


def test_a_killed_mining_of_clips_goes_on_after_the_last_finished_clip(clips, tmp_path):
    through, killed = clips.copy(tmp_path / "through"), clips.copy(tmp_path / "killed")
    through.run("mine")
    work = killed.folder / "runs/mining/workzone"

    def finished():
        return [path for path in work.glob("[!.]*") if path.is_dir()]

    killed.kill("mine", finished)
    assert not (killed.folder / "build/workzone/candidates").exists()
    first = {path: path.stat().st_ino for path in finished()}
    killed.run("mine")
    assert {path: path.stat().st_ino for path in first} == first  # found, not made again
    whole = through.contents("candidates")
    assert sum(name.endswith(".jpg") for name in whole) > 2 and "candidates.parquet" in whole
    assert killed.contents("candidates") == whole
    assert not list(work.glob(".*.partial"))


def test_a_killed_mining_of_images_leaves_no_half(photos, tmp_path):
    killed = photos.copy(tmp_path / "killed")
    build = killed.folder / "build/infrastructure"
    shutil.rmtree(build / "candidates")
    killed.kill("mine", lambda: any(build.glob(".candidates.*.partial")))
    assert not (build / "candidates").exists()
    killed.run("mine")
    assert killed.contents("candidates") == photos.contents("candidates")
    assert not list(build.glob(".*.partial"))


@pytest.mark.parametrize("moment", ["record", "half written"])
def test_a_killed_training_of_conditions_ends_in_the_same_bytes(boxes, tmp_path, moment):
    through, killed = boxes.copy(tmp_path / "through"), boxes.copy(tmp_path / "killed")
    build = killed.folder / "build/conditions"
    through.run("train")
    when = {
        "record": (build / "runs/train/run.json").exists,
        "half written": lambda: any(build.glob(".model.*.partial")),
    }
    killed.kill("train", when[moment])
    assert not (build / "model").exists()
    killed.run("train")
    whole = through.contents("model")
    assert {"model.safetensors", "model.json"} <= set(whole) and killed.contents("model") == whole
    assert not list(build.glob(".*.partial"))
