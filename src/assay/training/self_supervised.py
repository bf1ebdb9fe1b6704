"""Pre-train a network's backbone on pictures without labels: SimSiam (Chen and He 2020, arXiv 2011.10566), by lightly."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.data.progress import track
from assay.errors import UserError

MOMENTUM = 0.9  # of SGD, as in the paper, section 4.1
_PROJECTION, _BOTTLENECK = 512, 128  # the paper's 2048 and 512, a quarter: the backbones here are narrow

Row = dict[str, float]


def pretrain_backbone(
    backbone: nn.Module,
    pictures: np.ndarray,
    *,
    crop: int,
    epochs: int,
    batch: int,
    lr: float,
    weight_decay: float,
    seed: int,
    log: Callable[[str, float, int], None],
) -> list[Row]:
    """Teach `backbone`, in place, that two views of one picture are alike; the same arguments give the same weights.

    Args:
        backbone: float32 (N, 3, crop, crop) in 0-1 -> (N, C, h, w). It stays in training mode.
        pictures: uint8 (N, H, W, 3) RGB, N at least 2.
        crop: side of a view, px; a multiple of the backbone's stride.
        epochs: passes over the pictures.
        batch: pictures in a step; a rest of one picture is left out (batch normalisation needs two).
        lr: where the cosine schedule starts; weights of the prediction head keep it, as in the paper.
        weight_decay: of SGD with momentum .9.
        seed: of heads, order and views.
        log: called with a metric's name, its value and the epoch, from 1.

    Returns:
        One row per epoch: loss (negative cosine, -1 at best) and spread: the mean standard deviation of a unit-length
        projection's numbers times the root of their count; 1 = spread over all directions, 0 = collapsed to one
        (the paper, section 4.1).

    Raises:
        UserError: lightly is not installed, there are fewer than two pictures, or the loss is not finite.
    """
    try:
        from lightly.loss import NegativeCosineSimilarity
        from lightly.models.modules.heads import SimSiamPredictionHead, SimSiamProjectionHead
        from lightly.transforms import SimSiamTransform
    except ImportError as error:
        raise UserError(
            f"pretrain: the package lightly is not installed ({error}); uv pip install -e '.[ssl]'"
        ) from error
    if len(pictures) < 2:
        raise UserError(f"pretrain: {len(pictures)} frame without labels; two are the least to learn from")
    with torch.random.fork_rng(devices=[]):
        _seed(seed)
        width = _width(backbone, crop)
        projection = SimSiamProjectionHead(width, _PROJECTION, _PROJECTION)
        prediction = SimSiamPredictionHead(_PROJECTION, _BOTTLENECK, _PROJECTION)
        views = SimSiamTransform(input_size=crop, normalize=None)  # detectors take 0-1 as it is
        criterion = NegativeCosineSimilarity()
        learnt = [*backbone.parameters(), *projection.parameters()]
        optimizer = torch.optim.SGD(
            [{"params": learnt}, {"params": list(prediction.parameters())}],
            lr,
            momentum=MOMENTUM,
            weight_decay=weight_decay,
        )
        rows: list[Row] = []
        backbone.train()
        for epoch in track(range(epochs), "pre-training without labels", epochs):
            optimizer.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
            losses, spreads = [], []
            for chosen in torch.randperm(len(pictures)).split(batch):
                if len(chosen) < 2:
                    continue
                first, second = _two_views(pictures, chosen, views)
                one, other = (projection(_pooled(backbone, view)) for view in (first, second))
                loss = (
                    criterion(prediction(one), other.detach()) + criterion(prediction(other), one.detach())
                ) / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
                spreads.append(_spread(one.detach()))
            row = {"loss": float(np.mean(losses)), "spread": float(np.mean(spreads))}
            if not math.isfinite(row["loss"]):
                raise UserError(f"pretrain: the loss is not finite in epoch {epoch + 1}; lower pretrain.lr")
            rows.append(row)
            for name, value in row.items():
                log(f"pretrain/{name}", value, epoch + 1)
    return rows


def _two_views(pictures: np.ndarray, chosen: Tensor, views: Any) -> tuple[Tensor, Tensor]:
    from PIL import Image

    made = [views(Image.fromarray(pictures[k])) for k in chosen.tolist()]
    return torch.stack([pair[0] for pair in made]), torch.stack([pair[1] for pair in made])


def _pooled(backbone: nn.Module, pixels: Tensor) -> Tensor:
    """(N, C): the mean over the last map's places."""
    features: Tensor = backbone(pixels)
    return features.mean(dim=(2, 3))


def _width(backbone: nn.Module, crop: int) -> int:
    with torch.inference_mode():
        backbone.eval()
        return int(_pooled(backbone, torch.zeros(1, 3, crop, crop)).shape[1])


def _spread(projected: Tensor) -> float:
    unit = nn.functional.normalize(projected, dim=1)
    return float(unit.std(dim=0, correction=0).mean()) * math.sqrt(unit.shape[1])


def _seed(seed: int) -> None:
    """All three generators that the views draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
