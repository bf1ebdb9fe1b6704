"""`assay models promote`, `rollback` and `history` against a real SQLite store."""

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from assay import registry
from assay.evaluation.predictions import read_predictions, write_predictions
from assay.registry import history, promotion, store
from assay.registry.catalog import Catalog

MODEL = "cherry-classifier"
WHY = ("--reason", "fewer stones", "--by", "ann")


def entries(model=MODEL):
    return history.read(model)


def holders(alias="production"):
    return [f"{one['name']}/{one['version']}" for one in registry.model_versions() if alias in one["aliases"]]


def kept(number, *path, model=MODEL):
    return Catalog().find(f"{model}/{number}").files.joinpath(*path)


def test_the_first_promotion_is_measured_against_the_stored_baseline(repository, done):
    out = done("promote", f"{MODEL}/2", *WHY)
    assert "against the baseline first, 196 images in 98 groups" in out  # four leaked ones are left out
    assert f"{MODEL} v2 is production; promotions/{MODEL}.jsonl says why" in out
    assert holders() == [f"{MODEL}/2"]
    [entry] = entries()
    assert (entry["who"], entry["why"], entry["from"]) == ("ann", "fewer stones", None)
    assert (entry["to"]["version"], entry["to"]["model"], entry["to"]["tag"]) == (
        2,
        "good",
        "resnet18_good_64",
    )
    evidence = entry["evidence"]
    assert evidence["verdict"] == "better beyond noise" and evidence["gain"]["low"] > 0.1
    assert evidence["n"] == 196 and len(evidence["test_set"]) == 64


def test_without_a_reason_nothing_moves(repository, done):
    assert "nothing moved: say why with --reason" in done("promote", f"{MODEL}/2")
    assert holders() == [] and not Path("promotions").exists()


def test_a_gain_within_noise_is_refused(repository, done, refused):
    done("promote", f"{MODEL}/2", *WHY)
    line = refused("promote", f"{MODEL}/3", *WHY)
    assert f"its gain over {MODEL} v2 is within noise or a loss (accuracy: +0.51 points" in line
    assert holders() == [f"{MODEL}/2"] and len(entries()) == 1


def test_recall_lost_beyond_the_guard_is_refused_although_accuracy_gains(repository, done, refused):
    done("promote", f"{MODEL}/2", *WHY)
    Path("conf/promotion.yaml").write_text("max_recall_drop: 0.2\ndraws: 400\nseed: 0\n")
    one = promotion.Guards(max_recall_drop=0.02, draws=400)
    catalog = Catalog()
    found = {
        "recall": {
            "clean": {"value": 0.2, "low": 0.1, "high": 0.3},
            "pit": {"value": -0.021, "low": -0.1, "high": 0.05},
        }
    }
    assert promotion._recall_lost(found, one.max_recall_drop) == [
        "recall of pit -2.10 points (-10.00 to +5.00): a drop of 2 points is allowed"
    ]
    assert promotion._recall_lost(found, 0.03) == []
    proposal = promotion.propose(catalog, catalog.find(f"{MODEL}/4"), "production", one)
    assert any(
        "recall of pit" in problem and "recall of clean" not in problem for problem in proposal.problems
    )


def test_for_boxes_a_class_must_lose_recall_beyond_noise_and_all_classes_only_beyond_the_guard():
    lost = {"value": -0.5, "low": -1.0, "high": 0.0}
    assert promotion._recall_lost({"recall": {"micro": {**lost, "value": 0.0}, "cone": lost}}, 0.02) == []
    assert promotion._recall_lost({"recall": {"micro": lost, "cone": lost}}, 0.02)[0].count("recall") == 1
    sure = {"recall": {"micro": {**lost, "value": 0.0}, "cone": {**lost, "high": -0.1}}}
    assert "recall of cone" in promotion._recall_lost(sure, 0.02)[0]


@pytest.mark.parametrize(
    ("parity", "why"),
    [
        (None, "it has no parity.json"),
        (
            {"runtimes": {"onnx": {"within_budget": True}, "int8": {"within_budget": False}}},
            "int8 not within",
        ),
        ({"runtimes": {}}, "no runtime was compared"),
        ("{", "parity.json cannot be read"),
    ],
)
@pytest.mark.parametrize("alias", ["production", "mining"])
def test_an_export_that_is_not_verified_is_refused(repository, refused, parity, why, alias):
    path = Catalog().find(f"{MODEL}/2").export / "parity.json"
    path.unlink()
    if parity is not None:
        path.write_text(parity if isinstance(parity, str) else json.dumps(parity))
    assert why in refused("promote", f"{MODEL}/2", "--to", alias, *WHY)
    assert holders(alias) == []


def rewrite(path, change):
    """Store changed predictions."""
    found = read_predictions(path)
    write_predictions(path, change(found))


def test_other_test_images_are_refused(repository, done, refused):
    done("promote", f"{MODEL}/2", *WHY)
    path = kept(4, "evaluate/predictions.parquet")
    table = pd.read_parquet(path)
    table[table["image"] != "007.png"].to_parquet(path, index=False)
    line = refused("promote", f"{MODEL}/4", *WHY)
    assert (
        "the test sets of cherry-classifier v4 and cherry-classifier v2 differ: 0 images only in the first, 1 only"
        in line
    )


def test_other_labels_are_refused(repository, done, refused):
    done("promote", f"{MODEL}/2", *WHY)
    path = kept(4, "evaluate/predictions.parquet")
    table = pd.read_parquet(path)
    table.loc[table["image"] == "007.png", "label"] = "pit"
    table.to_parquet(path, index=False)
    assert "the same images with other labels" in refused("compare", f"{MODEL}/4")


def test_a_run_without_predictions_is_one_line(repository, refused):
    kept(2, "evaluate/predictions.parquet").unlink()
    assert f"{MODEL} v2: its run holds no stored predictions; run `dvc repro" in refused(
        "promote", f"{MODEL}/2"
    )
    shutil.rmtree(kept(1, "evaluate"))
    assert f"{MODEL} v1: its run holds no stored predictions" in refused(
        "compare", f"{MODEL}/3", f"{MODEL}/1"
    )


def test_predictions_of_another_model_are_one_line(repository, refused):
    for name in ("predictions.parquet", "predictions.json"):
        shutil.copy(kept(1, "evaluate", name), kept(2, "evaluate", name))
    assert "predictions of model weak, not of cherry-classifier v2 (good)" in refused("promote", f"{MODEL}/2")


def test_predictions_of_other_data_are_one_line(repository, refused):
    path = kept(2, "evaluate/predictions.json")
    path.write_text(path.read_text().replace("c" * 64, "d" * 64))
    line = refused("promote", f"{MODEL}/2")
    assert (
        "predictions of other data (content dddddddddddd), cherry-classifier v2 was made on cccccccccccc"
        in line
    )


def test_damaged_predictions_are_one_line(repository, refused):
    kept(2, "evaluate/predictions.parquet").write_bytes(b"no table")
    assert "cannot be read as predictions" in refused("promote", f"{MODEL}/2")


@pytest.mark.parametrize("command", ["promote", "compare"])
def test_a_model_whose_artifact_was_deleted_is_one_line(repository, refused, done, command):
    shutil.rmtree(Catalog().find(f"{MODEL}/2").export)
    line = refused(command, f"{MODEL}/2")
    assert (
        f"{MODEL} v2: mlruns/artifacts/cherry/" in line
        and "was deleted; `dvc repro --force export@cherry`" in line
    )
    assert f"{MODEL} v2 (artifact deleted)" in done("list")


@pytest.mark.parametrize("held", ["database", "lock"])
def test_a_locked_store_is_one_line_and_nothing_is_written(repository, refused, monkeypatch, held):
    monkeypatch.setattr(store, "_BUSY_SECONDS", 0.1)
    monkeypatch.setattr(promotion, "_WAIT_SECONDS", 0.1)
    if held == "lock":
        with store.exclusive(store.MLRUNS):
            line = refused("promote", f"{MODEL}/2", *WHY)
    else:
        with closing(sqlite3.connect("mlruns/mlflow.db")) as other:
            other.execute("begin immediate")
            line = refused("promote", f"{MODEL}/2", *WHY)
    assert "mlruns cannot be used" in line and "then run the same command again" in line
    assert not Path("promotions").exists() and holders() == []


def test_a_store_locked_for_reading_is_one_line(repository, refused, monkeypatch):
    monkeypatch.setattr(store, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect("mlruns/mlflow.db")) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        assert "database is locked" in refused("list")


def test_what_moved_while_a_person_looked_is_not_moved_again(repository):
    catalog = Catalog()
    proposal = promotion.propose(catalog, catalog.find(f"{MODEL}/1"), "mining", promotion.Guards())
    other = promotion.propose(Catalog(), catalog.find(f"{MODEL}/2"), "mining", promotion.Guards())
    promotion.promote(Catalog(), other, who="bob", why="first")
    with pytest.raises(Exception, match=f"mining of {MODEL} has moved meanwhile: {MODEL} v2 has it"):
        promotion.promote(catalog, proposal, who="ann", why="second")


def test_the_fastest_must_be_faster_on_the_same_hardware(repository, done, refused):
    done("promote", f"{MODEL}/1", "--to", "fastest", *WHY)
    assert "5.00 ms an image is not faster than 5.00 ms" in refused(
        "promote", f"{MODEL}/3", "--to", "fastest", *WHY
    )
    said = done("promote", f"{MODEL}/2", "--to", "fastest", *WHY)
    assert "4.00 ms an image in onnx on " in said and f"against 5.00 ms of {MODEL} v1" in said
    assert holders("fastest") == [f"{MODEL}/2"] and entries()[-1]["evidence"]["latency_ms"] == 4.0
    path = kept(2, "export/run.json")
    path.write_text(path.read_text().replace('"cores": ', '"cores": 9'))
    assert "not comparable" in refused("promote", f"{MODEL}/1", "--to", "fastest", *WHY)


def test_detectors_may_be_promoted_for_fewer_false_positives_at_equal_recall(repository, done, refused):
    name = "workzone-detector"
    for metric in ("map50", "false_positives"):
        assert "is within noise or a loss" in refused("promote", f"{name}/1", "--metric", metric, *WHY)
    out = done("promote", f"{name}/2", "--metric", "false_positives", *WHY)
    assert "false positives an image at equal recall: -1.00 (-1.00 to -1.00): better beyond noise" in out
    assert "--metric map50: cherry-classifier v2 is compared by accuracy" in refused(
        "promote", f"{MODEL}/2", "--metric", "map50"
    )


def test_a_recall_that_is_not_reached_leaves_no_number():
    missing = {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    evidence = {"metric": "false_positives", "gain": missing, "verdict": "the other's recall is not reached"}
    assert promotion._not_better(evidence | {"reference": "workzone-detector v1"}) == [
        "its gain over workzone-detector v1 is within noise or a loss"
        " (false positives an image at equal recall: the other's recall is not reached)"
    ]


@pytest.mark.parametrize(("main", "metric"), [("map50_95", "map50_95"), ("macro_f1", "map50")])
def test_the_projects_main_metric_decides_unless_another_is_asked_for(repository, done, main, metric):
    path = kept(2, "run.json", model="workzone-detector")
    run = json.loads(path.read_text())
    path.write_text(json.dumps(run | {"config": run["config"] | {"project": {"main_metric": main}}}))
    assert f"\n{metric}: " in done("compare", "workzone-detector/2", "workzone-detector/1")
    other = done("compare", "workzone-detector/2", "workzone-detector/1", "--metric", "false_positives")
    assert "\nfalse positives an image at equal recall: " in other


def test_the_baseline_is_judged_at_its_own_thresholds(repository, done):
    path = kept(2, "evaluate/predictions.json", model="workzone-detector")
    about = json.loads(path.read_text())
    about["models"]["baseline"]["thresholds"] = {"cone": 0.95}  # above all its scores: it shows nothing
    path.write_text(json.dumps(about))
    assert "each at its own thresholds: +1.00" in done("compare", "workzone-detector/2")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["promote", "cherry"], "no such registered model; there are: cherry-classifier, workzone-detector"),
        (["promote", f"{MODEL}/9"], f"no such version; there are: {MODEL}/4 @candidate, {MODEL}/3"),
        (["promote", f"{MODEL}@production"], "no such version"),
        (["promote", MODEL, "--to", "prod"], "no such alias; there are: production, candidate"),
        (["promote", f"{MODEL}@candidate", "--to", "candidate"], f"{MODEL} v4 is candidate already"),
        (["compare", MODEL, f"{MODEL}/4"], "compared with itself"),
        (["compare", MODEL, "workzone-detector"], "models of different tasks"),
        (["rollback", MODEL, "--reason", " "], "--reason: empty"),
        (["history", "nobody"], "no such registered model"),
        (["show", "nobody"], "no such registered model"),
    ],
)
def test_mistakes_are_one_line(repository, refused, arguments, named):
    assert named in refused(*arguments)


@pytest.mark.parametrize(
    ("text", "named"), [("max_recal_drop: 0.1\n", "did you mean 'max_recall_drop'"), ("[]", "key")]
)
def test_a_mistake_in_the_guards_is_one_line(repository, refused, text, named):
    Path("conf/promotion.yaml").write_text(text)
    assert named in refused("promote", MODEL)


def test_somebody_must_promote(repository, refused, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    assert "nobody is named: say --by" in refused("promote", MODEL, "--to", "mining", "--reason", "because")


def test_reading_imports_no_mlflow(repository):
    import subprocess

    source = Path(sys.modules["assay"].__file__).parents[1]
    code = "import sys; from assay import cli\nsys.argv = ['assay', 'models', *sys.argv[1:]]\n"
    code += (
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code\nassert 'mlflow' not in sys.modules"
    )
    for arguments in (["list"], ["show", MODEL], ["history", MODEL], ["compare", f"{MODEL}/2", f"{MODEL}/1"]):
        subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": str(source)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
