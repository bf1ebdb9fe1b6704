"""The same examples in every run, no time limit on one of them, nobody's MLflow server, and a process's own cores."""

import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("assay", deadline=None, derandomize=True)
settings.load_profile("assay")


def pytest_configure():
    """Deal the cores among pytest-xdist's processes: libraries take all there are, and waiting threads spin."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")[len("gw") :]
    if worker and hasattr(os, "sched_setaffinity"):
        cores, of = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        os.sched_setaffinity(0, cores[int(worker) % len(cores) :: of])


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(autouse=True)
def denormals_as_they_were():
    """Opening an export or starting a training flushes denormals on this thread, for good; the next test wants them."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def main_as_it_was(monkeypatch):
    """Streamlit's AppTest leaves its page as __main__, which every process that is spawned later would run first."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def assay(monkeypatch, capsys):
    """Call the console script; its exit status, what it printed and what it complained about."""

    from assay import cli

    def assay(*arguments):
        monkeypatch.setattr(sys, "argv", ["assay", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capsys.readouterr()

    return assay
