import json

import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.export.metadata import KEY
from assay.export.predictor import Predictor
from assay.files import write_json


def test_what_it_needs_is_inside_the_file(exported):
    inside = {KEY: ""}
    torch.jit.load(exported.folder / "model.torchscript", _extra_files=inside)
    said = json.loads(inside[KEY])
    assert said == exported.metadata
    assert (said["input_mode"], said["classes"], said["thresholds"]) == (
        "norm",
        ["clean", "pit"],
        {"pit": 0.75},
    )


def test_it_answers_raw_pixels_as_onnx_does_at_any_batch_size(exported):
    images = [np.full((31, 17, 3), shade, np.uint8) for shade in range(0, 250, 50)]
    script, onnx = (Predictor.load(exported.folder, name, threads=1) for name in ("torchscript", "onnx"))
    expected = onnx.predict(images)
    assert expected.std() > 0.01
    for batch in (1, 2, 5):
        np.testing.assert_allclose(script.predict(images, batch=batch), expected, atol=1e-5)


def test_files_of_different_exports_are_refused(exported, tmp_path):
    (tmp_path / "model.torchscript").write_bytes((exported.folder / "model.torchscript").read_bytes())
    write_json(tmp_path / "metadata.json", {**exported.metadata, "input_mode": "raw"})
    with pytest.raises(UserError, match=r"not the export that metadata\.json describes"):
        Predictor.load(tmp_path, "torchscript")
    (tmp_path / "model.torchscript").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"model\.torchscript: cannot be loaded"):
        Predictor.load(tmp_path, "torchscript")
