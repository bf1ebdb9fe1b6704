"""The sides of the training benchmark: each is an iterator that does one piece of work for every speed it yields."""

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLASSES = ("cherry_clean", "cherry_pit")
BATCH = 32
EPOCHS = 30  # of a probe
RECOMPUTED = 3  # epochs that are measured of them where every epoch costs the same
SEED = 42
PROBE = "tf_efficientnet_lite0.in1k"  # its ImageNet weights install as a package


@dataclass(frozen=True)
class Settings:
    """Which images: data/{train,val}/<class>/*.png, how many of them an epoch trains on, px."""

    data: Path
    images: int
    size: int


def assay_loop(settings: Settings) -> Iterator[float]:
    """Training images/s of each epoch of `train_classifier`, as it says them itself."""
    from assay.training.precision import start_torch

    answers: queue.Queue[float] = queue.Queue()
    wanted = threading.Semaphore(0)

    def log(name: str, value: float, epoch: int) -> None:
        if name == "train/images_per_second":
            answers.put(value)
            wanted.acquire()  # the next epoch starts when it is asked for

    def work() -> None:
        start_torch(SEED)  # in the thread that trains: flushing denormals is a thread's own
        train(settings, log=log, architecture="resnet18.tv_in1k", augmentation="geometric", epochs=1_000)

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield answers.get()
        wanted.release()


def assay_probe(settings: Settings) -> Iterator[float]:
    """1 / seconds of a whole probe: features once, then all epochs."""
    from assay.training.precision import start_torch

    start_torch(SEED)
    while True:
        seconds = train(settings, architecture=PROBE, augmentation="none", freeze="backbone", epochs=EPOCHS)[
            1
        ]
        yield 1 / seconds


def obvious_loop(settings: Settings, workers: int = 0) -> Iterator[float]:
    """Training images/s of each epoch of the loop that one writes down."""
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    torch.manual_seed(SEED)
    recipe = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(0.5),
            transforms.RandomVerticalFlip(0.5),
            transforms.RandomRotation(180),
            transforms.RandomAffine(0, translate=(0.1, 0.1), scale=(0.9, 1.1)),
            transforms.ToTensor(),
        ]
    )
    data = ImageFolder(str(settings.data / "train"), transform=recipe)
    loader = torch.utils.data.DataLoader(
        data, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    network = build("resnet18.tv_in1k", settings.size)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
    criterion = torch.nn.CrossEntropyLoss()
    while True:
        start = time.perf_counter()
        network.train()
        running = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        yield len(data) / (time.perf_counter() - start)


def obvious_probe(settings: Settings) -> Iterator[float]:
    """1 / seconds of a probe that computes its features in every epoch; cached pixels, so that only they differ."""
    import torch

    from assay.models import timm_adapter
    from assay.models.classifier import to_input

    torch.manual_seed(SEED)
    pixels, labels = read(settings, "train")
    network = build(PROBE, settings.size, packaged=True)
    timm_adapter.freeze(network, "backbone")
    network.eval()
    optimizer = torch.optim.Adam(timm_adapter.head_of(network).parameters(), lr=1e-4, weight_decay=1e-5)
    images, targets = torch.from_numpy(pixels), torch.from_numpy(labels)
    while True:
        start = time.perf_counter()
        for _ in range(RECOMPUTED):
            for rows in torch.randperm(len(targets)).split(BATCH):
                loss = torch.nn.functional.cross_entropy(
                    network(to_input(images[rows], "norm")), targets[rows]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        yield 1 / ((time.perf_counter() - start) * EPOCHS / RECOMPUTED)


SIDES: dict[str, Callable[[Settings], Iterator[float]]] = {
    "assay": assay_loop,
    "obvious": obvious_loop,
    "obvious_workers": lambda settings: obvious_loop(settings, workers=len(os.sched_getaffinity(0))),
    "probe": assay_probe,
    "probe_obvious": obvious_probe,
}


def augmentation_rows(settings: Settings) -> list[dict[str, str]]:
    """Accuracy of the probe without and with augmentation on all of the data's images, each with its interval."""
    from assay.evaluation.intervals import wilson
    from assay.models.classifier import predict
    from assay.training.precision import start_torch

    start_torch(SEED)
    every = Settings(settings.data, 10**9, settings.size)
    images, labels = read(every, "val")
    right = {}
    for augmentation in ("none", "geometric"):
        trained, _ = train(
            every, architecture=PROBE, augmentation=augmentation, freeze="backbone", epochs=4, lr=1e-3
        )
        right[augmentation] = predict(trained.module, images, input_mode="norm").argmax(axis=1) == labels
    said = {
        name: f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})"
        for name, found in ((name, wilson(int(hits.sum()), len(hits))) for name, hits in right.items())
    }
    gain = right["geometric"].astype(float) - right["none"]
    draws = np.random.default_rng(SEED).choice(gain, (2_000, len(gain))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return [
        {
            "measure": "accuracy of a probe of 4 epochs, without and with augmentation",
            "images": str(len(labels)),
            "assay": said["none"],
            "obvious": said["geometric"],
            "ratio": f"{100 * gain.mean():+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})",
            "target": "",
            "detail": "EfficientNet-Lite0, frozen, lr 1e-3; paired bootstrap over the validation images",
        }
    ]


def train(settings: Settings, **changes: Any) -> tuple[Any, float]:
    """assay's own training, and its seconds without reading images; validation on a few."""
    from assay.models.weights import Weights, resolve
    from assay.training.classification import train_classifier

    arrays: dict[str, Any] = {}
    for name, part in (("train", "train"), ("val", "val"), ("select", "train")):
        images, labels = read(settings, part)
        every = (
            max(1, len(labels) // 16) if name == "select" else 1
        )  # a few that it trains on: val stays untouched
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = images[::every], labels[::every]
    packaged = changes["architecture"] == PROBE
    weights = Weights("random", "as the other side")
    if packaged:
        weights = resolve(PROBE, path=None, pretrained=True, allow_download=False, allow_random_init=False)
    common: dict[str, Any] = {
        "classes": CLASSES,
        "weights": weights,
        "image_size": settings.size,
        "input_mode": "norm" if packaged else "raw",
        "batch": BATCH,
        "optimizer": "adam",
        "lr": 1e-4,
        "weight_decay": 1e-5,
        "schedule": "constant",
        "label_smoothing": 0.0,
        "freeze": "none",
        "group_lrs": {},
        "patience": None,
        "seed": SEED,
        "precision": "auto",
        "log": lambda name, value, epoch: None,
    }
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        start = time.perf_counter()
        trained = train_classifier(**arrays, **(common | changes), checkpoint=Path(folder) / "checkpoint.pt")
        return trained, time.perf_counter() - start


def build(architecture: str, size: int, *, packaged: bool = False) -> Any:
    """The same network as assay trains, in PyTorch's default memory format."""
    from assay.models import timm_adapter
    from assay.models.weights import Weights, resolve

    weights = Weights("random", "as the other side")
    if packaged:
        weights = resolve(
            architecture, path=None, pretrained=True, allow_download=False, allow_random_init=False
        )
    return timm_adapter.build(architecture, classes=2, image_size=size, weights=weights, seed=SEED)


def read(settings: Settings, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(N, S, S, 3) uint8 and labels (N,) of a part; files that can't be read are passed over."""
    from assay.data.images import BadImage, fit, read_image

    images, labels = [], []
    for label, name in enumerate(CLASSES):
        for path in sorted((settings.data / part / name).glob("*.png")):
            try:
                images.append(fit(read_image(path), settings.size))
                labels.append(label)
            except BadImage:
                continue
    return np.stack(images), np.array(labels, np.int64)
