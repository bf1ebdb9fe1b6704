import builtins

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import UserError
from assay.training.self_supervised import pretrain_backbone

HOW = {"crop": 32, "batch": 5, "lr": 0.05, "weight_decay": 1e-4, "seed": 1}


def backbone():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, 2))


def test_it_learns_without_labels_and_twice_the_same():
    pictures = np.random.default_rng(0).integers(
        0, 255, (11, 40, 40, 3), np.uint8
    )  # 5 + 5, and a rest of one
    states, said = [], []
    for _ in range(2):
        network = backbone()
        before = network[0].weight.detach().clone()
        rows = pretrain_backbone(network, pictures, epochs=3, log=lambda *told: said.append(told), **HOW)
        assert not torch.equal(before, network[0].weight)
        states.append(network.state_dict())
    assert [set(row) for row in rows] == [{"loss", "spread"}] * 3
    assert all(-1 <= row["loss"] <= 1 and 0 <= row["spread"] <= 1.001 for row in rows)
    assert said[0][0] == "pretrain/loss" and [epoch for *_, epoch in said[:6]] == [1, 1, 2, 2, 3, 3]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_one_picture_is_too_few():
    with pytest.raises(UserError, match="1 frame without labels"):
        pretrain_backbone(
            backbone(), np.zeros((1, 40, 40, 3), np.uint8), epochs=1, log=lambda *_: None, **HOW
        )


def test_without_lightly_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("lightly"):
            raise ImportError("No module named 'lightly'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match=r"uv pip install -e '.\[ssl\]'"):
        pretrain_backbone(
            backbone(), np.zeros((2, 40, 40, 3), np.uint8), epochs=1, log=lambda *_: None, **HOW
        )
