import json
import os
import subprocess
import sys

import numpy as np
import pytest

from assay.export.metadata import KEY
from assay.export.predictor import Predictor
from assay.export.runtimes import package

openvino = package("openvino", "openvino_fp32")


def test_fp32_weights_and_the_metadata_inside(exported):
    model = openvino.Core().read_model(exported.folder / "openvino" / "model.xml")
    assert json.loads(model.get_rt_info([KEY]).astype(str)) == exported.metadata
    weights = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    assert not any(op.get_element_type() == openvino.Type.f16 for op in weights)


TELL = """
import sys
from pathlib import Path
import numpy as np
from assay.export.int8 import export_int8
from assay.export.openvino import export_openvino
from assay.export.runtimes import open_model
onnx, folder = Path(sys.argv[1]), Path(sys.argv[2])
pictures = [np.full((24, 24, 3), shade, np.uint8) for shade in (20, 120, 220)]
export_openvino(onnx, folder / "fp32", metadata={})
export_int8(onnx, folder / "int8", images=pictures, metadata={"image_size": 24})
open_model(folder / "int8/model.xml", "openvino_int8", 1)
"""


def test_nobody_is_told_of_it(exported, tmp_path):
    # a process of its own: OpenVINO reports when it is imported, and NNCF keeps quiet where it sees pytest
    (tmp_path / "openvino_telemetry.py").write_text("raise SystemExit('told')")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    subprocess.run(
        [sys.executable, "-c", TELL, exported.folder / "model.onnx", tmp_path],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (tmp_path / "fp32/model.bin").is_file() and (tmp_path / "int8/model.bin").is_file()


@pytest.mark.parametrize("runtime", ["openvino_fp32", "openvino_int8"])
def test_any_batch_size(exported, runtime):
    predictor = Predictor.load(exported.folder, runtime, threads=1)
    images = [np.full((24, 24, 3), shade, np.uint8) for shade in range(0, 250, 50)]
    together = predictor.predict(images)
    one_by_one = np.concatenate([predictor.predict([image]) for image in images])
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
