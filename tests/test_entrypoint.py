import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assay.entrypoint import mistakes_in_one_line, run_stage
from assay.errors import UserError

STAGES = ("prepare", "baseline", "mine", "review", "train", "evaluate", "export")


@pytest.fixture
def ends(capsys):
    """Raise `error` inside an entrypoint; the exit status and the one line."""

    def ends(error):
        with pytest.raises(SystemExit) as caught, mistakes_in_one_line():
            raise error
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and err.startswith("assay: ")
        return caught.value.code, err

    return ends


def test_a_users_mistake_is_one_line_and_status_2(ends):
    assert ends(UserError("a.yaml: epochs:\n  expected 1 or more")) == (
        2,
        "assay: a.yaml: epochs: expected 1 or more\n",
    )


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "no permission"),
    ],
)
def test_what_a_disk_refuses_names_the_file_and_the_way_out(ends, number, words):
    status, line = ends(OSError(number, "x", "build/cherry/model"))
    assert (
        status == 2
        and "build/cherry/model: " in line
        and words in line
        and "run the same command again" in line
    )
    assert "working folder: " in ends(OSError(number, "x"))[1]


def test_ctrl_c_is_one_line_and_status_130(ends):
    assert ends(KeyboardInterrupt())[0] == 130


@pytest.mark.parametrize(
    "error", [ValueError("a fault of ours"), OSError(errno.EIO, "x"), FileNotFoundError("y")]
)
def test_a_fault_of_the_program_keeps_its_traceback(error):
    with pytest.raises(type(error)), mistakes_in_one_line():
        raise error


@pytest.fixture
def run(monkeypatch, capsys):
    """Call an entrypoint as `python -m` would, with a stage that does nothing."""

    def run(*arguments, stage=lambda cfg: None):
        monkeypatch.setattr(sys, "argv", ["stage", *arguments])
        status = 0
        try:
            run_stage(stage, "What it does.")
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["project=cherry", "-h"]])
def test_help_says_what_can_be_chosen(run, arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    for part in ("What it does.", "usage: ", "demo", "resnet18_reviewed", "workzone: "):
        assert part in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["cherry"], "expected key=value"),
        (["project=chery"], "did you mean 'cherry'"),
        (["project=cherry", "train.epohs=2"], "did you mean 'epochs'"),
        (["resolved/none.yaml"], "no such file"),
        (["resolved/cherry.yaml", "train.epochs=2"], "drop train.epochs=2"),
        (["project=workzone", "experiment=temporal"], "`make sweep EXP=temporal`"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_starts_nothing(run, arguments, message):
    def stage(cfg):
        raise AssertionError("started")

    status, out, err = run(*arguments, stage=stage)
    assert (status, out, err.count("\n")) == (2, "", 1) and message in err


def test_the_stage_gets_the_configuration_that_was_named(run):
    seen = []
    assert run("project=cherry", "profile=smoke", "train.epochs=5", stage=seen.append)[0] == 0
    assert (seen[0].project.name, seen[0].profile.name, seen[0].train.epochs) == ("cherry", "smoke", 5)


INTERRUPTED = """
import sys, time
from assay.entrypoint import run_stage
sys.argv = ["stage", "project=cherry"]
def stage(cfg):
    print("started", flush=True)
    time.sleep(60)
run_stage(stage, "")
"""


def test_a_stage_that_is_interrupted_ends_in_one_line():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "assay: interrupted; run the same command again to go on\n"


HEAVY = ("torch", "mlflow", "pandas", "timm", "sklearn", "matplotlib", "PIL", "cv2", "numpy")


@pytest.mark.parametrize("stage", STAGES)
def test_help_and_mistakes_need_no_heavy_import(stage):
    code = (
        "import runpy, sys\n"
        "sys.argv = ['x', '--help']\n"
        f"runpy.run_module('pipelines.{stage}', run_name='__main__')\n"
        "sys.argv = ['x', 'project=nowhere']\n"
        f"try: runpy.run_module('pipelines.{stage}', run_name='__main__')\n"
        "except SystemExit as stop: assert stop.code == 2\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert f"usage: python -m pipelines.{stage} " in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"
