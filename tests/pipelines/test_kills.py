"""kill -9 of a running stage, DVC and all, and the same command again: the result is that of one never killed."""

import pytest

pytestmark = pytest.mark.slow


def again(stage):
    return ["dvc", "repro", "--force", "--single-item", f"{stage}@cherry"]


def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(repository, finished):
    checkpoint = repository.root / "runs/training/cherry/train/checkpoint.pt"
    assert not checkpoint.exists()
    repository.kill(*again("train"), when=checkpoint.exists)  # written right after the first epoch's line
    assert checkpoint.exists() and not (repository.build / "model").exists()
    assert repository.read("runs/train/run.json")["status"] == "running"  # nobody could say more
    out = repository.run(*again("train"))
    assert "resumed after epoch" in out and f"epoch {repository.epochs}/{repository.epochs}" in out
    assert "epoch 1/" not in out
    for name in ("model.safetensors", "model.json", "history.csv"):
        assert repository.contents("model")[name] == finished.contents("model")[name], name
    assert not checkpoint.exists() and not list(repository.build.glob(".*.partial"))
    points = (repository.build / "runs/train/metrics.jsonl").read_text().splitlines()
    assert sum('"val/accuracy"' in line for line in points) == repository.epochs
    assert repository.stages(repository.run("dvc", "repro")) == []  # nothing downstream has to run again


@pytest.mark.parametrize("moment", ["record", "half written"])
def test_a_killed_mining_leaves_no_half_and_ends_in_the_same_candidates(repository, finished, moment):
    def when():
        if moment == "record":
            return (repository.build / "runs/mine/run.json").exists()
        return any(any(folder.iterdir()) for folder in repository.build.glob(".candidates.*.partial"))

    # DVC removes a stage's outputs before it runs, so what is there is of the killed run
    repository.kill(*again("mine"), when=lambda: not (repository.build / "candidates").exists() and when())
    assert not (repository.build / "candidates").exists()
    repository.run(*again("mine"))
    assert repository.contents("candidates") == finished.contents("candidates")
    assert not list(repository.build.glob(".*.partial"))
    assert repository.read("runs/mine/run.json")["status"] == "finished"
