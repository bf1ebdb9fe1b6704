"""The same examples in every run, no time limit on one of them, and nobody's MLflow server."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("assay", deadline=None, derandomize=True)
settings.load_profile("assay")


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(autouse=True)
def denormals_as_they_were():
    """Opening an export or starting a training flushes denormals on this thread, for good; the next test wants them."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


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
