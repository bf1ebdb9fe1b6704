import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from assay.data.images import fit
from assay.errors import UserError
from assay.export.parity import odd_images
from assay.export.predictor import Predictor
from assay.files import read_json, write_json
from assay.models.classifier import predict

RUNTIMES = ["onnx", "openvino_fp32", "openvino_bf16", "openvino_int8"]
ROUNDS_TO = {"onnx": 1e-5, "openvino_fp32": 1e-5, "openvino_bf16": 0.02, "openvino_int8": 0.05}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_images_of_any_size_answer_as_the_network_does(exported, runtime):
    images = list(odd_images().values())
    colour = [np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image for image in images]
    expected = predict(exported.module, np.stack([fit(image, 24) for image in colour]), input_mode="norm")
    answers = Predictor.load(exported.folder, runtime, threads=1).predict(images, batch=3)
    np.testing.assert_allclose(answers, expected, atol=ROUNDS_TO[runtime])
    assert expected.std(axis=0).min() > 0.01  # the images do differ, so agreement says something


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_path_answers_as_its_pixels_do(exported, runtime, tmp_path):
    pixels = odd_images()["312x517"]
    path = tmp_path / "kirsche ä 1.png"
    Image.fromarray(pixels).save(path)
    predictor = Predictor.load(exported.folder, runtime, threads=1)
    answers = predictor.predict([path, str(path), pixels])
    assert (answers == answers[0]).all()
    assert predictor.classes == ["clean", "pit"]


def test_no_images_no_answers(exported):
    assert Predictor.load(exported.folder).predict([]).shape == (0, 2)


def test_an_unreadable_image_is_named(exported, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"bad\.png: "):
        Predictor.load(exported.folder).predict([tmp_path / "bad.png"])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),  # 0-1 or 0-255? never guessed
        np.zeros(
            (4, 4, 4), np.uint8
        ),  # RGBA: reading a file composites it, an array is the caller's business
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_arrays_of_another_kind_are_refused(exported, array):
    with pytest.raises(ValueError, match="expected uint8"):
        Predictor.load(exported.folder).predict([array])


def test_a_foreign_pickle_is_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="expected an export folder"):
        Predictor.load(tmp_path / "model.pt")
    shutil.copy(tmp_path / "model.pt", tmp_path / "model.onnx")
    write_json(tmp_path / "metadata.json", {})
    with pytest.raises(UserError, match="cannot be loaded"):
        Predictor.load(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_model_and_metadata_of_different_exports_are_refused(exported, runtime, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "mixed")
    write_json(folder / "metadata.json", read_json(folder / "metadata.json") | {"input_mode": "raw"})
    with pytest.raises(UserError, match=r"not the export that metadata\.json describes"):
        Predictor.load(folder, runtime)


@pytest.mark.parametrize("missing", ["model.onnx", "metadata.json"])
def test_a_missing_file_says_which_stage_writes_it(exported, missing, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "partial")
    (folder / missing).unlink()
    with pytest.raises(UserError, match=f"{missing}: not found; run the export stage"):
        Predictor.load(folder)


@pytest.mark.parametrize(
    ("runtime", "file"),
    [
        ("onnx", "model.onnx"),
        ("openvino_fp32", "openvino/model.xml"),
        ("openvino_int8", "openvino_int8/model.xml"),
        ("onnx", "metadata.json"),
    ],
)
def test_a_damaged_model_is_one_line(exported, runtime, file, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "damaged")
    (folder / file).write_bytes((folder / file).read_bytes()[:300])
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        Predictor.load(folder, runtime)
    assert "\n" not in str(caught.value)
