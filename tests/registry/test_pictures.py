"""Confusion matrices of runs: images that MLflow's chart view shows side by side."""

from pathlib import Path

import pytest
from PIL import Image

from assay import registry
from assay.registry import runs
from assay.tracking import record


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A run of a classifier's evaluation and one of a detector's training, brought into a store."""
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), "red").save(picture)
    for name, file in (("classifier", "confusion.png"), ("detector", "val_confusion.png")):
        picture.rename(picture := picture.with_name(file))
        with record(Path("build", name), kind="job", project="cherry", name=name) as run:
            run.artifact(picture, "evaluation")
            run.text("evaluation/worst.png", "another picture, not an image for the chart view")
    registry.sync([Path("build")])
    return MlflowClient(registry.connect())


def images_of(client):
    """{run name: file names below images/}, and whether the runs say that they have some."""
    (project,) = (one for one in client.search_experiments() if one.name == "cherry")
    found = client.search_runs([project.experiment_id])
    assert all(run.data.tags["mlflow.loggedImages"] == "True" for run in found)
    return {
        run.info.run_name: [Path(one.path).name for one in client.list_artifacts(run.info.run_id, "images")]
        for run in found
    }


def test_a_confusion_matrix_is_an_image_of_its_run_and_stays_a_file(client):
    found = images_of(client)
    assert {name: sorted(Path(file).suffix for file in files) for name, files in found.items()} == {
        "classifier": [".png", ".webp"],
        "detector": [".png", ".webp"],
    }
    assert all(file.startswith("confusion+step+0+") for file in found["classifier"])
    assert all(file.startswith("val confusion+step+0+") for file in found["detector"])
    assert len(list(Path("mlruns/artifacts").rglob("evaluation/*confusion.png"))) == 2


def test_a_sync_that_is_done_again_adds_no_second_image(client, monkeypatch):
    before = images_of(client)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "_mark", lambda bundle: f"{bundle.id}@again")
        registry.sync([Path("build")])
    assert images_of(client) == before
