"""TensorRT: an engine in half precision, built from the ONNX file for the GPU of this machine and for no other.

Written after NVIDIA's documentation of TensorRT 10; neither library nor GPU was at hand to try it.
An engine holds no text, so the file begins with the metadata's length (4 bytes, little-endian) and the metadata.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UserError
from assay.export.metadata import to_text
from assay.export.runtimes import Opened, package
from assay.files import atomic_write

MAX_BATCH = 16  # an engine is built for a range of batches; more pictures are answered in parts


def export_tensorrt(onnx_path: Path, path: Path, *, metadata: Mapping[str, Any]) -> None:
    """Build the engine of an ONNX file for this machine's GPU and write it to `path`.

    Raises UserError where TensorRT or a GPU is missing, or TensorRT refuses the network.
    """
    tensorrt = package("tensorrt", "tensorrt")
    _gpu()
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(onnx_path.read_bytes()):
        raise UserError(f"export runtime tensorrt: it cannot read {onnx_path} ({parser.get_error(0)})")
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    config.set_flag(tensorrt.BuilderFlag.FP16)
    for index in range(network.num_inputs):
        part = network.get_input(index)
        rest = tuple(part.shape)[1:]
        profile.set_shape(part.name, (1, *rest), (1, *rest), (MAX_BATCH, *rest))
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise UserError("export runtime tensorrt: the engine cannot be built; see TensorRT's lines above")
    text = to_text(metadata).encode()
    with atomic_write(path) as temporary:
        temporary.write_bytes(len(text).to_bytes(4, "little") + text + bytes(engine))


def open_engine(tensorrt: Any, path: Path) -> Opened:
    """A file of `export_tensorrt` on the first GPU. Raises UserError without a GPU."""
    torch = _gpu()
    content = path.read_bytes()
    end = 4 + int.from_bytes(content[:4], "little")
    text = content[4:end].decode("utf-8")
    engine = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR)).deserialize_cuda_engine(content[end:])
    context = engine.create_execution_context()
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = tuple(name for name in names if engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT)
    (output,) = (name for name in names if name not in inputs)

    def part_of(fed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        held = {name: torch.from_numpy(np.ascontiguousarray(fed[name])).cuda() for name in inputs}
        for name, tensor in held.items():
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        answer = torch.empty(tuple(context.get_tensor_shape(output)), device="cuda")
        context.set_tensor_address(output, answer.data_ptr())
        stream = torch.cuda.current_stream()
        context.execute_async_v3(stream.cuda_stream)
        stream.synchronize()
        found: NDArray[np.float32] = answer.cpu().numpy()
        return found

    def run(fed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        rows = range(0, len(next(iter(fed.values()))), MAX_BATCH)
        return np.concatenate(
            [part_of({name: part[k : k + MAX_BATCH] for name, part in fed.items()}) for k in rows]
        )

    return Opened(run, inputs, text)


def _gpu() -> Any:
    """torch, where it sees a GPU. Raises UserError elsewhere."""
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            "export runtime tensorrt: no NVIDIA GPU is visible here; run the stage where there is one, or leave the "
            "runtime out of export.runtimes"
        )
    return torch
