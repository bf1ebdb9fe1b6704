import json

import numpy as np
import onnx
import onnxruntime

from assay.export.metadata import KEY
from assay.export.onnx import OPSET


def test_one_file_with_any_batch_size_and_its_metadata(exported):
    model = onnx.load(exported.folder / "model.onnx")
    onnx.checker.check_model(model)
    assert [opset.version for opset in model.opset_import if not opset.domain] == [OPSET]
    assert json.loads({prop.key: prop.value for prop in model.metadata_props}[KEY]) == exported.metadata
    assert list(exported.folder.glob("*.data")) == []  # no weights outside: the file can be moved alone
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx")
    for n in (1, 5):
        pixels = np.full((n, 3, 24, 24), 127, np.float32)
        probabilities = session.run(["probabilities"], {"pixels": pixels})[0]
        np.testing.assert_allclose(probabilities.sum(axis=1), np.ones(n), atol=1e-6)
