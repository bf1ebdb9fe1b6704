"""One photo through both stages."""

from types import SimpleNamespace

import numpy as np
import pytest

from assay.data.condition_features import GEOMETRIC, RECOMPUTED
from assay.data.conditions_table import FEATURES
from assay.errors import UserError
from assay.inspection import stages
from assay.inspection.stages import Inspector, UnusablePhoto, inspect_photo, judge_of, places, unsure
from tests.inspection.conftest import CLASSES, Boxes, Bright, photo, save

LEFT = ("rock_toe", 0.9, 10, 10, 40, 40)
RIGHT = ("slope_drain", 0.5, 60, 20, 90, 50)


def test_every_box_gets_the_condition_of_its_own_crop(inspector):
    judge = Bright()
    found = inspector(LEFT, RIGHT, judge=judge).inspect(photo())
    assert (found["width"], found["height"], found["dropped"]) == (100, 60, 0)
    one, other = found["objects"]
    assert (one["label"], one["condition"], one["box"]) == ("rock_toe", "normal", [10.0, 10.0, 40.0, 40.0])
    assert (other["label"], other["condition"], other["confidence"]) == ("slope_drain", "conditional", 0.5)
    assert one["probabilities"] == {"normal": 1.0, "conditional": 0.0} and one["condition_confidence"] == 1.0
    assert [crop.shape for crop in judge.crops] == [(30, 30, 3)] * 2 and judge.types == [
        "rock_toe",
        "slope_drain",
    ]


def test_stage_two_reads_the_numbers_it_was_trained_with(inspector):
    judge = Bright()
    found = inspector(LEFT, RIGHT, judge=judge).inspect(photo())
    assert list(found["objects"][0]["place"]) == judge.metadata["spatial_features"]
    # y centre 25 of 60 px; a rock toe overlaps itself; 30 x 30 px
    np.testing.assert_allclose(judge.spatial[0], [25 / 60, 1.0, 1.0], rtol=1e-5)
    np.testing.assert_allclose(judge.spatial[1], [35 / 60, 0.0, 1.0], rtol=1e-5)


def test_every_feature_of_training_can_be_computed_from_boxes():
    table = places(np.array([[0.1, 0.1, 0.4, 0.5]]), ["slope_drain"], np.array([0.7]), (100, 60))
    assert set(table) == {*GEOMETRIC, *FEATURES, *RECOMPUTED}
    assert table.loc[0, "detector_confidence"] == 0.7 and table.loc[0, "distance_to_slope_drain"] == 0.0


def test_thresholds_are_each_class_s_own(inspector):
    boxes = [("rock_toe", 0.2, 0, 0, 20, 20), ("slope_drain", 0.2, 30, 0, 50, 20)]
    here = inspector(*boxes)
    assert [one["label"] for one in here.inspect(photo())["objects"]] == ["rock_toe"]
    asked = here.inspect(photo(), confidence={"rock_toe": 0.3, "slope_drain": 0.1})
    assert [one["label"] for one in asked["objects"]] == ["slope_drain"]
    assert here.thresholds() == {"rock_toe": 0.15, "slope_drain": 0.25, "toe_drain": 0.25, "vegetation": 0.25}
    with pytest.raises(UserError, match=r"'tree'.*rock_toe"):
        here.inspect(photo(), confidence={"tree": 0.5})
    with pytest.raises(UserError, match=r"rock_toe 1.5: expected 0 to 1"):
        here.thresholds({"rock_toe": 1.5})


def test_no_objects_is_an_answer(inspector):
    assert inspector().inspect(photo()) == {"width": 100, "height": 60, "objects": [], "dropped": 0}


def test_a_box_of_less_than_a_pixel_is_counted_and_left_out(inspector):
    found = inspector(LEFT, ("rock_toe", 0.8, 50, 10, 50.3, 40)).inspect(photo())
    assert len(found["objects"]) == 1 and found["dropped"] == 1


def test_a_photo_of_one_pixel_is_no_photo(inspector):
    with pytest.raises(UnusablePhoto, match="too small: 1x1 pixels"):
        inspector(LEFT).inspect(photo(1, 1))


def test_exports_that_do_not_belong_together_are_refused(monkeypatch, tmp_path):
    from assay.export.condition_predictor import ConditionPredictor
    from assay.export.detection import DetectorPredictor

    boxes, bright = Boxes(LEFT), Bright()
    monkeypatch.setattr(DetectorPredictor, "load", lambda folder, runtime, threads: boxes)
    monkeypatch.setattr(ConditionPredictor, "load", lambda folder, runtime, threads: bright)
    boxes.metadata["task"], bright.metadata["task"] = "detection", "detection"
    with pytest.raises(UserError, match="export of task detection, expected condition"):
        Inspector.load(tmp_path / "a", tmp_path / "b")
    bright.metadata["task"] = "condition"
    assert Inspector.load(tmp_path, tmp_path).about["detector"]["classes"] is None
    bright.metadata["object_types"] = ["rock_toe"]
    with pytest.raises(UserError, match="knows no slope_drain, toe_drain, vegetation"):
        Inspector.load(tmp_path, tmp_path)


def test_one_call_from_a_file_to_conditions(monkeypatch, inspector, tmp_path):
    here = inspector(LEFT)
    monkeypatch.setattr(stages.Inspector, "load", classmethod(lambda *_: here))
    assert inspect_photo(save(tmp_path / "a.png", photo()))["objects"][0]["condition"] == "normal"
    with pytest.raises(UserError, match=r"none\.png"):
        inspect_photo(tmp_path / "none.png")


def test_a_folder_without_an_export_is_named(tmp_path):
    with pytest.raises(UserError, match="run the export stage"):
        Inspector.load(tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"openvino.model\.xml: not found"):  # what was not exported is named
        Inspector.load(tmp_path, tmp_path, runtime="openvino_fp32")
    with pytest.raises(UserError, match="--runtime tflite: expected one of onnx, openvino_fp32"):
        Inspector.load(tmp_path, tmp_path, runtime="tflite")


def test_an_unsure_condition_is_a_reason_to_look_at_a_photo():
    found = next(Boxes(LEFT, RIGHT).predict([photo()], confidence=0, nms_iou=1, max_boxes=9))
    ask = {"classes": CLASSES, "thresholds": dict.fromkeys(CLASSES, 0.25), "below": 0.75}
    assert unsure(Bright(), photo(), found, **ask) is None
    grey = photo() // 2 + 80  # 207 and 80 of 255
    reason, surprise, label = unsure(Bright(), grey, found, **ask)
    assert (reason, label) == ("unsure_condition", "slope_drain") and surprise == pytest.approx(
        80 / 255, abs=1e-3
    )
    assert unsure(Bright(), grey, found, **ask | {"below": 0.6}) is None
    assert unsure(Bright(), grey, found[found.confidence > 0.95], **ask) is None
    higher = {**ask["thresholds"], "slope_drain": 0.99}  # a box that is not shown is not judged
    assert (unsure(Bright(), grey, found, **ask | {"thresholds": higher}) or ("", 0, ""))[2] != "slope_drain"


def test_what_judges_candidates_is_checked_as_the_inspections_second_stage(monkeypatch, tmp_path):
    from assay.export.condition_predictor import ConditionPredictor

    def opened(metadata):
        monkeypatch.setattr(
            ConditionPredictor, "load", classmethod(lambda *_, **__: SimpleNamespace(metadata=metadata))
        )

    opened({"task": "detection", "classes": list(CLASSES)})
    with pytest.raises(UserError, match="export of task detection, expected condition"):
        judge_of(tmp_path, CLASSES, "yolo11s_best")
    opened({"task": "condition", "object_types": ["rock_toe"]})
    with pytest.raises(UserError, match=r"knows no slope_drain, .*which yolo11s_best finds"):
        judge_of(tmp_path, CLASSES, "yolo11s_best")
