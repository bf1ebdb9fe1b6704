import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.training.timeline import split_folds, state_probabilities, train_head

SHAPE = {"kind": "lstm", "hidden": 16, "layers": 1, "window": 8, "dropout": 0.0}
HOW = {"classes": 2, "shape": SHAPE, "epochs": 60, "batch": 2, "lr": 0.02, "weight_decay": 0.01}


def clip(seed, length):
    """A pulse switches the state, which the signal alone does not say afterwards: memory is needed."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(0, 0.1, (length, 3)).astype(np.float32)
    at = length // 2
    signal[at, 0] = 3
    return signal, (np.arange(length) >= at).astype(np.int64)


def test_memory_is_learnt_and_the_same_seed_gives_the_same_weights():
    signals, states = zip(*(clip(k, 12 + 2 * k) for k in range(7)), strict=True)
    losses = []
    before = torch.random.get_rng_state()
    options = {**HOW, "class_weights": "balanced", "seed": 3}
    head = train_head(signals, states, log=lambda _, value, __: losses.append(value), **options)
    assert torch.equal(before, torch.random.get_rng_state())
    assert losses[-1] < 0.4 * losses[0] and len(losses) == 60
    unseen, truth = clip(99, 22)
    assert (state_probabilities(head, unseen).argmax(axis=1) == truth).mean() > 0.8
    again = train_head(signals, states, log=lambda *_: None, **options)
    assert all(
        torch.equal(a, b)
        for a, b in zip(head.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_frames_without_a_state_teach_nothing():
    signal, _ = clip(0, 10)
    with pytest.raises(UserError, match="no frame"):
        train_head([signal], [np.full(10, -1)], class_weights="none", seed=0, log=lambda *_: None, **HOW)


def test_folds_keep_recordings_whole_and_spread_the_zones():
    clips = [f"c{k}" for k in range(12)]
    recordings = [f"r{k // 2}" for k in range(12)]
    zone = [k // 2 < 3 for k in range(12)]
    folds = split_folds(clips, recordings, zone, folds=3, seed=0)
    assert sorted(name for fold in folds for name in fold) == sorted(clips)
    where = {recordings[clips.index(name)]: k for k, fold in enumerate(folds) for name in fold}
    assert all(where[recordings[k]] == where[recordings[k + 1]] for k in range(0, 12, 2)) and len(folds) == 3
    assert sorted(where[f"r{k}"] for k in range(3)) == [0, 1, 2]
    assert len(split_folds(clips[:4], recordings[:4], zone[:4], folds=5, seed=0)) == 2
