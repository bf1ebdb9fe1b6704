"""TorchScript: the traced network in one file that torch and libtorch run; its metadata is one of the file's extra files.

torch calls TorchScript deprecated and goes on reading it. A file is a program: open only files of your own.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.export.metadata import KEY, to_text
from assay.export.onnx import quiet
from assay.export.runtimes import Opened
from assay.files import atomic_write


def export_torchscript(
    deployed: nn.Module, path: Path, *, example: tuple[Tensor, ...], metadata: Mapping[str, Any]
) -> None:
    """Write `deployed`, with its preprocessing inside, to `path`.

    example: inputs of the shapes it will see; their first dimension stays free.
    """
    with quiet(), torch.inference_mode():
        traced = torch.jit.freeze(torch.jit.trace(deployed.cpu().eval(), example, check_trace=False))
    with atomic_write(path) as temporary, quiet():
        traced.save(str(temporary), _extra_files={KEY: to_text(metadata)})


def open_torchscript(library: Any, path: Path, threads: int) -> Opened:
    """A file of `export_torchscript`, on the CPU; library: the imported torch."""
    library.set_flush_denormal(True)
    library.set_num_threads(threads)
    inside: dict[str, Any] = {KEY: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = library.jit.load(str(path), map_location="cpu", _extra_files=inside)
    names = tuple(argument.name for argument in module.forward.schema.arguments[1:])

    def run(fed: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        with library.inference_mode():
            answer: NDArray[np.float32] = module(
                *(library.from_numpy(np.ascontiguousarray(fed[name])) for name in names)
            ).numpy()
        return answer

    return Opened(run, names, bytes(inside[KEY]).decode("utf-8") if inside[KEY] else "")
