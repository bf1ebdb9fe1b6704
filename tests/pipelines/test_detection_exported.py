"""A detector's export is held to what the evaluation of its own model stored, on images that chose nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from supervision import Detections

from assay.config import compose
from assay.data.source import write_source
from assay.errors import UserError
from assay.evaluation.boxes import write_boxes
from assay.files import write_json
from pipelines.detection import export
from pipelines.detection.exported import evaluated, map50_drop
from tests.evaluation.detectors import stored

OURS, OTHERS = "a" * 64, "b" * 64
FIVE = (0, 0, 50, 50)


@pytest.fixture
def build(tmp_path, monkeypatch):
    """build/<project> of a model that finds the object of the validation image and that of the test image."""
    monkeypatch.chdir(tmp_path)
    cfg = compose(["project=infrastructure", "experiment=yolo11s_epoch6", "profile=smoke"])
    folder = Path(cfg.build)
    (folder / "dataset").mkdir(parents=True)
    for name in ("v.png", "t.png"):
        Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(folder / "dataset" / name)
    content = write_source(folder / "dataset", project="infrastructure", kind="sample", note="")["content"]
    told = {"experiment": cfg.experiment.id, "profile": cfg.profile.name, "seed": cfg.seed}
    write_json(folder / "model/model.json", {"id": OURS, **told})

    def evaluate(*, thresholds=OURS, predictions=OURS, splits=("val", "test"), data=content, marked="vt"):
        images = [(f"{split[0]}.png", split, "", False, 100, 100) for split in splits]
        boxes = stored(
            [("model", name, "rock_toe", *FIVE, 0.9) for name, *_ in images],
            [(name, "rock_toe", *FIVE, False) for name, *_ in images if name[0] in marked],
            images,
            classes=cfg.project.classes,
        )
        boxes.models["model"]["hash"] = predictions
        boxes.data["content"] = data
        write_boxes(folder / "evaluation/predictions.parquet", boxes)
        write_json(
            folder / "evaluation/thresholds.json", {"model": thresholds, "thresholds": {"rock_toe": 0.3}}
        )
        return cfg

    return evaluate


@pytest.mark.parametrize(
    ("stale", "file"), [("thresholds", "thresholds.json"), ("predictions", "predictions.parquet")]
)
def test_what_was_stored_of_another_model_is_refused(build, stale, file):
    cfg = build(**{stale: OTHERS})
    with pytest.raises(
        UserError, match=rf"{file}: of model bbbbbbbbbbbb, not of build/infrastructure/model"
    ) as e:
        export.main(cfg)
    assert "dvc repro evaluate@infrastructure" in str(e.value) and "\n" not in str(e.value)


def test_boxes_of_other_data_are_refused(build):
    with pytest.raises(UserError, match="predictions of other data"):
        evaluated(build(data="d" * 64))


@pytest.mark.parametrize(
    ("splits", "drop"),
    [(("val", "test"), 1.0), (("val",), 0.0)],  # test where there is one: validation chose the epoch
)
def test_the_metric_is_compared_on_test_images_where_there_are_some(build, splits, drop):
    class OnlyOfTheFirst:
        """Finds what is in v.png, and in the test image nothing."""

        classes = ("rock_toe",)

        def predict(self, images, **asked):
            assert len(list(images)) == 1
            if "test" in splits:
                return [Detections.empty()]
            return [
                Detections(np.array([FIVE], np.float32), confidence=np.array([0.9]), class_id=np.array([0]))
            ]

    cfg = build(splits=splits)
    found = evaluated(cfg)
    assert found.thresholds == {"rock_toe": 0.3}
    assert found.images == ["t.png" if "test" in splits else "v.png"]
    assert map50_drop(cfg, found, OnlyOfTheFirst()) == {
        "map50": 1 - drop,
        "map50_drop": drop,
        "map50_images": 1,
    }


def test_a_test_split_without_an_object_has_no_map50_so_validation_is_taken(build):
    assert evaluated(build(marked="v")).images == ["v.png"]
