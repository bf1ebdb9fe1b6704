"""A small copy of the repository in which the real commands run: tiny networks, 200 crops, the smoke profile.

Everything else is as committed (and as edited since): the graph, its stages, DVC, the registry, the launcher.
"""

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml

from assay.sample import cherry, make_sample

ROOT = Path(__file__).parents[2]
SMALL = {"train": 80, "val": 50, "pool": 20}  # different cherries; copies and damaged files come on top
EPOCHS = 8
CHOSEN = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))["projects"]["cherry"]["experiment"]
TINY = "test_resnet.r160_in1k"  # 0.4 million parameters: 1.5 MB, a second to train
OTHERS = ("workzone", "infrastructure", "conditions", "documents")  # their stages have tests of their own
SHRUNK = (CHOSEN, "production_baseline", "EXP-002A", "EXP-002B")


class Repository:
    """A copy of the repository and the commands a person would type there."""

    chosen, epochs, network = CHOSEN, EPOCHS, TINY

    def __init__(self, root):
        self.root = root
        self.build = root / "build/cherry"

    def _environment(self, more):
        foreign = ("ASSAY_", "GIT_", "DVC_", "PYTEST_", "MLFLOW_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode beside the sources must not look like an edit
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
            "PYTHONPATH": str(self.root / "src"),  # before the sources that the environment was made from
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "dvc-site"),
            "DVC_NO_ANALYTICS": "1",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "COLUMNS": "200",
            **more,
        }

    def run(self, *command, status=0, **environment):
        """Run a command to its end; what it printed. Fails unless it ends with `status`."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self._environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def refused(self, *command):
        """Run a command that a person got wrong, or that the machine refuses; its one line."""
        out = self.run(*command, status=2)
        lines = [line for line in out.splitlines() if line.startswith("assay: ")]
        assert len(lines) == 1 and "Traceback" not in out, out
        return lines[0]

    @contextmanager
    def started(self, *command, **environment):
        """Start a command in a process group of its own: the process and the file it prints to."""
        log = self.root.parent / f"{self.root.name}.log"
        with (
            log.open("w") as stream,
            subprocess.Popen(
                command,
                cwd=self.root,
                env=self._environment(environment),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process, log
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def kill(self, *command, when):
        """Start a command, and kill -9 it with all its children as soon as `when()` says so."""
        with self.started(*command) as (process, log):
            self.wait(when, process, log)
            os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, log.read_text()

    @staticmethod
    def wait(condition, process, log):
        """Wait until `condition()` holds; fails when the process ends before."""
        while not condition():
            assert process.poll() is None, f"ended with {process.returncode} too early:\n{log.read_text()}"
            time.sleep(0.002)

    def edit(self, path, *replacements):
        """Replace text in a file, as a person with an editor."""
        path = self.root / path
        text = path.read_text("utf-8")
        for pattern, new in replacements:
            text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
            assert count == 1, f"{path}: {pattern} found {count} times"
        path.write_text(text, "utf-8")

    def read(self, path):
        """A JSON or YAML file, or the rows of a CSV file, of build/cherry."""
        path = self.build / path
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as stream:
                return list(csv.DictReader(stream))
        return (json.loads if path.suffix == ".json" else yaml.safe_load)(path.read_text("utf-8"))

    def contents(self, path):
        """{relative path: bytes} of every file below a folder of build/cherry."""
        files = (file for file in (self.build / path).rglob("*") if file.is_file())
        return {file.relative_to(self.build / path).as_posix(): file.read_bytes() for file in files}

    @staticmethod
    def stages(output):
        """The stages that DVC ran, in their order."""
        return re.findall(r"^Running stage '(?:sweeps/dvc\.yaml:)?([^']+)'", output, flags=re.MULTILINE)

    def store(self):
        """What MLflow's database holds: {run: its rows}, {model version: its row}, each ready to compare."""
        with closing(sqlite3.connect(self.root / "mlruns/mlflow.db")) as connection:
            runs = {}
            for run, name, status in connection.execute("select run_uuid, name, status from runs"):
                where = f"where run_uuid = '{run}'"
                runs[run] = {
                    "name": name,
                    "status": status,
                    "tags": dict(connection.execute(f"select key, value from tags {where}")),
                    "params": dict(connection.execute(f"select key, value from params {where}")),
                    "metrics": sorted(connection.execute(f"select key, value, step from metrics {where}")),
                }
            versions = connection.execute("select name, version, run_id from model_versions").fetchall()
            aliases = connection.execute(
                "select name, alias, version from registered_model_aliases"
            ).fetchall()
        return {"runs": runs, "versions": sorted(versions), "aliases": sorted(aliases)}

    def copy(self, root):
        """A copy of the whole folder."""
        shutil.copytree(self.root, root, symlinks=True)
        return Repository(root)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The files that git knows or would add, committed in a repository of their own, with small data."""
    copy = Repository(tmp_path_factory.mktemp("graph") / "template")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (copy.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy.root / name)
    for lock in ("dvc.lock", "sweeps/dvc.lock"):  # of runs with other data
        (copy.root / lock).unlink(missing_ok=True)
    copy.edit("params.yaml", ("^profile: .*", "profile: smoke"))
    copy.edit("params.yaml", *((rf"^  {other}: \{{experiment.*\n", "") for other in OTHERS))
    copy.edit("conf/profile/smoke.yaml", (r"^(  classification: \{train\.epochs: )\d+", rf"\g<1>{EPOCHS}"))
    for experiment in SHRUNK:
        copy.edit(
            f"conf/experiment/cherry/{experiment}.yaml", ("^  architecture: .*", f"  architecture: {TINY}")
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cherry, "DISTINCT", SMALL)
        make_sample("cherry", copy.root / "data")
    copy.run("git", "init", "--quiet")
    copy.run("git", "add", "--all")
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    copy.run("git", *name, "commit", "--quiet", "--message", "A small copy")
    return copy


@pytest.fixture(scope="session")
def finished(template, tmp_path_factory):
    """A repository after `dvc repro` and `assay registry sync`; tests copy it and never change it."""
    done = template.copy(tmp_path_factory.mktemp("finished") / "repository")
    done.output = done.run("dvc", "repro")
    done.synced = done.run("assay", "registry", "sync")
    return done


@pytest.fixture
def repository(finished, tmp_path):
    """A finished repository of the test's own, in a folder with a space in its name."""
    return finished.copy(tmp_path / "a repository")


@pytest.fixture
def unbuilt(template, tmp_path):
    """A repository of the test's own in which nothing has run."""
    return template.copy(tmp_path / "a repository")


@pytest.fixture
def small_disk(tmp_path):
    """Put a file system of `size` in a folder's place, with the folder's files; skips where that is not allowed."""
    mounted = []

    def mount(folder, *, size, options=""):
        folder.mkdir(parents=True, exist_ok=True)
        aside = tmp_path / "aside"
        shutil.copytree(folder, aside)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system takes the superuser's rights")
        mounted.append(folder)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)

        def remount(options):
            subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

        return remount

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
