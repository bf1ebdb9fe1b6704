import json

import pandas as pd
import pytest

from assay.errors import UserError
from assay.export.int8 import calibration_set, describe_calibration, export_int8
from assay.export.metadata import KEY
from assay.export.runtimes import package

openvino = package("openvino", "openvino_int8")


def manifest(train=20, val=6, shared=2) -> pd.DataFrame:
    """The first `shared` training images are validation images too, pixel for pixel, as in the cherry data."""
    rows = [("train", f"train/{k}.png", f"pixels {k}") for k in range(train)]
    rows += [("val", f"val/{k}.png", f"pixels {k if k < shared else 100 + k}") for k in range(val)]
    return pd.DataFrame(rows, columns=["split", "image", "pixels"])


def test_only_training_images_calibrate_and_none_that_is_judged():
    every = calibration_set(manifest(), images=300, seed=0)
    assert list(every["image"]) == [f"train/{k}.png" for k in range(2, 20)]
    some = calibration_set(manifest(), images=5, seed=0)
    assert len(some) == 5 and set(some["image"]) <= set(every["image"])
    assert list(calibration_set(manifest(), images=5, seed=0)["image"]) == list(some["image"])
    assert list(calibration_set(manifest(), images=5, seed=1)["image"]) != list(some["image"])


def test_a_copy_of_a_test_image_calibrates_nothing():
    tested = pd.DataFrame([("test", "test/0.png", "pixels 7")], columns=["split", "image", "pixels"])
    chosen = calibration_set(pd.concat([manifest(), tested], ignore_index=True), images=300, seed=0)
    assert list(chosen["image"]) == [f"train/{k}.png" for k in range(2, 20) if k != 7]


def test_metadata_names_the_set_by_its_content():
    first = calibration_set(manifest(), images=5, seed=0)
    said = describe_calibration(first, seed=0)
    assert (said["images"], said["split"], said["seed"], len(said["content"])) == (5, "train", 0, 64)
    repainted = first.assign(pixels=["other", *first["pixels"][1:]])
    assert describe_calibration(repainted, seed=0)["content"] != said["content"]


@pytest.mark.parametrize("rows", [manifest(train=0), manifest(train=2)])
def test_nothing_to_calibrate_on_is_one_line(rows):
    with pytest.raises(UserError, match="no training image is left to calibrate on") as caught:
        calibration_set(rows, images=300, seed=0)
    assert "\n" not in str(caught.value)


def test_an_empty_set_is_refused(exported, tmp_path):
    with pytest.raises(UserError, match="calibration set is empty"):
        export_int8(exported.folder / "model.onnx", tmp_path / "int8", images=[], metadata=exported.metadata)


def test_8_bit_weights_a_fixed_batch_and_the_metadata_inside(exported):
    model = openvino.Core().read_model(exported.folder / "openvino_int8" / "model.xml")
    assert json.loads(model.get_rt_info([KEY]).astype(str)) == exported.metadata
    assert list(model.input(0).shape) == [1, 3, 24, 24]
    kinds = [operation.get_type_name() for operation in model.get_ops()]
    assert "FakeQuantize" in kinds
    integers = [
        operation.get_element_type()
        for operation in model.get_ops()
        if operation.get_type_name() == "Constant"
    ]
    assert openvino.Type.i8 in integers
