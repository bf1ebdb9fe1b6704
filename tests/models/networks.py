"""Untrained detectors whose answers are not all alike, for tests."""

import torch
from torch import nn

from assay.models import yolo_adapter


def answering(classes: tuple[str, ...], *, seed: int = 3) -> nn.Module:
    """A yolo11n that answers every picture of 64 px with boxes: its scores lie between 0 and 1, not near 0."""
    network = yolo_adapter.build("yolo11n", classes, seed=seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
        before = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = None  # the statistics are those of the batch below
        network.train()(torch.rand(8, 3, 64, 64))
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
        for branch in network.model[-1].cv3:
            branch[-1].weight.normal_(0, 0.5)
            branch[-1].bias.zero_()
    return network.eval()
