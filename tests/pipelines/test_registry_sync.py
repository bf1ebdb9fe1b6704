"""`assay registry sync` after real stages: twice, without its store, moved, and after DVC restored the outputs."""

import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

PREDICT = """
import sys
import pandas as pd
from assay.registry import connect
connect()
import mlflow
model = mlflow.pyfunc.load_model("models:/cherry-classifier@candidate")
images = pd.read_csv(sys.argv[1])["image"]
model.predict([f"data/cherry/{image}" for image in images]).assign(image=images).to_csv(sys.argv[2], index=False)
"""


def predicts_as_evaluated(repository):
    """Whether the model under its alias answers as the evaluation of the trained network did."""
    stored = pd.read_parquet(repository.build / "evaluation/predictions.parquet")
    expected = stored[stored["model"] == "model"].head(12).set_index("image")
    images, answers = repository.root / "images.csv", repository.root / "answers.csv"
    expected.reset_index()[["image"]].to_csv(images, index=False)
    repository.run("python", "-c", PREDICT, str(images), str(answers))
    answer = pd.read_csv(answers).set_index("image")
    for name in ("cherry_clean", "cherry_pit"):
        difference = (answer[name] - expected[f"p_{name}"]).abs().max()
        assert difference < 1e-4, f"{name} differs by {difference}"
    return len(answer) == 12


def same_but_for_ids(store):
    """The store without the ids that MLflow makes up."""
    runs = sorted(
        (run["name"], run["status"], sorted(run["params"].items()), run["metrics"])
        for run in store["runs"].values()
    )
    return runs, [version[:2] for version in store["versions"]], store["aliases"]


def test_every_run_and_the_model_arrive_once(repository, finished):
    before = repository.store()
    assert "5 runs new, 2 completed" in finished.synced
    assert sorted(run["tags"]["stage"] for run in before["runs"].values()) == [
        *(
            "baseline",
            "mine",
            "prepare",
            "review",
            "train",
        )  # evaluation and export are shown in the training's run
    ]
    (model,) = [run for run in before["runs"].values() if run["tags"]["stage"] == "train"]
    assert {"accuracy", "val/accuracy", "export/onnx/accuracy_drop"} <= {
        name for name, *_ in model["metrics"]
    }
    assert (len(before["versions"]), before["aliases"]) == (1, [("cherry-classifier", "candidate", 1)])
    out = repository.run("assay", "registry", "sync")
    assert "0 runs new, 0 completed, 7 were there; model versions: none new" in out
    assert repository.store() == before
    status = repository.run("assay", "status")
    assert "cherry-classifier v1" in status and repository.chosen in status


def test_the_registered_model_predicts_moves_and_survives_the_loss_of_the_store(repository):
    before = repository.store()
    assert predicts_as_evaluated(repository)
    shutil.rmtree(repository.root / "mlruns")
    repository.run("assay", "registry", "sync")
    assert same_but_for_ids(repository.store()) == same_but_for_ids(before)
    moved = type(repository)(repository.root.rename(repository.root.with_name("elsewhere")))
    assert predicts_as_evaluated(moved)


@pytest.mark.parametrize("restore", ["checkout", "run cache"])
def test_outputs_restored_from_the_cache_bring_their_runs_back(repository, restore):
    before = repository.store()
    shutil.rmtree(repository.root / "build")
    shutil.rmtree(repository.root / "mlruns")
    if restore == "checkout":
        repository.run("dvc", "checkout", "--force", "dvc.yaml")
    else:
        (repository.root / "dvc.lock").unlink()
        assert repository.stages(repository.run("dvc", "repro")) in (
            [],
            ["configure@cherry"],
        )  # nothing is trained
    repository.run("assay", "registry", "sync")
    assert same_but_for_ids(repository.store()) == same_but_for_ids(before)


def test_a_read_only_store_is_one_line_and_costs_nothing(repository, small_disk):
    shutil.rmtree(repository.root / "mlruns")
    remount = small_disk(repository.root / "mlruns", size="100m")
    remount("ro")
    line = repository.refused("assay", "registry", "sync")
    assert "mlruns cannot be used" in line and "runs are safe in build/" in line
    remount("rw")
    assert "5 runs new" in repository.run("assay", "registry", "sync")


def test_a_file_in_the_stores_place_is_one_line(repository):
    shutil.rmtree(repository.root / "mlruns")
    (repository.root / "mlruns").write_text("a file")
    assert "runs are safe in build/" in repository.refused("assay", "registry", "sync")
