import pytest
import torch

from assay.models.zone_head import ZoneHead


def head(kind, window):
    torch.manual_seed(0)
    return ZoneHead(5, 4, kind=kind, hidden=8, layers=2, window=window, dropout=0.3).eval()


@pytest.mark.parametrize(
    ("kind", "window", "reach"),
    [
        ("mlp", 1, 1),
        ("mlp", 3, 3),
        ("transformer", 2, 3),  # two layers of two frames each: three frames
        ("lstm", 1, 20),  # all frames so far, whatever the window
    ],
)
def test_no_network_looks_ahead_or_further_back_than_its_window(kind, window, reach):
    network = head(kind, window)
    signals = torch.randn(1, 20, 5)
    before = network(signals)
    assert before.shape == (1, 20, 4)
    changed = signals.clone()
    changed[0, 10] += 3
    moved = (network(changed) - before).abs().amax(dim=2)[0] > 1e-6
    assert moved.nonzero().flatten().tolist() == list(range(10, min(10 + reach, 20)))


def test_heads_of_attention_share_the_width():
    with pytest.raises(ValueError, match="multiple of 4"):
        ZoneHead(5, 4, kind="transformer", hidden=6, layers=1, window=2, dropout=0)
