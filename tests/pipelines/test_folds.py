"""Folds over the drawn documents: every page is tested once, by a model that never saw its document."""

import json

import pandas as pd
import pytest

from assay.config import compose
from assay.errors import UserError
from pipelines.detection import folds
from tests.pipelines.detection_data import make, overrides


def config(*more):
    chosen = ["experiment=yolo11s_20251115_230142", "prepare.regroup.folds=3", "train.epochs=1", *more]
    kept = [change for change in overrides("documents") if not change.startswith("experiment=")]
    return compose([*kept, *chosen])


@pytest.mark.slow  # three trainings of one epoch
def test_every_page_is_tested_once_by_a_model_without_its_document(tmp_path, monkeypatch, capsys):
    make("documents", tmp_path)
    monkeypatch.chdir(tmp_path)
    cfg = config()
    summary = folds.main(cfg)
    build = tmp_path / "build/documents/folds"
    tested = pd.read_parquet(build / "evaluation/images.parquet")
    assert len(tested) == summary["n"] == 6 and tested["image"].is_unique and summary["groups"] == 3
    for fold in range(3):
        manifest = pd.read_parquet(build / f"{fold}/dataset/manifest.parquet")
        document = manifest["source"].str.partition("#")[0]
        of = {split: set(document[manifest["split"] == split]) for split in ("train", "val", "test")}
        assert all(of.values()) and not of["test"] & (of["train"] | of["val"]) and not of["train"] & of["val"]
    page = (build / "evaluation/report.html").read_text("utf-8")
    assert "By fold" in page and "Boxes raw and grouped" in page
    assert len(json.loads((build / "evaluation/folds.json").read_text())) == 3
    before = (build / "0/model/model.safetensors").stat().st_mtime_ns
    (build / "1/fold.json").unlink()  # as if it had been ended in the second fold
    assert folds.main(cfg) == summary
    assert (build / "0/model/model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["model.fine_tune=yolo11s_20251115_180118"], "model.fine_tune"),
        (["train.hard_negatives=5"], "train.hard_negatives"),
        (["train.reviewed_boxes=true"], "train.reviewed_boxes"),
        (["evaluate.inference.ensemble=[yolo11s_20251115_180118]"], "evaluate.inference.ensemble"),
    ],
)
def test_what_has_seen_the_tested_images_is_refused(more, said):
    with pytest.raises(UserError, match=said):
        folds.refuse_what_saw_the_tested(config(*more))


def test_a_fold_has_its_own_folder_and_part():
    part = folds.of_fold(config(), 2)
    assert part.build == "build/documents/folds/2"
    assert (part.prepare.regroup.split, part.prepare.regroup.fold) == ("kfold", 2)
