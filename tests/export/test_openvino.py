import json

import numpy as np
import openvino

from assay.export.metadata import KEY
from assay.export.openvino import export_openvino
from assay.export.predictor import Predictor


def test_fp32_weights_and_the_metadata_inside(exported):
    model = openvino.Core().read_model(exported.folder / "openvino" / "model.xml")
    assert json.loads(model.get_rt_info([KEY]).astype(str)) == exported.metadata
    weights = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    assert not any(op.get_element_type() == openvino.Type.f16 for op in weights)


def test_converting_tells_nobody(exported, tmp_path, monkeypatch):
    def sent(*arguments, **named):
        raise AssertionError("telemetry")

    for name in ("start_session", "send_event"):
        monkeypatch.setattr(f"openvino_telemetry.Telemetry.{name}", sent)
    export_openvino(exported.folder / "model.onnx", tmp_path / "openvino", metadata=exported.metadata)
    assert (tmp_path / "openvino" / "model.bin").is_file()


def test_any_batch_size(exported):
    predictor = Predictor.load(exported.folder, "openvino", threads=1)
    images = [np.full((24, 24, 3), shade, np.uint8) for shade in range(0, 250, 50)]
    together = predictor.predict(images)
    one_by_one = np.concatenate([predictor.predict([image]) for image in images])
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
