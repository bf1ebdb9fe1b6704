"""Image backbones whose features a condition classifier reads: CLIP's image tower, or an ImageNet network."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from assay.errors import UserError
from assay.models import clip_adapter, timm_adapter
from assay.models.classifier import NORMALISATION
from assay.models.weights import Weights
from assay.models.weights import resolve as resolve_timm

SIDE = 224  # px; what all of them were pretrained on


class Backbone(nn.Module):
    """(N, 3, 224, 224) RGB values 0-255 -> (N, `width`) L2-normalised features.

    The pixels' normalisation is part of it, so that no caller can get it wrong. `name` is the configuration's.
    """

    def __init__(self, name: str, weights: Weights, seed: int = 0) -> None:
        super().__init__()
        self.name = name
        self.clip = is_clip(name)
        mean, std = (clip_adapter.MEAN, clip_adapter.STD) if self.clip else NORMALISATION["norm"]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255, persistent=False)
        if self.clip:
            self.network = clip_adapter.build_vision(name, weights, seed)
            self.width = clip_adapter.embedding_size(name)
        else:
            network = timm_adapter.build(name, classes=2, image_size=SIDE, weights=weights, seed=seed)
            self.width = timm_adapter.head_of(network).in_features
            cast(Any, network).reset_classifier(0)  # features come out; the classes' layer is another's
            self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of unit length."""
        inputs = (pixels - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        features = clip_adapter.embed(self.network, inputs) if self.clip else self.network(inputs)
        return F.normalize(features, dim=1)

    def unfreeze(self, last: int | str) -> list[nn.Module]:
        """Freeze everything but the `last` transformer blocks ("all": nothing is frozen); the parts that learn.

        What follows the blocks (CLIP's last layer norm and projection) learns with them. Raises UserError for
        more blocks than there are, and for a network without transformer blocks.
        """
        self.requires_grad_(False)
        if last == 0:
            return []
        if last == "all":
            self.requires_grad_(True)
            return [self.network]
        if not self.clip:
            raise UserError(
                f"model.unfrozen_blocks={last}: {self.name} is no transformer; take 0, all, or a CLIP backbone"
            )
        blocks = clip_adapter.blocks(self.network)
        if int(last) > len(blocks):
            raise UserError(f"model.unfrozen_blocks={last}: {self.name} has {len(blocks)} blocks")
        network = cast(Any, self.network)
        parts = [
            *blocks[-int(last) :],
            network.vision_model.post_layernorm,
            network.visual_projection,
        ]
        for part in parts:
            part.requires_grad_(True)
        return parts


def is_clip(name: str) -> bool:
    """Whether the backbone is one of CLIP's, which also know words."""
    return name in clip_adapter.SIZES


def resolve(name: str, *, path: str | None, allow_download: bool, allow_random_init: bool) -> Weights:
    """The backbone's pretrained weights, in the order of `assay.models.weights`; raises UserError as that does."""
    if is_clip(name):
        return clip_adapter.resolve(
            name, path=path, allow_download=allow_download, allow_random_init=allow_random_init
        )
    return resolve_timm(
        name,
        path=path,
        pretrained=True,
        allow_download=allow_download,
        allow_random_init=allow_random_init,
    )


def parameter_count(backbone: Backbone) -> int:
    """Parameters as their authors count them: of CLIP both towers, although only one looks at images."""
    if backbone.clip:
        return clip_adapter.parameter_count(backbone.name)
    return sum(parameter.numel() for parameter in backbone.parameters())
