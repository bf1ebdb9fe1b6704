"""Features of a backbone that does not learn: computed once for each image, however many trainings look at it."""

import hashlib

import torch
from torch import Tensor, nn

from assay.models import timm_adapter
from assay.models.classifier import InputMode, to_input
from assay.training.checkpoint import fingerprint
from assay.training.epochs import EVALUATION_BATCH
from assay.training.precision import Precision, autocast

Features = dict[bytes, Tensor]
"""(F,) float32 features by a digest of image and backbone."""


def frozen_features(
    module: nn.Module, images: Tensor, input_mode: InputMode, precision: Precision, known: Features
) -> Tensor:
    """Features (N, F) in float32 of (N, S, S, 3) uint8 images; what `known` lacks is computed and added to it.

    A feature is known by its image and by all that it follows from: the backbone's weights, input mode, precision.
    """
    head = {id(tensor) for tensor in timm_adapter.head_of(module).state_dict(keep_vars=True).values()}
    backbone = {
        name: part for name, part in module.state_dict(keep_vars=True).items() if id(part) not in head
    }
    made_by = [type(module).__name__, input_mode, precision, images.device.type, list(backbone)]
    origin = fingerprint({"made_by": made_by}, [], backbone).encode()
    keys = [
        hashlib.blake2b(origin + image.tobytes(), digest_size=16).digest() for image in images.cpu().numpy()
    ]
    first = {key: row for row, key in reversed(list(enumerate(keys))) if key not in known}
    missing = sorted(first.values())
    module.eval()
    # no inference tensors: autograd reads them later
    with torch.no_grad(), autocast(precision, images.device):
        for start in range(0, len(missing), EVALUATION_BATCH):
            rows = missing[start : start + EVALUATION_BATCH]
            computed = timm_adapter.features_of(module, to_input(images[rows], input_mode)).float()
            known |= {keys[row]: feature for row, feature in zip(rows, computed, strict=True)}
    return torch.stack([known[key] for key in keys])
