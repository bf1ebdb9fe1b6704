"""The experiments that document 003 only planned: with attention, with drawn pages, with kinds as classes."""

import json

import pytest

from assay.config import compose
from assay.errors import UserError
from pipelines.detection import prepare, train
from tests.pipelines.detection_data import make, overrides

SMALL = ["profile=smoke", "seed=0", "model.image_size=64", "prepare.dpi=72", "train.epochs=1"]


@pytest.mark.slow  # two trainings
def test_attention_and_drawn_pages_are_trained(tmp_path, monkeypatch):
    make("documents", tmp_path)
    monkeypatch.chdir(tmp_path)
    prepare.main(compose(overrides("documents")))
    found = {}
    for experiment, change in (
        ("yolo11s_cbam", "train.batch=4"),
        ("yolo11s_synthetic", "train.synthetic=2.5"),
    ):
        train.main(compose(["project=documents", f"experiment={experiment}", *SMALL, change]))
        found[experiment] = json.loads((tmp_path / "build/documents/model/model.json").read_text())
    assert found["yolo11s_cbam"]["architecture"] == "yolo11n_cbam"  # smoke takes the smaller letter
    assert found["yolo11s_cbam"]["weights"]["root"] == "starter"
    assert found["yolo11s_cbam"]["images"] == {"train": 4, "negatives": 0, "taught": 0, "generated": 0}
    assert found["yolo11s_synthetic"]["images"] == {"train": 4, "negatives": 0, "taught": 0, "generated": 10}
    assert found["yolo11s_synthetic"]["epochs_run"] == 1


def test_pages_are_drawn_for_documents_only(tmp_path):
    from pipelines.detection.fitting import _generated

    cfg = compose(overrides("infrastructure", "train.synthetic=1.0"))
    with pytest.raises(UserError, match=r"train.synthetic=1: pages are drawn, and infrastructure has none"):
        _generated(cfg, 10, tmp_path, None)


def test_kinds_are_classes_of_their_own_and_the_plain_ones_are_ignored():
    cfg = compose(["project=documents", "experiment=subclasses", *SMALL])
    taught = {name for name in cfg.prepare.class_map.values() if name in cfg.project.classes}
    assert taught == set(cfg.project.classes) and len(taught) == 6
    assert {"signature", "stamp"} <= set(cfg.prepare.ignore)
    assert set(cfg.project.classes) < set(cfg.review.labels)
