"""The whole graph with the real `dvc repro`: what it leaves, and what an edit runs again."""

import json

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

STAGES = ("configure", "prepare", "baseline", "mine", "review", "train", "evaluate", "export")

OUTPUTS = {
    "dataset": {"manifest.parquet", "quarantine.csv", "report.json", "report.html", "SOURCE.yaml"},
    "baseline": {"model.safetensors", "model.json", "history.csv"},
    "candidates": {"candidates.parquet", "candidates.csv", "index.html"},
    "hard_examples": {"examples.csv", "report.json"},
    "model": {"model.safetensors", "model.json", "history.csv"},
    "evaluation": {
        *(
            "predictions.parquet",
            "predictions_select.parquet",
            "metrics.json",
            "comparison.json",
            "report.html",
        ),
        *("confusion.png", "history.png", "reliability.png", "worst_mistakes.png", "occlusion.png"),
    },
    "export": {"model.onnx", "openvino/model.xml", "openvino/model.bin", "metadata.json", "parity.json"},
}


def named(*stages):
    return [f"{stage}@cherry" for stage in stages]


def test_every_stage_leaves_what_it_promises(finished):
    assert finished.stages(finished.output) == named(*STAGES)
    for folder, files in OUTPUTS.items():
        found = finished.contents(folder)
        assert files <= set(found) and all(found.values()), folder
    for stage in STAGES[1:]:
        run = finished.read(f"runs/{stage}/run.json")
        assert (run["status"], run["data"]["source"], run["tags"]["profile"]) == (
            "finished",
            "sample",
            "smoke",
        )
    leftovers = [path for path in finished.build.rglob(".*") if path.name != ".gitignore"]
    assert leftovers == []


def test_what_the_stages_say_of_one_another_fits(finished):
    manifest = pd.read_parquet(finished.build / "dataset/manifest.parquet")
    candidates = pd.read_parquet(finished.build / "candidates/candidates.parquet")
    assert len(candidates) > 5 and not set(candidates["image"]) & set(
        manifest[manifest["split"] == "val"]["image"]
    )
    examples = finished.read("hard_examples/examples.csv")
    assert {row["kind"] for row in examples} == {"sample-truth"}
    assert finished.read("hard_examples/report.json")["reviewed_by_human"] == 0
    model = finished.read("model/model.json")
    assert (model["experiment"], model["epochs"], model["architecture"]) == (
        *(finished.chosen, finished.epochs, finished.network),
    )
    assert finished.read("runs/train/run.json")["id"] == model["id"]
    predictions = pd.read_parquet(finished.build / "evaluation/predictions.parquet")
    both = {f"{name}{choice}" for name in ("model", "baseline") for choice in ("", ", as published")}
    assert set(predictions["model"]) == both
    kept_back = pd.read_parquet(finished.build / "evaluation/predictions_select.parquet")
    assert set(kept_back["model"]) == both and not set(kept_back["image"]) & set(predictions["image"])
    scores = finished.read("evaluation/metrics.json")
    assert scores["temperature"]["clean"]["n"] == (kept_back["model"] == "model").sum()
    assert set(scores["differences"]["clean_minus_as_published"]) == {"all", "without_leaks"}
    held_out = manifest[manifest["split"] == "val"]
    assert set(predictions["image"]) == set(held_out["image"]) and held_out["leak"].sum() == 6
    metrics = finished.read("metrics.json")
    assert metrics["main"]["n"] == len(held_out) and metrics["without_leaks"]["n"] == len(held_out) - 6
    assert metrics["main"]["low"] < metrics["main"]["value"] < metrics["main"]["high"]
    assert finished.read("dataset/report.json")["counts"]["quarantined"] == 7


def test_a_second_run_runs_nothing(repository):
    before = {path: path.stat().st_mtime_ns for path in repository.build.rglob("*")}
    (repository.root / "weights/README.md").write_text("Says how to get weights and is none.")
    assert repository.stages(repository.run("dvc", "repro")) == []
    assert {path: path.stat().st_mtime_ns for path in repository.build.rglob("*")} == before


def test_new_weights_are_noticed(repository):
    (repository.root / "weights/resnet18.safetensors").write_bytes(b"new")
    changed = json.loads(repository.run("dvc", "status", "--json"))
    assert {"baseline@cherry", "train@cherry"} == {
        stage
        for stage, what in changed.items()
        if "weights" in what[0]["changed deps"] and not stage.startswith("sweeps/")
    }


def test_an_edit_of_the_training_runs_what_depends_on_it(repository):
    before = repository.contents("model")["model.safetensors"]
    repository.edit(
        f"conf/experiment/cherry/{repository.chosen}.yaml",
        ("^train:$", "train:\n  lr: 5e-4\n  optimizer: adamw"),
    )
    assert repository.stages(repository.run("dvc", "repro")) == named(
        "configure", "train", "evaluate", "export"
    )
    assert repository.contents("model")["model.safetensors"] != before
    assert repository.read("runs/evaluate/run.json")["model_id"] == repository.read("model/model.json")["id"]


def test_a_changed_file_is_noticed_and_owned_up_to(repository):
    folder = repository.root / "data/cherry/train/cherry_pit"
    sorted(folder.iterdir())[0].unlink()
    assert repository.stages(repository.run("dvc", "repro", "prepare@cherry")) == named("prepare")
    source = yaml.safe_load((repository.build / "dataset/SOURCE.yaml").read_text())
    assert source["source"] == "own (modified sample)"
    assert repository.read("runs/prepare/run.json")["data"] == source


def test_a_persons_decision_is_applied_and_counted_as_human(repository):
    first = repository.read("candidates/candidates.csv")[0]
    other = {"cherry_clean": "cherry_pit", "cherry_pit": "cherry_clean"}.get(first["label"], "maybe")
    (repository.root / "mine.csv").write_text(f"image,label\n{first['image']},{other}\n")
    repository.run("assay", "review", "record", "cherry", "mine.csv", "--reviewer", "Ann", "--kind", "human")
    out = repository.run("dvc", "repro", "review@cherry")
    assert repository.stages(out) == named("review")
    report = repository.read("hard_examples/report.json")
    assert (report["reviewed_by_human"], report["waiting_for_human"]) == (1, report["candidates"] - 1)
    (row,) = [row for row in repository.read("hard_examples/examples.csv") if row["image"] == first["image"]]
    assert (row["label"], row["kind"], row["reviewer"]) == (other, "human", "Ann")


def test_a_project_that_fails_stops_no_other_and_is_named_at_the_end(repository):
    repository.edit(
        "params.yaml",
        (
            r"^(  cherry: .*\n)",
            r"\1  documents: {experiment: yolo11s_reviewed, task: detection, data: documents}\n",
        ),
    )
    repository.edit(f"conf/experiment/cherry/{repository.chosen}.yaml", ("^train:$", "train:\n  lr: 5e-4"))
    (repository.root / "data/documents").mkdir()
    (repository.root / "data/documents/letter.doc").write_text("no page")
    out = repository.run("dvc", "repro", "--keep-going", status=255)
    assert {"configure@documents", "prepare@documents", *named("train", "evaluate", "export")} == {
        *repository.stages(out)
    } - {*named("configure")}
    assert out.count("assay: data/documents: ") == 1 and "Traceback" not in out
    table = repository.run("assay", "status")
    (row,) = [line for line in table.splitlines() if "documents" in line]
    assert "did not finish" in row and repository.chosen in table
