"""ONNX export: one file with preprocessing, softmax and metadata inside."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.export.deployed import Deployed
from assay.export.metadata import KEY, to_text
from assay.files import atomic_write

OPSET = 18  # what torch's exporter writes itself: another version adds a conversion that can fail


def export_onnx(module: nn.Module, path: Path, *, metadata: Mapping[str, Any]) -> None:
    """Write `module` (logits of (N, 3, S, S) inputs) to `path` for any batch size.

    metadata: from `assay.export.metadata.describe`; its image_size and input_mode shape the graph.
    The graph's input is `pixels`, its output `probabilities`, see `Deployed`.
    """
    import onnx

    size = metadata["image_size"]
    deployed = Deployed(module, metadata["input_mode"]).cpu().eval()
    # two images, because torch.export takes a batch of one for a constant
    example = torch.zeros(2, 3, size, size)
    with quiet():
        program = torch.onnx.export(
            deployed,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    assert program is not None  # noqa: S101 - dynamo=True always returns a program
    model = program.model_proto
    onnx.helper.set_model_props(model, {KEY: to_text(metadata)})
    with atomic_write(path) as temporary:
        onnx.save_model(model, temporary)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's notes on its own progress; what goes wrong is an exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
