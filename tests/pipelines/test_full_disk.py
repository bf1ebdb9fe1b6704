"""A full disk, as a small file system in a folder's place: one line, nothing lost, and with space the same result."""

import pytest

pytestmark = pytest.mark.slow


def stage(name):
    return ("python", "-m", f"pipelines.{name}", "project=cherry")


def used(folder):
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*"))


def test_prepare_on_a_full_disk(unbuilt, finished, small_disk):
    remount = small_disk(unbuilt.root / "build", size="40k")
    line = unbuilt.refused(*stage("prepare"))
    assert (
        "the disk is full; free some space, then run the same command again" in line
        and "build/cherry/" in line
    )
    assert not (unbuilt.build / "dataset").exists()
    remount("size=50m")
    unbuilt.run(*stage("prepare"))
    assert unbuilt.contents("dataset") == finished.contents("dataset")
    assert not list(unbuilt.build.glob(".*"))


@pytest.mark.parametrize("free", [0, 1_000_000], ids=["no room at all", "room for the record"])
def test_the_result_of_a_training_does_not_fit(repository, finished, small_disk, free):
    build = repository.root / "build"
    before = repository.contents("model")
    remount = small_disk(build, size=used(build) + free)
    line = repository.refused(*stage("train"))
    assert "the disk is full" in line and "build/cherry/" in line
    assert repository.contents("model") == before  # the former result stays
    remount("size=200m")
    out = repository.run(*stage("train"))
    if free:
        assert f"resumed after epoch {repository.epochs}" in out  # no epoch was lost
    assert repository.contents("model") == finished.contents("model")
    assert repository.read("runs/train/run.json")["status"] == "finished"
    assert not list(repository.build.glob(".*"))


def test_a_checkpoint_that_does_not_fit_costs_no_training(repository, finished, small_disk):
    small_disk(repository.root / "runs", size="100k")
    out = repository.run(*stage("train"))
    assert out.count("training goes on") == 1
    assert repository.contents("model") == finished.contents("model")
