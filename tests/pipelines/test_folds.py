"""Folds over the drawn documents: every page is tested once, by a model that never saw its document."""

import json
import shutil

import pandas as pd
import pytest

from assay.config import compose
from assay.errors import UserError
from pipelines.detection import folds, prepare
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
        (
            ["evaluate.inference.thresholds=validation"],
            "thresholds=validation: every fold would find its own",
        ),
    ],
)
def test_what_has_seen_the_tested_images_is_refused(more, said):
    with pytest.raises(UserError, match=said):
        folds.refuse_what_saw_the_tested(config(*more))


def test_a_fold_has_its_own_folder_and_part():
    part = folds.of_fold(config(), 2)
    assert part.build == "build/documents/folds/2"
    assert (part.prepare.regroup.split, part.prepare.regroup.fold) == ("kfold", 2)


def test_a_photo_that_two_subsets_hold_is_tested_once(tmp_path, monkeypatch):
    """merged_375 holds the photos of original_120, too: here four of fourteen."""
    make("infrastructure", tmp_path)
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data/infrastructure"
    for kind in ("images", "labels"):
        (data / f"original_120/train/{kind}").mkdir(parents=True)
        for path in sorted((data / f"merged_375/train/{kind}").iterdir())[:4]:
            shutil.copy(path, data / f"original_120/train/{kind}")
    shutil.copy(data / "merged_375/data.yaml", data / "original_120/data.yaml")
    chosen = ["prepare.regroup.look_distance=0", "prepare.regroup.folds=3"]
    cfg = compose(overrides("infrastructure", *chosen))
    tested = []
    for fold in range(3):
        prepare.main(part := folds.of_fold(cfg, fold))
        manifest = pd.read_parquet(f"{part.build}/dataset/manifest.parquet")
        tested += manifest.loc[manifest["split"] == "test", "sha256"].tolist()
    assert len(tested) == len(set(tested)) == 14
