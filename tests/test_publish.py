import csv
import json

import pandas as pd
import pytest

from assay.errors import UserError
from assay.publish import publish_folds, publish_mining, publish_project

RUN = {
    "project": "workzone",
    "started": "2026-01-02T03:04:05",
    "data": {"source": "original", "content": "0123456789abcdef0123"},
    "environment": {
        "cpu": {"model": "A processor", "cores": 2, "amx": False},
        "gpu": None,
        "python": "3.11",
        "packages": {"torch": "2.9"},
        "git": {"revision": "abcdef0123456789", "dirty": True},
    },
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


@pytest.fixture
def mined(tmp_path):
    folder = tmp_path / "build/workzone"
    write(folder / "runs/mine/run.json", RUN)
    by = {"experiment": "cones", "profile": "cpu", "weights": {"detail": "file x"}}
    write(folder / "candidates/mined_by.json", by)
    write(folder / "candidates/statistics.json", {"frames": 3, "clips": 2, "candidates": 1, "quarantined": 1})
    pd.DataFrame({"group": ["a"], "verifier": ["clip"]}).to_csv(
        folder / "candidates/candidates.csv", index=False
    )
    for clip, frames in (("a", 2), ("b", 1)):
        rows = {
            "count_channelization": [0, 3][:frames],
            "p1_multi_cue_pass": [0, 1][:frames],
            "fused_score_ema": [0.2, 0.8][:frames],
            "state": ["OUT", "INSIDE"][:frames],
        }
        (folder / f"candidates/{clip}").mkdir()
        pd.DataFrame(rows).to_csv(folder / f"candidates/{clip}/timeline.csv", index=False)
    return folder


def test_what_mining_found_is_a_row_per_clip(mined, tmp_path):
    page = publish_mining(mined, results=tmp_path / "results")
    assert page == tmp_path / "results/workzone/mining-cones-cpu-original.md"
    with page.with_suffix(".csv").open() as stream:
        first, second = csv.DictReader(stream)
    assert (first["clip"], first["frames"], first["gate_passed"], first["candidates"]) == ("a", "2", "1", "1")
    assert (second["clip"], second["with_channelization"], second["inside"]) == ("b", "0", "0")
    text = page.read_text()
    assert "second opinion: clip." in text
    assert "git abcdef012345 with uncommitted changes" in text


@pytest.fixture
def evaluated(tmp_path):
    folder = tmp_path / "build/infrastructure"
    write(folder / "runs/evaluate/run.json", RUN)
    summary = {"experiment": "expanded", "profile": "cpu", "source": "original", "by_split": {}}
    write(folder / "metrics.json", summary)
    rates = {"precision": "micro", "recall": "micro", "false_positives": "all"}
    part = {
        "n": 45,
        "groups": 9,
        "objects": {"rock_toe": 7, "vegetation": 0},
        "classes": ["rock_toe", "vegetation"],
        "confusion": [[5, 1, 1], [0, 0, 0], [3, 2, 0]],
        "map50": interval(0.6),
        "map50_95": interval(0.4),
        "ap50": {"rock_toe": interval(0.7)},
        "ap50_95": {"rock_toe": interval(0.5)},
    } | {name: {over: interval(0.3), "rock_toe": interval(0.2)} for name, over in rates.items()}
    write(folder / "evaluation/metrics.json", {"test": {"all": part}, "val": {"all": part}})
    difference = {"map50_difference": interval(0.05), "main": "map50", "verdict": "no evidence", "p": 0.4}
    write(folder / "evaluation/comparison.json", {"val": {"all": difference}})
    model = {
        "experiment": "expanded", "architecture": "yolo11n", "image_size": 320, "seed": 0, "images": {"train": 305},
        "epochs_run": 30, "best_epoch": 28, "select": "map50", "weights": {"origin": "file", "detail": "x"},
    }  # fmt: skip
    for name in ("model", "baseline"):
        write(folder / f"{name}/model.json", model)
    return folder


def test_a_detectors_numbers_are_rows_by_split_and_class(evaluated, tmp_path):
    page = publish_project("infrastructure", build=tmp_path / "build", results=tmp_path / "results")
    table = pd.read_csv(page.with_suffix(".csv"))
    assert table[["split", "class", "objects"]].to_numpy().tolist() == [
        ["val", "all", 7], ["val", "rock_toe", 7], ["test", "all", 7], ["test", "rock_toe", 7],
    ]  # fmt: skip
    assert table["map50"].tolist() == [0.6, 0.7, 0.6, 0.7]
    text = page.read_text()
    assert "0.600 (0.500 to 0.700)" in text
    assert "| rock_toe | 5 | 1 | 1 |" in text and "| nothing | 3 | 2 |  |" in text
    assert "mAP50 +5.0 points (-5.0 to +15.0); map50: no evidence, p = 0.4" in text


def test_what_else_was_asked_of_pages_is_published_too(evaluated, tmp_path):
    rates = {name: {"micro": interval(0.3)} for name in ("precision", "recall", "f1")}
    part = {
        "n": 8,
        "boxes": 9,
        "objects": {"qr": 4},
        "map50": interval(0.25),
        "map50_95": interval(0.1),
    } | rates
    rule = {"page_side": 1024, "distance": 50, "iou": 0.2, "containment": 0.6, "drop_contained": 0.75}
    write(evaluated / "evaluation/grouping.json", {"rule": rule, "splits": {"val": {"grouped": part}}})
    write(evaluated / "evaluation/robustness.json", {"faded": part})
    row = {"pages": "of other documents", "n": 14, "documents": 9, "boxes": "grouped", "false_positives": 3}
    counted = row | {"pages_with_any": 2, "by_class": {"qr": 3}} | interval(0.21)
    write(evaluated / "evaluation/unmarked.json", {"left_out": 0, "rows": [counted]})
    scores = json.loads((evaluated / "evaluation/metrics.json").read_text())
    for found in scores.values():
        found["all"]["split"] = "val"
    write(evaluated / "evaluation/metrics.json", scores)
    text = publish_project(
        "infrastructure", build=tmp_path / "build", results=tmp_path / "results"
    ).read_text()
    assert "| val | grouped | 9 | 4 | 30.0 %" in text
    assert "25.0 % (15.0 to 35.0)" in text and "## Pages that arrive otherwise" in text
    assert "| of other documents | 14 | 9 | grouped | 3 | 0.21 (0.11 to 0.31) | 2 | qr 3 |" in text


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"split": "published", "fold": 0}, "expanded-cpu-original"),
        ({"split": "grouped", "fold": 0}, "expanded-cpu-grouped-original"),
        ({"split": "kfold", "fold": 3}, "expanded-cpu-kfold-3-original"),
        (None, "expanded-cpu-original"),
    ],
)
def test_another_split_is_another_table(evaluated, tmp_path, how, named):
    write(evaluated / "runs/prepare/run.json", {"config": {"prepare": {"regroup": how}}})
    page = publish_project("infrastructure", build=tmp_path / "build", results=tmp_path / "results")
    assert page.stem == named
    assert ("prepare.regroup.split=grouped`" in page.read_text()) == ("grouped" in named)


def test_folds_are_one_table_of_their_own(evaluated, tmp_path):
    part = json.loads((evaluated / "evaluation/metrics.json").read_text())["test"]
    folds = evaluated / "folds"
    write(folds / "run/run.json", RUN | {"tags": {"experiment": "expanded", "profile": "cpu"}})
    write(folds / "evaluation/metrics.json", {"test": part})
    write(folds / "evaluation/folds.json", [part["all"]] * 2)
    for k in range(2):
        model = json.loads((evaluated / "model/model.json").read_text())
        write(folds / f"{k}/model/model.json", model | {"best_epoch": 20 + k})
    page = publish_folds("infrastructure", build=tmp_path / "build", results=tmp_path / "results")
    assert page.stem == "expanded-cpu-folds-original"
    assert pd.read_csv(page.with_suffix(".csv"))["split"].tolist() == ["test", "test"]
    text = page.read_text()
    assert "epochs kept, fold by fold: 20, 21" in text
    assert (
        "`assay publish --folds infrastructure`" in text and "mAP50 60.0 % (standard deviation 0.0)" in text
    )


def test_what_was_not_run_is_named_with_its_command(tmp_path):
    with pytest.raises(UserError, match="dvc repro evaluate@infrastructure"):
        publish_project("infrastructure", build=tmp_path, results=tmp_path / "results")
    with pytest.raises(UserError, match=r"pipelines\.folds project=infrastructure"):
        publish_folds("infrastructure", build=tmp_path, results=tmp_path / "results")
    with pytest.raises(UserError, match="dvc repro mine@workzone"):
        publish_mining(tmp_path / "workzone", results=tmp_path / "results")


def test_a_single_evaluation_of_a_classifier_is_no_table(evaluated, tmp_path):
    write(evaluated / "metrics.json", {"experiment": "x"})
    with pytest.raises(UserError, match="publish a sweep instead"):
        publish_project("infrastructure", build=tmp_path / "build", results=tmp_path / "results")
