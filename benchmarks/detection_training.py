"""Training a detector beside Ultralytics' defaults: same network, weights, images, recipe and epochs, in one run.

    python -m benchmarks.detection_training [--build build/infrastructure] [--images 96] [--size 320] [--epochs 4]

assay             `train_detector` as the train stage calls it: the number format the hardware has, channels last, images
                  in memory, no plots, denormals flushed, every core; its checkpoint (of the epoch before) included.
ultralytics       DetectionTrainer with its own defaults for all that is not the recipe: fp32, images read from files by
                  worker processes, plots, a checkpoint after every epoch, and one core fewer than there are.
ultralytics_cores The same with every core.

The recipe (optimizer, learning rates, augmentation, batch) is that of `assay starter`; the weights are its. An
epoch is training, validation and what a side writes. The sides are processes of their own that wait for each other,
epoch by epoch, in an order that alternates; the first epoch counts, for it holds what a side prepares. mAP50 is
each side's last, measured by Ultralytics on the same photos: bf16 that learns less would show there.

bf16 is chosen where the processor multiplies it (AMX), which `precision` in the table tells.

Writes results/benchmarks/detection-training-<cpu>-<n>core.csv; the status is 1 if the defaults, as they come, do not take
1.5 times as long, all epochs together.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.environment import describe
from assay.files import write_json
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table
from benchmarks.training import ask

TARGET = 1.5
SIDES = ("assay", "ultralytics", "ultralytics_cores")
COLUMNS = (
    *("side", "images", "validated", "size", "epochs", "seconds", "first", "others_median", "map50", "map50_95"),
    *("ratio_of_assay", "ratio_without_first", "target", "precision", "all_seconds", *MADE_ON),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """build: of a detector's graph; images: of the training split at most; size: px; work: folder for everything."""

    build: Path
    images: int
    size: int
    epochs: int
    seed: int
    work: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if the ratio is below its target."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.detection_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--build", type=Path, default=Path("build/infrastructure"), help="a prepared graph")
    parser.add_argument("--images", type=int, default=96, help="training images (default: 96)")
    parser.add_argument("--size", type=int, default=320, help="pixels (default: 320)")
    parser.add_argument("--epochs", type=int, default=4, help="of each side (default: 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    chosen = vars(parser.parse_args(arguments))
    side, work = chosen.pop("side"), chosen.pop("work")
    if side:
        serve(side, Settings(**chosen, work=work))
        return 0
    if not (chosen["build"] / "dataset/boxes.parquet").is_file():
        parser.error(f"{chosen['build']}/dataset: not prepared; run `dvc repro prepare@infrastructure`")
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        settings = Settings(**chosen, work=Path(folder))
        seconds = alternate(settings)
        ends = {name: json.loads((settings.work / f"{name}.json").read_text("utf-8")) for name in SIDES}
    machine = describe()
    rows = rows_of(seconds, ends, settings, made_on(machine, ("torch", "ultralytics")))
    target = table_path("detection-training", machine)
    write_table(target, rows, COLUMNS)
    for row in rows:
        print(
            f"{row['side']}: {row['seconds']} s, mAP50 {row['map50']}, assay is {row['ratio_of_assay']}x as fast"
        )
    print(target)
    return int(any(row["target"] and float(row["ratio_of_assay"]) < TARGET for row in rows))


def rows_of(
    seconds: dict[str, list[float]], ends: dict[str, Any], settings: Settings, machine: dict[str, str]
) -> list[dict[str, Any]]:
    """A row per side; seconds: of each epoch. Ratios are sums of seconds by assay's."""
    ours = seconds["assay"]

    def ratio(theirs: Sequence[float], of: Sequence[float]) -> str:
        return f"{sum(theirs) / sum(of):.2f}" if of else ""

    return [
        {
            "side": name,
            **ends[name],
            **{"size": settings.size, "epochs": settings.epochs},
            "seconds": f"{sum(found):.1f}",
            "first": f"{found[0]:.2f}",
            "others_median": f"{sorted(found[1:])[len(found[1:]) // 2]:.2f}" if found[1:] else "",
            "ratio_of_assay": ratio(found, ours),
            "ratio_without_first": ratio(found[1:], ours[1:]),
            "target": TARGET if name == "ultralytics" else "",
            "all_seconds": " ".join(f"{value:.2f}" for value in found),
            **machine,
        }
        for name, found in seconds.items()
    ]


def alternate(settings: Settings) -> dict[str, list[float]]:
    """Seconds of every epoch of every side; only one side works at a time."""
    found: dict[str, list[float]] = {name: [] for name in SIDES}
    with ExitStack() as stack:
        sides = {name: stack.enter_context(start(name, settings)) for name in SIDES}
        for number in range(settings.epochs):
            for name in SIDES if number % 2 == 0 else SIDES[::-1]:
                found[name].append(ask(sides[name]))
                print(f"epoch {number + 1}, {name}: {found[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return found


def start(name: str, settings: Settings) -> "subprocess.Popen[str]":
    """Start one side with the threads that it takes by itself."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")
    options = [part for key, value in asdict(settings).items() for part in (f"--{key}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.detection_training", "--side", name, *options],
        env={key: value for key, value in os.environ.items() if key not in limits},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class Photos:
    """What both sides train on, as `train_detector` takes it."""

    rows: Any
    boxes: Any
    classes: list[str]


class Turns:
    """Tells the seconds of every epoch, and lets the next begin when it is asked for."""

    def __init__(self, epochs: int, done: Callable[[dict[str, Any]], None]) -> None:
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print is no answer
        self.epochs, self.done, self.number = epochs, done, 0

    def begin(self) -> None:
        """Wait until the next epoch is asked for."""
        sys.stdin.readline()
        self.started = time.perf_counter()

    def end(self, **metrics: Any) -> None:
        """An epoch is over. Raises SystemExit after the last: nothing that follows is timed."""
        seconds = time.perf_counter() - self.started
        self.number += 1
        if self.number == self.epochs:
            self.done(metrics)
        print(seconds, file=self.answers, flush=True)
        if self.number == self.epochs:
            raise SystemExit
        self.begin()


def serve(side: str, settings: Settings) -> None:
    """Train as one side does. Reading the tables and building the network come before the first question."""
    if side.startswith("ultralytics"):
        os.environ["OMP_NUM_THREADS"] = "1"  # as its import does where nobody has set it
    photos = read(settings)
    counts = photos.rows["split"].value_counts()
    about = {"images": int(counts["train"]), "validated": int(counts["val"])}
    turns = Turns(
        settings.epochs, lambda metrics: write_json(settings.work / f"{side}.json", about | metrics)
    )
    train = assay if side == "assay" else defaults
    train(settings, photos, turns, side)


def read(settings: Settings) -> Photos:
    """The photos as `train_detector` takes them."""
    import pandas as pd

    from assay.data.classification import read_manifest

    dataset = settings.build / "dataset"
    manifest, boxes = read_manifest(dataset), pd.read_parquet(dataset / "boxes.parquet")
    train = manifest[manifest["split"] == "train"]
    train = train.sample(min(settings.images, len(train)), random_state=settings.seed).sort_index()
    rows = pd.concat([train, manifest[manifest["split"] == "val"]], ignore_index=True)
    boxes = boxes[~boxes["ignore"]].merge(rows[["image", "width", "height"]], on="image")
    return Photos(rows, boxes, sorted(boxes["label"].unique()))


def starting_weights() -> Any:
    """Those that assay brings: both sides start there."""
    from assay.models.detector_weights import resolve_detector

    return resolve_detector(
        "yolo11n", path=None, pretrained=True, allow_download=False, allow_random_init=True
    )


def assay(settings: Settings, photos: Photos, turns: Turns, side: str) -> None:
    """`train_detector`, asked epoch by epoch through its log."""
    from assay.training.precision import choose, device, start_torch

    start_torch(settings.seed)
    from assay.starter import SETTINGS
    from assay.training.detection import train_detector

    found: dict[str, float] = {}

    def log(name: str, value: float, epoch: int) -> None:
        found[name] = round(value, 4)
        if name == "lr":  # the last of an epoch's numbers
            turns.end(**{key: found[key] for key, _ in _NAMES}, precision=choose("auto", device()))

    weights = starting_weights()
    turns.begin()
    train_detector(
        photos.rows,
        photos.boxes,
        root=settings.build / "dataset",
        negatives=[],
        classes=photos.classes,
        architecture="yolo11n",
        image_size=settings.size,
        weights=weights,
        settings={**SETTINGS, "epochs": settings.epochs},
        precision="auto",
        select="last",
        seed=settings.seed,
        work=settings.work / side,
        log=log,
    )


def defaults(settings: Settings, photos: Photos, turns: Turns, side: str) -> None:
    """Ultralytics' loop with its own defaults for everything but the recipe."""
    from assay.models import yolo_adapter
    from assay.starter import SETTINGS
    from assay.training.detection import lay_out, recipe

    yolo_adapter.quiet()
    import torch
    from ultralytics.models.yolo.detect import DetectionTrainer

    weights = starting_weights()
    module = yolo_adapter.build("yolo11n", photos.classes, seed=settings.seed)
    yolo_adapter.carry_over(module, weights.state, classes=photos.classes, known=weights.classes)
    folder = settings.work / side
    how = {"root": settings.build / "dataset", "negatives": [], "classes": photos.classes}
    lay_out(folder, photos.rows, photos.boxes, **how)
    turns.begin()
    trainer = DetectionTrainer(
        overrides={
            **recipe({**SETTINGS, "epochs": settings.epochs}),
            **{"imgsz": settings.size, "seed": settings.seed, "device": "cpu", "verbose": False},
            **{"model": "given", "data": str(folder / "data.yaml"), "project": str(folder), "name": "run"},
        }
    )
    if side == "ultralytics_cores":
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    trainer.model = module

    def end(trainer: Any) -> None:
        numbers = {name: round(float(trainer.metrics[f"metrics/{theirs}(B)"]), 4) for name, theirs in _NAMES}
        turns.end(**numbers, precision="fp32")

    trainer.add_callback("on_model_save", end)
    trainer.train()


_NAMES = (("map50", "mAP50"), ("map50_95", "mAP50-95"))

if __name__ == "__main__":
    sys.exit(main())
