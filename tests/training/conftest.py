"""Tiny images and networks train fastest on one thread."""

import numpy as np
import pytest
import torch

from assay.models.weights import Weights

SIDE = 32


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tmp_path):
    """Arguments of a small training: noise, and a bright square where the label is 1; 12 % mislabelled."""

    def images(count, seed):
        draw = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        pixels = draw.integers(0, 120, (count, SIDE, SIDE, 3))
        for image, label in zip(pixels, labels, strict=True):
            x, y = draw.integers(4, 16, 2)
            image[y : y + 12, x : x + 12] += 90 * label
        flipped = draw.random(count) < 0.12
        return pixels.astype(np.uint8), np.where(flipped, 1 - labels, labels)

    train_images, train_labels = images(60, 0)
    val_images, val_labels = images(30, 1)
    select_images, select_labels = images(20, 2)
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "val_images": val_images,
        "val_labels": val_labels,
        "select_images": select_images,
        "select_labels": select_labels,
        "classes": ["clean", "pit"],
        "architecture": "test_resnet.r160_in1k",
        "weights": Weights("random", "test"),
        "image_size": SIDE,
        "input_mode": "norm",
        "augmentation": "none",
        "epochs": 3,
        "batch": 16,
        "optimizer": "adam",
        "lr": 1e-3,
        "weight_decay": 1e-5,
        "schedule": "constant",
        "label_smoothing": 0.0,
        "freeze": "none",
        "group_lrs": {},
        "patience": None,
        "seed": 42,
        "precision": "fp32",
        "checkpoint": tmp_path / "checkpoint.pt",
        "log": lambda name, value, step: None,
    }
