"""Stored boxes made in memory, for the tests of detection."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from assay.evaluation.boxes import BOX_COLUMNS, IMAGE_COLUMNS, TRUTH_COLUMNS, BoxPredictions

CLASSES = ("cone", "drum", "sign")


def stored(
    boxes: Sequence, truth: Sequence, images: Sequence | int, classes=("cone", "drum")
) -> BoxPredictions:
    """boxes: (model, image, label, x1, y1, x2, y2, score). truth: (image, label, x1, y1, x2, y2, ignore).

    images: rows of IMAGE_COLUMNS, or how many there are: "0.png", "1.png" … of split test, each its own group.
    """
    if isinstance(images, int):
        images = [(f"{index}.png", "test", "", False, 100, 100) for index in range(images)]
    table = pd.DataFrame(list(boxes), columns=list(BOX_COLUMNS))
    models = {name: {"hash": name, "experiment": name} for name in dict.fromkeys(table["model"])} or {"m": {}}
    return BoxPredictions(
        table,
        pd.DataFrame(list(truth), columns=list(TRUTH_COLUMNS)),
        pd.DataFrame(list(images), columns=list(IMAGE_COLUMNS)),
        tuple(classes),
        models,
        {"source": "sample", "content": "c" * 64},
    )


def two_images() -> BoxPredictions:
    """One cone in each of two images. Boxes, the surest first: right (IoU 1), wrong, right (IoU 0.82)."""
    return stored(
        [
            ("m", "0.png", "cone", 0, 0, 10, 10, 0.9),
            ("m", "1.png", "cone", 50, 50, 60, 60, 0.8),
            ("m", "1.png", "cone", 0, 0, 10, 8.2, 0.7),
        ],
        [("0.png", "cone", 0, 0, 10, 10, False), ("1.png", "cone", 0, 0, 10, 10, False)],
        2,
        classes=["cone"],
    )


def random_boxes(
    n: int = 40, *, seed: int = 0, skill: dict[str, float] | None = None, decimals: int = 9, leaks: int = 4
) -> BoxPredictions:
    """Random scenes with regions to ignore; skill: model -> share of the objects it finds (default m: 0.7).

    decimals: of the scores; 1 makes many of them equal. Groups of four images; split test (even) and val.
    """
    random = np.random.default_rng(seed)
    names = [f"{index:03d}.png" for index in range(n)]
    images = [
        (name, "test" if i % 2 == 0 else "val", f"clip{i // 8}" if i % 3 else "", i < leaks, 300, 300)
        for i, name in enumerate(names)
    ]
    truth, boxes = [], []
    for name in names:
        for _ in range(random.integers(0, 6)):
            label = CLASSES[random.choice(3, p=[0.6, 0.3, 0.1])]
            truth.append((name, label, *_box(random), False))
        if random.random() < 0.3:
            truth.append((name, "", *_box(random, low=80, high=150), True))
    for model, share in (skill or {"m": 0.7}).items():
        for image, label, *box, ignore in truth:
            if not ignore and random.random() < share:
                shifted = np.add(box, random.normal(0, 3, 4))
                called = label if random.random() < 0.9 else "drum"
                boxes.append((model, image, called, *shifted, round(random.beta(5, 2), decimals)))
        for name in names:
            for _ in range(random.poisson(2 * (1 - share))):
                label = CLASSES[random.integers(3)]
                boxes.append((model, name, label, *_box(random), round(random.beta(2, 5), decimals)))
    return stored(boxes, truth, images, CLASSES)


def _box(random: np.random.Generator, low: float = 20, high: float = 80) -> tuple[float, ...]:
    width, height = random.uniform(low, high, 2)
    x, y = random.uniform(0, 300 - width), random.uniform(0, 300 - height)
    return x, y, x + width, y + height
