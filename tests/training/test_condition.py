import numpy as np
import pytest
import torch
from torch import nn

from assay.training.condition import Examples, train_condition


class Tiny(nn.Module):
    """Stands for a backbone: mean colour of the crop."""

    width = 3

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, pixels):
        return nn.functional.normalize(pixels.mean(dim=(2, 3)) * self.scale, dim=1)

    def unfreeze(self, last):
        self.requires_grad_(last != 0)
        return [self] if last else []


def examples(count, seed, crops=False):
    """Label 1 where the type is 1 and the first spatial number is high, else 0; the picture says nothing."""
    draw = np.random.default_rng(seed)
    types, spatial = draw.integers(0, 2, count), draw.random((count, 2)).astype(np.float32)
    labels = ((types == 1) & (spatial[:, 0] > 0.5)).astype(np.int64)
    visual = draw.integers(0, 255, (count, 8, 8, 3)).astype(np.uint8)
    if not crops:
        visual = draw.random((count, 3)).astype(np.float32)
    return Examples(visual, types.astype(np.int64), spatial, labels)


def train(**changes):
    settings = {
        "backbone": Tiny(),
        "train": examples(200, 0),
        "val": None,
        "types": 2,
        "classes": 2,
        "type_embedding": 4,
        "hidden": (16,),
        "dropout": 0.1,
        "unfrozen_blocks": 0,
        "epochs": 15,
        "batch": 16,
        "lr": 1e-2,
        "weight_decay": 0.01,
        "class_weights": "balanced",
        "patience": None,
        "seed": 0,
        "log": lambda name, value, epoch: None,
    }
    return train_condition(**settings | changes)


def accuracy(trained, part):
    with torch.inference_mode():
        logits = trained.module.head(*map(torch.from_numpy, (part.visual, part.types, part.spatial)))
    return (logits.argmax(dim=1).numpy() == part.labels).mean()


def test_the_head_learns_from_type_and_place():
    trained = train()
    assert accuracy(trained, examples(300, 1)) > 0.9
    assert trained.facts["best_epoch"] == trained.facts["epochs_run"] == 15
    assert [row["epoch"] for row in trained.history] == list(range(1, 16))
    assert "val/accuracy" not in trained.history[0]
    assert trained.history[-1]["train/loss"] < trained.history[0]["train/loss"]
    assert trained.facts["collapsed"] is None and not trained.module.training


def test_without_type_and_place_there_is_nothing_to_learn():
    blind = examples(200, 0)
    blind = Examples(blind.visual, blind.types, np.empty((200, 0), np.float32), blind.labels)
    trained = train(train=blind, type_embedding=0, hidden=())
    assert trained.history[-1]["train/accuracy"] < 0.75


def test_the_same_seed_gives_the_same_weights():
    first, again, other = (train(epochs=2, seed=seed).module.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_best_epoch_on_held_out_photos_is_kept():
    logged = []
    trained = train(val=examples(100, 2), log=lambda *row: logged.append(row), epochs=12)
    scores = [row["val/accuracy"] for row in trained.history]
    assert trained.facts["best_epoch"] == 1 + int(np.argmax(scores))
    assert accuracy(trained, examples(100, 2)) == pytest.approx(max(scores))
    assert ("val/accuracy", scores[0], 1) in logged


def test_patience_ends_a_training_that_no_longer_improves():
    trained = train(val=examples(100, 2), epochs=60, patience=2, lr=1e-6)
    assert trained.facts["epochs_run"] == trained.facts["best_epoch"] + 2 < 60


def test_balanced_weights_make_the_rare_class_count():
    part = examples(400, 3)
    rare = part.labels == 1
    kept = np.flatnonzero(~rare | (np.cumsum(rare) <= 12))
    few = Examples(part.visual[kept], part.types[kept], part.spatial[kept], part.labels[kept])
    found = []
    for weights in ("none", "balanced"):
        trained = train(train=few, class_weights=weights, epochs=4, lr=3e-3)
        with torch.inference_mode():
            logits = trained.module.head(*map(torch.from_numpy, (part.visual, part.types, part.spatial)))
        found.append((logits.argmax(dim=1).numpy() == 1).mean())
    assert found[1] > found[0]


def test_a_backbone_that_learns_changes_and_a_frozen_one_does_not():
    before = Tiny().scale.detach().clone()
    frozen = train(epochs=1)
    learnt = train(train=examples(40, 0, crops=True), epochs=1, unfrozen_blocks=1)
    assert torch.equal(frozen.module.backbone.scale, before)
    assert not torch.equal(learnt.module.backbone.scale, before)


def test_a_loss_that_is_not_finite_ends_the_training():
    part = examples(20, 0)
    broken = Examples(np.full_like(part.visual, np.nan), part.types, part.spatial, part.labels)
    trained = train(train=broken)
    assert trained.facts["collapsed"] == "the loss is not finite in epoch 1" and not trained.history


def test_one_predicted_class_is_a_collapse():
    assert train(epochs=1, lr=1e-9).facts["collapsed"] in (None, "predicts one class")
    blind = examples(60, 0)
    same = Examples(
        np.ones_like(blind.visual), np.zeros_like(blind.types), np.zeros_like(blind.spatial), blind.labels
    )
    assert train(train=same, epochs=1).facts["collapsed"] == "predicts one class"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": np.full(20, 2)}, "labels: expected 0 to 1"),
        ({"types": np.full(20, 5)}, "types: expected 0 to 1"),
        ({"types": np.zeros(3, np.int64)}, "20 labels"),
    ],
)
def test_examples_that_do_not_fit_are_refused(changes, said):
    part = examples(20, 0)
    fields = {name: getattr(part, name) for name in ("visual", "types", "spatial", "labels")}
    with pytest.raises(ValueError, match=said):
        train(train=Examples(**fields | changes))
    with pytest.raises(ValueError, match="needs crops"):
        train(unfrozen_blocks=1)
