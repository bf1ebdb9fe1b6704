import subprocess
import sys
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from assay.errors import UserError
from assay.export import runtimes
from assay.export.runtimes import FILES, open_model
from assay.export.tensorrt import export_tensorrt
from assay.export.torchscript import export_torchscript


def squares(folder):
    """(1e-20 x)^2 for a whole picture: 4e-40, denormal, for x = 2."""
    shape = ["n", 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["pixels", "c"], ["a"]), helper.make_node("Mul", ["a", "a"], ["answer"])],
        "squares",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(1e-20, np.float32), "c")],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save_model(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "squares.onnx")
    return folder / "squares.onnx"


def traced_squares(folder):
    """The same as TorchScript."""

    class Squares(nn.Module):
        def forward(self, pixels):
            return (1e-20 * pixels) ** 2

    path = folder / "squares.torchscript"
    export_torchscript(Squares(), path, example=(torch.ones(1, 3, 64, 64),), metadata={})
    return path


ASK = """
import sys
from types import ModuleType
from pathlib import Path
import numpy as np
from assay.export.runtimes import open_model
opened = open_model(Path(sys.argv[1]), sys.argv[2], 2)
answer = opened.run({"pixels": np.full((8, 3, 64, 64), 2, np.float32)})
print(np.count_nonzero(answer.view(np.int32)), answer.size)
"""


@pytest.mark.parametrize("runtime", ["onnx", "openvino_fp32", "torchscript"])
def test_every_thread_flushes_denormals(runtime, tmp_path):
    # a process of its own: the first model that a process opens decides for all. OpenVINO reads ONNX files too
    path = squares(tmp_path) if runtime != "torchscript" else traced_squares(tmp_path)
    answer = subprocess.run(
        [sys.executable, "-c", ASK, path, runtime], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["0", str(8 * 3 * 64 * 64)]


def test_without_the_option_denormals_are_kept(tmp_path):
    # or the test above would pass on a machine that flushes them by itself
    plain = (
        "import sys, numpy as np, onnxruntime as o;"
        "s = o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']);"
        "print(np.count_nonzero(s.run(None, {'pixels': np.full((8, 3, 64, 64), 2, 'f4')})[0].view('i4')))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", plain, squares(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) == 8 * 3 * 64 * 64


def test_bf16_rounds_and_fp32_does_not(exported):
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 3, 24, 24)).astype(np.float32)
    onnx_, fp32, bf16 = (
        open_model(exported.folder / FILES[name], name, 1).run({"pixels": pixels})
        for name in ("onnx", "openvino_fp32", "openvino_bf16")
    )
    assert np.abs(fp32 - onnx_).max() < 1e-5 < np.abs(bf16 - onnx_).max() < 0.02


@pytest.mark.parametrize(
    ("runtime", "library"),
    [
        ("onnx", "onnxruntime"),
        ("openvino_int8", "openvino"),
        ("torchscript", "torch"),
        ("tensorrt", "tensorrt"),
    ],
)
def test_a_runtime_that_is_not_installed_is_one_line(exported, runtime, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        UserError, match=f"runtime {runtime}: {library} cannot be imported.*export.runtimes"
    ) as e:
        open_model(exported.folder / FILES[runtime], runtime)
    assert "\n" not in str(e.value)


def test_every_runtime_has_a_file():
    assert set(runtimes.FILES) == set(runtimes.Runtime.__args__) > runtimes.EXACT


def test_tensorrt_without_a_gpu_is_one_line(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"runtime tensorrt: no NVIDIA GPU is visible.*export\.runtimes") as e:
        export_tensorrt(exported.folder / "model.onnx", tmp_path / "model.engine", metadata=exported.metadata)
    assert "\n" not in str(e.value) and not (tmp_path / "model.engine").exists()
    (tmp_path / "model.engine").write_bytes(b"\0\0\0\0")
    with pytest.raises(
        UserError, match=r"^export runtime tensorrt: no NVIDIA GPU is visible"
    ):  # nothing is damaged
        open_model(tmp_path / "model.engine", "tensorrt")
