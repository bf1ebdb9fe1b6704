import copy
import json

import numpy as np
import onnx
import pandas as pd
import pytest
import torch

from assay.errors import UserError
from assay.export.detection import DetectorPredictor, export_detector
from assay.export.detection_parity import check_detector_parity
from assay.export.inputs import images_of
from assay.export.metadata import KEY, describe_detector
from assay.export.parity import ParityError
from assay.files import read_json, write_json
from assay.models.detector import Detector
from assay.models.letterbox import boxes_of, letterbox
from assay.registry import versions
from tests.models.networks import answering

CLASSES = ("cone", "drum")
ASKED = {"confidence": 0.7, "nms_iou": 0.5, "max_boxes": 20}
BUDGET = {
    "max_score_difference": 1e-3,
    "max_box_difference": 0.5,
    "max_map50_drop": 0.005,
    "max_rounded_map50_drop": 0.02,
}
RUNTIMES = ["onnx", "openvino_fp32", "openvino_bf16", "torchscript"]

INFO = {
    **{
        "architecture": "yolo11n",
        "classes": list(CLASSES),
        "image_size": 64,
        "experiment": "test",
        "seed": 1,
    },
    "weights": {"origin": "random", "detail": "test"},
}
METADATA = describe_detector(
    INFO,
    source={"project": "workzone", "source": "sample", "content": "c"},
    thresholds={"cone": 0.7, "drum": 0.8},
    nms_iou=0.5,
)


@pytest.fixture(scope="module")
def detector():
    return Detector(answering(CLASSES), classes=CLASSES, image_size=64)


@pytest.fixture(scope="module")
def folder(detector, tmp_path_factory):
    out = tmp_path_factory.mktemp("export")
    export_detector(detector, out / "model.onnx", metadata=METADATA, runtimes=RUNTIMES)
    return out


@pytest.fixture(scope="module")
def pictures():
    draw = np.random.default_rng(0)
    return [
        draw.integers(0, 256, (*side, 3), dtype=np.uint8) for side in [(64, 64), (90, 31), (1, 1), (20, 300)]
    ]


@pytest.mark.parametrize("runtime", ["onnx", "openvino_fp32", "torchscript"])
def test_the_export_is_the_detector(detector, folder, pictures, runtime):
    exported = DetectorPredictor.load(folder, runtime, threads=1)
    assert (exported.classes, exported.image_size) == (CLASSES, 64)
    expected = list(detector.predict(pictures, **ASKED))
    assert sum(map(len, expected)) > len(pictures)
    for batch in (1, 8):  # the number of pictures is not baked in
        for before, after in zip(expected, exported.predict(pictures, **ASKED, batch=batch), strict=True):
            assert np.array_equal(before.class_id, after.class_id)
            np.testing.assert_allclose(before.xyxy, after.xyxy, atol=0.05)
            np.testing.assert_allclose(before.confidence, after.confidence, atol=1e-4)
    assert list(exported.predict([], **ASKED)) == []
    assert not detector.module.model[-1].export  # the detector is as it was


def test_rectangles_are_what_the_network_says_of_rectangles(detector, folder, pictures):
    """Padded to multiples of 32 only, and one class an anchor: Ultralytics' `predict`."""
    exported = DetectorPredictor.load(folder, threads=1, rectangles=True)
    seen = []
    for picture, found in zip(pictures, exported.predict(pictures, **ASKED), strict=True):
        fitted, fit = letterbox(picture, 64, tight=True)
        seen.append(fitted.shape[:2])
        with torch.inference_mode():
            inputs = torch.from_numpy(fitted.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            raw = detector.module(inputs)[0][0].numpy()
        expected = boxes_of(raw, fit, one_class=True, **ASKED)
        assert np.array_equal(expected.class_id, found.class_id)
        np.testing.assert_allclose(expected.xyxy, found.xyxy, atol=0.05)
    assert (64, 32) in seen and (32, 64) in seen
    # an export of before, with fixed sides, is asked for squares
    fixed = DetectorPredictor(exported.opened, {**METADATA, "free_sides": False})
    assert not fixed.rectangles and len(list(fixed.predict(pictures, **ASKED))) == len(pictures)


def test_what_it_needs_is_inside_the_file(folder):
    inside = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert json.loads(inside[KEY]) == METADATA
    assert METADATA["task"] == "detection"


def test_a_faithful_export_passes_and_leaves_its_numbers(detector, folder, pictures):
    report = check_detector_parity(
        detector, folder, runtimes=RUNTIMES, images=pictures, scored=loses(0.001), **BUDGET
    )
    assert read_json(folder / "parity.json") == report
    assert report["images"] == len(pictures)
    assert report["odd_images"] == ["312x517", "1x1", "grey", "A4 portrait at 300 dpi"]
    for name, found in report["runtimes"].items():
        assert found["within_budget"] and found["map50_drop"] == 0.001
        assert (found["max_score_difference"] > 1e-4) == (name == "openvino_bf16")


@pytest.mark.parametrize(
    ("drop", "over"), [(0.01, "onnx"), (0.03, "onnx openvino_bf16"), (float("nan"), "onnx openvino_bf16")]
)
def test_an_export_that_finds_less_is_over_budget_though_its_numbers_are_right(
    detector, folder, pictures, drop, over
):
    with pytest.raises(ParityError, match=r"onnx strays from the model.*mAP50 by .*allowed 0\.005") as caught:
        check_detector_parity(
            detector,
            folder,
            runtimes=["onnx", "openvino_bf16"],
            images=pictures,
            scored=loses(drop),
            **BUDGET,
        )
    found = caught.value.report["runtimes"]
    assert [name for name in found if not found[name]["within_budget"]] == over.split()


@pytest.mark.slow
def test_8_bits_keep_the_head_and_are_held_to_what_they_find_alone(detector, pictures, tmp_path):
    from assay.export.runtimes import package

    draw = np.random.default_rng(1)
    calibration = [draw.integers(0, 256, (90, 64, 3), dtype=np.uint8) for _ in range(4)]
    export_detector(
        detector,
        tmp_path / "model.onnx",
        metadata=METADATA,
        runtimes=["onnx", "openvino_int8"],
        calibration=calibration,
    )
    model = package("openvino", "openvino_int8").Core().read_model(tmp_path / "openvino_int8/model.xml")
    rounded = [op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]
    assert rounded and not any("/model.23/cv" in name for name in rounded)
    report = check_detector_parity(
        detector,
        tmp_path,
        runtimes=["onnx", "openvino_int8"],
        images=pictures,
        scored=loses(0.01 / 2),
        **BUDGET,
    )
    found = report["runtimes"]["openvino_int8"]
    assert found["max_score_difference"] > BUDGET["max_score_difference"] and found["within_budget"]


def loses(drop):
    """What the pipeline measures of each export, here said."""
    return lambda exported: {"map50_drop": drop}


def broken_weight(module):
    module.model[-1].cv3[0][-1].bias.data[0] += 0.5


def broken_box(module):
    module.model[-1].cv2[1][-1].bias.data[0] += 5


def not_a_number(module):
    for branch in module.model[-1].cv3:
        branch[-1].bias.data[:] = float("nan")


@pytest.mark.parametrize("sabotage", [broken_weight, broken_box, not_a_number])
def test_another_network_in_the_file_fails_with_its_numbers(detector, pictures, tmp_path, sabotage):
    module = copy.deepcopy(detector.module)
    sabotage(module)
    other = Detector(module, classes=CLASSES, image_size=64)
    export_detector(other, tmp_path / "model.onnx", metadata=METADATA)
    with pytest.raises(ParityError, match="onnx strays from the model") as caught:
        check_detector_parity(detector, tmp_path, images=pictures[:1], scored=loses(0.0), **BUDGET)
    assert read_json(tmp_path / "parity.json") == caught.value.report  # the numbers outlive the failure
    found = caught.value.report["runtimes"]["onnx"]
    assert not found["within_budget"]
    assert (
        (found["max_box_difference"] > 0.5)
        if sabotage is broken_box
        else (found["max_score_difference"] > 0.01)
    )


def test_a_missing_or_foreign_file_is_named(tmp_path, folder):
    with pytest.raises(UserError, match=r"model.onnx: not found"):
        DetectorPredictor.load(tmp_path)
    model = onnx.load(folder / "model.onnx")
    del model.metadata_props[:]
    onnx.save_model(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="not an export of assay"):
        DetectorPredictor.load(tmp_path)


def test_inputs_become_pictures_or_paths():
    pixels = np.zeros((2, 3, 4, 3), np.uint8)
    assert [image.shape for image in images_of(pixels)] == [(3, 4, 3)] * 2
    assert images_of(["a.jpg"]) == ["a.jpg"]
    assert images_of(pd.DataFrame({"image": [pixels[0].tolist()]}))[0].dtype == np.uint8
    assert images_of(pd.DataFrame({"image": [[[[300, 0, 0]]]]}))[0].dtype == np.int64  # refused by predictors
    with pytest.raises(UserError, match="column 'image' missing; found picture"):
        images_of(pd.DataFrame({"picture": ["a.jpg"]}))
    with pytest.raises(UserError, match="image bytes: "):
        images_of([b"no image"])


@pytest.mark.parametrize(
    ("metadata", "served_by"),
    [
        (METADATA, "pyfunc_detection.py"),
        ({"task": "condition"}, "pyfunc_condition.py"),
        ({"classes": []}, "pyfunc.py"),
        (None, "pyfunc.py"),
    ],
)
def test_the_file_that_serves_an_export_is_its_tasks(tmp_path, metadata, served_by):
    if metadata is not None:
        write_json(tmp_path / "metadata.json", metadata)
    path = versions.SERVED_BY[versions._task(tmp_path)]
    assert path.name == served_by and path.is_file()


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    """The model as a user gets it: saved as models-from-code and loaded again."""
    import warnings

    import mlflow.pyfunc

    path = tmp_path_factory.mktemp("mlflow") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            path,
            python_model=str(versions.SERVED_BY["detection"]),
            artifacts={"export": str(folder)},
            pip_requirements=["numpy"],
        )
        return mlflow.pyfunc.load_model(str(path))


def test_a_served_detector_shows_boxes_from_their_classs_threshold_on(served, folder, pictures):
    answer = served.predict(pd.DataFrame({"image": [picture.tolist() for picture in pictures]}))
    assert answer.columns.tolist() == ["image", "label", "x1", "y1", "x2", "y2", "score"]
    expected = DetectorPredictor.load(folder).predict(pictures, confidence=0.7, nms_iou=0.5, max_boxes=100)
    rows = [
        (k, CLASSES[label], *box.tolist(), score)
        for k, found in enumerate(expected)
        for label, box, score in zip(found.class_id, found.xyxy, found.confidence, strict=True)
        if score >= (0.7, 0.8)[label]
    ]
    assert [tuple(row[:2]) for row in answer.to_numpy()] == [row[:2] for row in rows]
    assert {"cone", "drum"} == set(answer["label"])
    np.testing.assert_allclose(answer.iloc[:, 2:].to_numpy(float), [row[2:] for row in rows], atol=0.05)


def test_a_served_detector_that_sees_nothing_answers_an_empty_table(served, monkeypatch):
    model = served.unwrap_python_model()
    none = {**model.predictor.metadata, "thresholds": {"cone": 1.1, "drum": 1.1}}
    monkeypatch.setattr(model.predictor, "metadata", none)
    answer = served.predict([np.zeros((8, 8, 3), np.uint8)])
    assert answer.columns.tolist() == ["image", "label", "x1", "y1", "x2", "y2", "score"] and answer.empty


def test_a_served_detector_of_pages_answers_groups_with_what_they_were_made_of(served, pictures, monkeypatch):
    """Everything of a class on a picture becomes one mark here, by a rule of a distance that no picture has."""
    model = served.unwrap_python_model()
    rule = {"drop_contained": 1.0, "distance": 10_000, "page_side": None, "iou": 0.2, "containment": 0.6}
    raw = served.predict(pictures)
    monkeypatch.setattr(model.predictor, "metadata", {**model.predictor.metadata, "grouping": rule})
    answer = served.predict(pictures)
    assert answer.columns.tolist() == [*raw.columns, "merged_count"]
    counted = raw.groupby(["image", "label"]).size()
    assert counted.max() > 1  # there is something to join
    assert answer.set_index(["image", "label"])["merged_count"].sort_index().to_dict() == counted.to_dict()
    whole = raw.groupby(["image", "label"])[["x1", "y1"]].min()
    mine = answer.set_index(["image", "label"])[["x1", "y1"]].sort_index()
    np.testing.assert_allclose(mine.to_numpy(float), whole.to_numpy(float), atol=0.05)


def test_a_served_detector_refuses_what_is_no_image(served, tmp_path):
    with pytest.raises(UserError, match=r"none.jpg: .*give a readable image"):
        served.predict([str(tmp_path / "none.jpg")])
    with pytest.raises(ValueError, match="expected uint8"):
        served.predict(pd.DataFrame({"image": [[[[0.5, 0.5, 0.5]]]]}))
