import pytest
import torch
from torch import nn

from assay.models.denormals import denormal_activation_share, denormal_weights, denormals

TINY = torch.finfo(torch.float32).tiny  # the smallest number that is not denormal


def test_bits_are_counted_not_comparisons():
    values = torch.tensor([0.0, -0.0, TINY, -TINY, float("inf"), float("nan"), 1.0, 1e-39, -1e-45])
    torch.set_flush_denormal(True)
    try:
        assert (values.abs() > 0).sum() < 7  # what a comparison sees of the last two
        assert denormals(values) == 2
    finally:
        torch.set_flush_denormal(False)
    assert denormals(torch.arange(3)) == 0  # integers have none


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.Flatten())


def test_weights_and_activations_of_a_layer_scaled_away():
    module, inputs = network(), torch.full((2, 3, 8, 8), 0.5)
    assert denormal_weights(module) == 0 and denormal_activation_share(module, inputs) == 0
    with torch.no_grad():
        module[0].weight.mul_(1e-39 / module[0].weight.abs().mean())
    assert denormal_weights(module) == module[0].weight.numel()
    share = denormal_activation_share(module, inputs)
    positive = (network()(inputs) > 0).float().mean().item()  # the others are 0 after the rectifier
    assert abs(share - (1 + 2 * positive) / 3) < 0.01


@pytest.mark.parametrize("flush", [True, False])
def test_flushing_and_threads_are_afterwards_as_they_were(flush):
    threads, module = torch.get_num_threads(), network().train()
    torch.set_flush_denormal(flush)
    try:
        denormal_activation_share(module, torch.ones(1, 3, 8, 8))
        assert torch.get_num_threads() == threads and module.training
        assert (denormals(torch.full((8,), 1e-30) * 1e-10) == 0) == flush
    finally:
        torch.set_flush_denormal(False)
