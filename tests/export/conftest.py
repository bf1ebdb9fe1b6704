from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from assay.export.artifacts import export_others
from assay.export.deployed import Deployed
from assay.export.metadata import describe
from assay.export.onnx import export_onnx
from assay.files import write_json

INFO = {
    "architecture": "tiny",
    "classes": ["clean", "pit"],
    "image_size": 24,
    "input_mode": "norm",
    "weights": {"origin": "random", "detail": "seed 0"},
    "experiment": "test",
}


def tiny_network() -> nn.Module:
    """Convolution, batch norm, pooling, head: what every classifier has, exported in seconds."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    module[-1].weight.data *= 4  # probabilities away from one half
    return module.eval()


def calibration_images(n=40) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [(random.random((24, 24, 3)) * random.uniform(20, 255, 3)).astype(np.uint8) for _ in range(n)]


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A tiny network exported to every runtime: .module, .info, .folder, .metadata."""
    folder = tmp_path_factory.mktemp("export")
    module = tiny_network()
    metadata = describe(
        INFO, source={"project": "cherry", "source": "sample", "content": "c"}, thresholds={"pit": 0.75}
    )
    export_onnx(module, folder / "model.onnx", metadata=metadata)
    export_others(
        folder,
        ["openvino_fp32", "openvino_int8", "torchscript"],
        deployed=Deployed(module, "norm"),
        example=(torch.zeros(2, 3, 24, 24),),
        metadata=metadata,
        calibration=calibration_images(),
    )
    write_json(folder / "metadata.json", metadata)
    return SimpleNamespace(module=module, info=INFO, folder=folder, metadata=metadata)
