import logging
import pickle
import resource
import signal
import subprocess
import sys

import pytest
import torch

from assay.training.checkpoint import Checkpoint, fingerprint
from assay.training.classification import train_classifier


def interrupt_after(epoch):
    def log(name, value, step):
        if (name, step) == ("val/accuracy", epoch):
            raise KeyboardInterrupt

    return log


def same(first, second):
    states = first.module.state_dict(), second.module.state_dict()
    return first.history == second.history and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "enhanced", "schedule": "cosine", "optimizer": "adamw"},
        {"freeze": "backbone", "lr": 1e-2},  # cached features
        {"optimizer": "sgd", "freeze": ["conv1"], "group_lrs": {"fc": 1e-2}, "patience": 2},
    ],
)
def test_an_interrupted_training_ends_in_the_same_weights(settings, changes):
    arguments = settings | changes | {"epochs": 4}
    whole = train_classifier(**arguments)
    settings["checkpoint"].unlink()
    with pytest.raises(KeyboardInterrupt):
        train_classifier(**arguments | {"log": interrupt_after(3)})
    steps = []
    resumed = train_classifier(**arguments | {"log": lambda name, value, step: steps.append((name, step))})
    assert same(whole, resumed)
    assert [step for name, step in steps if name == "val/accuracy"] == [row["epoch"] for row in whole.history]
    trained = [step for name, step in steps if name == "train/images_per_second"]
    assert trained == [row["epoch"] for row in whole.history][2:]  # the first two came from the checkpoint


def test_a_finished_training_is_read_back_without_an_epoch(settings):
    whole = train_classifier(**settings)
    assert same(whole, train_classifier(**settings | {"log": interrupt_after(99)}))


@pytest.mark.parametrize("change", ["lr", "data", "weights"])
def test_another_runs_checkpoint_is_replaced(settings, caplog, change):
    train_classifier(**settings)
    before = settings["checkpoint"].read_bytes()
    changed = {
        "lr": {"lr": 2e-3},
        "data": {"train_images": settings["train_images"][::-1].copy()},
        "weights": {"seed": 7},
    }[change]
    fresh = train_classifier(
        **settings | changed | {"checkpoint": settings["checkpoint"].with_name("fresh.pt")}
    )
    with caplog.at_level(logging.WARNING):
        assert same(fresh, train_classifier(**settings | changed))
    assert "of other settings or data" in caplog.text
    assert settings["checkpoint"].read_bytes() != before


def test_a_damaged_checkpoint_starts_anew(settings, caplog):
    whole = train_classifier(**settings)
    content = settings["checkpoint"].read_bytes()
    for damaged in (b"", content[: len(content) // 2], pickle.dumps(print)):
        settings["checkpoint"].write_bytes(damaged)
        assert same(whole, train_classifier(**settings))
    assert caplog.text.count("training starts anew") == 3


def test_a_full_disk_costs_the_checkpoint_not_the_training(settings, caplog):
    whole = train_classifier(**settings)
    settings["checkpoint"].unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # real write errors, as on a full disk
    try:
        assert same(whole, train_classifier(**settings))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caplog.text.count("training goes on") == 1
    assert list(settings["checkpoint"].parent.iterdir()) == []  # no partial file stays


def test_a_fingerprint_sees_settings_data_and_weights():
    data, state = [torch.zeros(4).numpy()], {"a": torch.zeros(2)}
    first = fingerprint({"lr": 1.0, "seed": 2}, data, state)
    assert fingerprint({"seed": 2, "lr": 1.0}, data, state) == first
    assert fingerprint({"lr": 1.0, "seed": 3}, data, state) != first
    assert fingerprint({"lr": 1.0, "seed": 2}, [data[0] + 1], state) != first
    assert fingerprint({"lr": 1.0, "seed": 2}, [data[0].reshape(2, 2)], state) != first
    assert fingerprint({"lr": 1.0, "seed": 2}, data, {"a": torch.ones(2)}) != first


def test_what_a_kill_left_of_a_write_is_cleared_away(tmp_path):
    (tmp_path / ".c.pt.abc.pt").write_bytes(b"half")
    (tmp_path / ".d.pt.abc.pt").write_bytes(b"another run's")
    assert Checkpoint(tmp_path / "c.pt", "x").read() is None
    assert [path.name for path in tmp_path.iterdir()] == [".d.pt.abc.pt"]


def test_an_absent_checkpoint_reads_as_none(tmp_path):
    assert Checkpoint(tmp_path / "none.pt", "x").read() is None


TRAINING = """
import os, pickle, signal, sys
from pathlib import Path
from assay.training.precision import start_torch
start_torch(0, threads=1)
from assay.training.classification import train_classifier
arguments = pickle.loads(Path(sys.argv[1]).read_bytes())
kill_at = sys.argv[3]  # "<metric>@<epoch>" or "-"
def log(name, value, step):
    if f"{name}@{step}" == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
trained = train_classifier(**arguments, log=log)
from assay.models.classifier import save_classifier
save_classifier(Path(sys.argv[2]), trained.module, trained.info, as_published=trained.as_published)
"""


@pytest.mark.slow  # three processes that import torch and timm
def test_sigkill_and_the_same_command_end_in_the_same_bytes(settings, tmp_path):
    del settings["log"]
    arguments = settings | {"augmentation": "geometric", "epochs": 4, "schedule": "cosine"}

    def train(folder, kill_at):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "arguments").write_bytes(
            pickle.dumps(arguments | {"checkpoint": tmp_path / folder / "c.pt"})
        )
        command = [sys.executable, "-c", TRAINING, tmp_path / "arguments", tmp_path / folder, kill_at]
        return subprocess.run(command, check=False).returncode

    assert train("whole", "-") == 0
    assert train("killed", "val/loss@1") == -signal.SIGKILL  # before the first checkpoint
    assert train("killed", "val/loss@3") == -signal.SIGKILL  # after the second
    assert (tmp_path / "killed/c.pt").exists()
    assert train("killed", "-") == 0
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
