"""All stages with a vision-language model of 0.1 million random numbers on drawn boxes, beside a small baseline."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from assay.config import compose
from assay.errors import UserError
from assay.evaluation.predictions import read_predictions
from assay.files import read_json
from assay.models import backbones, condition
from assay.training import memory, vision_language
from pipelines import baseline, evaluate, export, job, mine, prepare, review, train
from pipelines.gathering import lay_out
from pipelines.presenting import table_of_jobs
from tests.models.tiny_qwen import write_tiny
from tests.pipelines.condition.test_stages import Tiny, draw

pytestmark = pytest.mark.slow  # several trainings, all reports

SMALL = [
    *(
        "model.image_size=56",
        "model.rank=4",
        "model.alpha=8",
        "model.targets=[q_proj,v_proj,o_proj,down_proj]",
    ),
    *(
        "train.epochs=2",
        "train.batch=8",
        "train.lr=0.03",
        "train.max_images=32",
        "evaluate.bootstrap_draws=100",
    ),
]


def configure(*changes, weights="qwen", profile="demo"):
    chosen = ["project=conditions", "experiment=qwen2vl_lora", f"profile={profile}", "seed=0"]
    return compose([*chosen, *SMALL, *([f"model.weights={weights}"] if weights else []), *changes])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Every stage but export has run in .folder; .results holds what each returned."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for module in (backbones, condition):
            patch.setattr(module, "Backbone", Tiny)
        patch.setattr(memory, "free_gb", lambda: (8.0, False))
        draw(folder / "data/infrastructure")
        (folder / "qwen").mkdir()
        write_tiny(folder / "qwen")
        for name in ("src", "pipelines", "requirements.lock"):
            (folder / name).symlink_to(Path(__file__).parents[3] / name)
        cfg = configure()
        stages = (prepare, baseline, mine, review, train, evaluate)
        results = {stage.__name__.rpartition(".")[2]: stage.main(cfg) for stage in stages}
        yield SimpleNamespace(folder=folder, build=folder / "build/conditions", results=results)


def test_the_adapters_are_the_model(done):
    info = json.loads((done.build / "model/model.json").read_text())
    assert info == done.results["train"]
    assert {file.name for file in (done.build / "model").iterdir()} == {
        *("adapter_model.safetensors", "adapter_config.json", "model.json", "history.csv"),
    }
    assert info["parameters"]["frozen"] > 40 * info["parameters"]["trainable"] > 0
    assert (info["trained_on"], info["epochs_run"], info["classes"]) == (32, 2, ["normal", "conditional"])
    assert info["weights"]["origin"] == "file" and info["architecture"] == "Qwen2-VL-2B-Instruct"
    losses = pd.read_csv(done.build / "model/history.csv")["train/loss"]
    assert losses.iloc[-1] < 0.7 * losses.iloc[0]
    assert not (done.folder / "runs/training/conditions/train").exists()


def test_it_is_scored_like_every_other_way_and_beside_the_baseline(done):
    stored = read_predictions(done.build / "evaluation/predictions.parquet")
    assert set(stored.models) == {"model", "baseline"} and len(stored.of("model")) == 30
    assert stored.models["model"]["experiment"] == "qwen2vl_lora"
    assert read_json(done.build / "baseline/model.json")["experiment"] == "image_only"
    summary, metrics = done.results["evaluate"], read_json(done.build / "evaluation/metrics.json")
    assert summary["main"]["n"] == 30 and summary["main"]["low"] < summary["main"]["value"]
    assert set(metrics["all"]["by_type"]) == {"rock_toe", "slope_drain", "toe_drain", "vegetation"}
    assert done.results["mine"]["scored"] == 78 and done.results["review"]["reviewed_by_human"] == 0
    assert "all" in read_json(done.build / "evaluation/comparison.json")
    report = (done.build / "evaluation/report.html").read_text()
    assert "the likeliest of 2 words, after low-rank adapters of rank 4" in report and "Sample data" in report
    run = read_json(done.build / "runs/evaluate/run.json")
    assert run["tags"]["experiment"] == "qwen2vl_lora" and run["tags"]["weights"] == "file"


def test_an_export_is_refused_in_one_line(done):
    with pytest.raises(UserError, match=r"is not exported: .*adapter_model") as refusal:
        export.main(configure())
    assert "\n" not in str(refusal.value)


def test_other_weights_than_the_adapters_are_refused(done):
    (done.folder / "other").mkdir()
    write_tiny(done.folder / "other", seed=1)
    with pytest.raises(UserError, match=r"its adapters belong to qwen sha256 .* here is other sha256"):
        evaluate.main(configure(weights="other"))


def test_nine_words_of_several_tokens_and_a_held_out_part(done):
    cfg = configure("model.classes=nine", "train.selection=best", "train.epochs=1")
    info = train.main(cfg)
    assert info["classes"] == ["thing blocked", "thing normal"] and info["held_out"] > 0
    evaluate.main(cfg)
    own = read_json(done.build / "evaluation/metrics_own.json")
    assert own["all"]["classes"] == ["thing blocked", "thing normal"]


def test_a_killed_training_goes_on(done, monkeypatch):
    whole = train.main(configure())
    learn, epochs = vision_language._Loop.train, []

    def kill(self, shown, epoch, of):
        epochs.append(epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt
        return learn(self, shown, epoch, of)

    monkeypatch.setattr(vision_language._Loop, "train", kill)
    with pytest.raises(KeyboardInterrupt):
        train.main(configure())
    assert train.main(configure())["id"] == whole["id"] and epochs == [1, 2, 2]


def sweep(*changes, weights=None, free=100.0, monkeypatch):
    """One job of clip_conditions, run as a sweep runs it: its row of the table."""
    monkeypatch.setattr(memory, "free_gb", lambda: (free, False))
    cfg = configure(*changes, weights=weights)
    overrides = [
        "project=conditions",
        "experiment=conditions/qwen2vl_lora",
        "profile=demo",
        "seed=0",
        *changes,
    ]
    (laid,) = lay_out("clip_conditions", [{"overrides": overrides, "config": cfg.model_dump(mode="json")}])
    job._run(laid.folder)
    (row,) = table_of_jobs([laid]).to_dict("records")
    return row


def test_a_sweep_has_a_row_whatever_is_missing(done, monkeypatch):
    row = sweep(monkeypatch=monkeypatch)
    assert row["status"] == "refused"
    assert (
        "no pretrained weights for Qwen/Qwen2-VL-2B-Instruct: weights/Qwen2-VL-2B-Instruct/" in row["error"]
    )
    row = sweep(free=3.0, monkeypatch=monkeypatch)
    assert row["status"] == "refused" and "3.0 GB are free here" in row["error"]
    row = sweep("train.epochs=1", weights="qwen", monkeypatch=monkeypatch)
    assert row["status"] == "ok" and row["n"] == 30 and row["low"] < row["accuracy"] < row["high"]
    assert (row["backbone"], row["weights"]) == ("Qwen/Qwen2-VL-2B-Instruct", "file")
