"""Training stage 2 on features that are computed once, beside computing them anew in every epoch; seconds of 15 epochs.

    python -m benchmarks.conditions_training [--rounds 5] [--crops 256] [--epochs 15]

Reads build/conditions/dataset (`dvc repro prepare@conditions`) and the backbone that lite0_binary names. Both sides
train the same head on the same crops, in one process and on every core; rounds alternate. In the obvious loop every
epoch costs the same, so one is measured in each round and taken as often as there are epochs. No side augments: the
pictures are the same in every epoch, which is what makes a cache possible.

Writes results/benchmarks/conditions-training-<cpu>-<n>core.csv; the status is 1 if the median ratio is below 10.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.config import compose
from assay.data.condition import read_manifest
from assay.environment import describe
from assay.models.backbones import Backbone, resolve
from assay.models.condition import features_of
from assay.training.condition import Examples, train_condition
from assay.training.precision import start_torch
from benchmarks.conditions import Bench, Known
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table
from pipelines.condition.features import crops_of

TARGET = 10.0
COLUMNS = (
    *("backbone", "crops", "epochs", "rounds", "cached_seconds", "recomputed_seconds", "ratio", "least_ratio"),
    *("most_ratio", "target", "all_cached", "all_recomputed", *MADE_ON),
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One training. crops: (N, 224, 224, 3) uint8; examples: their rows, whose features are filled in."""

    backbone: Backbone
    crops: NDArray[np.uint8]
    examples: Examples
    settings: dict[str, Any]

    def cached(self, epochs: int) -> float:
        """Seconds of features once, then every epoch of the head."""
        start = perf_counter()
        self._train(features_of(self.backbone, self.crops), epochs)
        return perf_counter() - start

    def recomputed(self, epochs: int) -> float:
        """Seconds of as many epochs, each with its features; one is measured."""
        start = perf_counter()
        self._train(features_of(self.backbone, self.crops), 1)
        return epochs * (perf_counter() - start)

    def _train(self, features: NDArray[np.float32], epochs: int) -> None:
        train_condition(
            backbone=Known(self.backbone.width),  # type: ignore[arg-type]
            train=replace(self.examples, visual=features),
            epochs=epochs,
            **self.settings,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if the ratio is below its target."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.conditions_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crops", type=int, default=256, help="training crops (default: 256)")
    parser.add_argument("--epochs", type=int, default=15)
    chosen = parser.parse_args(arguments)
    work = prepare(chosen.crops)
    features_of(work.backbone, work.crops[:32])  # the first call wakes threads
    found: dict[str, list[float]] = {"cached": [], "recomputed": []}
    for number in range(chosen.rounds):
        for name in list(found) if number % 2 == 0 else list(found)[::-1]:
            found[name].append(getattr(work, name)(chosen.epochs))
            print(f"round {number + 1}, {name}: {found[name][-1]:.2f} s", file=sys.stderr, flush=True)
    machine = describe()
    about = {"backbone": work.backbone.name, "crops": len(work.crops)}
    about |= {"epochs": chosen.epochs, "rounds": chosen.rounds}
    row = row_of(**found) | about | made_on(machine, ("torch", "timm"))
    target = table_path("conditions-training", machine)
    write_table(target, [row], COLUMNS)
    print(
        f"{chosen.epochs} epochs: {row['cached_seconds']} s and {row['recomputed_seconds']} s, {row['ratio']}x"
    )
    print(target)
    return int(float(row["ratio"]) < TARGET)


def row_of(cached: Sequence[float], recomputed: Sequence[float]) -> dict[str, Any]:
    """Medians, and the ratio of each round."""
    pairs = [theirs / ours for ours, theirs in zip(cached, recomputed, strict=True)]
    return {
        "cached_seconds": f"{statistics.median(cached):.2f}",
        "recomputed_seconds": f"{statistics.median(recomputed):.2f}",
        "ratio": f"{statistics.median(pairs):.2f}",
        "least_ratio": f"{min(pairs):.2f}",
        "most_ratio": f"{max(pairs):.2f}",
        "target": f"{TARGET:g}",
        "all_cached": " ".join(f"{value:.2f}" for value in cached),
        "all_recomputed": " ".join(f"{value:.2f}" for value in recomputed),
    }


def prepare(count: int) -> Work:
    """The first training crops of the prepared data, and all that a training needs."""
    cfg: Any = compose(["project=conditions", "experiment=lite0_binary", "profile=cpu"])
    start_torch(cfg.seed)
    manifest = read_manifest(Path(cfg.build) / "dataset")
    manifest = manifest[manifest["split"] == "train"].head(count).reset_index(drop=True)
    weights = resolve(cfg.model.backbone, path=cfg.model.weights, **cfg.profile.weights.model_dump())
    backbone = Backbone(cfg.model.backbone, weights, seed=cfg.seed).eval()
    learning = {"batch", "lr", "weight_decay", "class_weights"}
    settings = cfg.train.model_dump(include=learning) | {
        **{
            "hidden": cfg.model.hidden,
            "dropout": cfg.model.dropout,
            "type_embedding": cfg.model.type_embedding,
        },
        **{"types": len(cfg.prepare.object_types), "classes": len(cfg.project.classes), "unfrozen_blocks": 0},
        **{"val": None, "patience": None, "seed": cfg.seed, "log": lambda name, value, epoch: None},
    }
    bench = Bench(
        manifest, np.zeros((len(manifest), backbone.width), np.float32), cfg.project.classes,
        cfg.prepare.object_types, cfg.train.validation_share, {},
    )  # fmt: skip
    examples = bench.examples(np.ones(len(manifest), bool), cfg.model.spatial)
    return Work(backbone, crops_of(cfg, manifest), examples, settings)


if __name__ == "__main__":
    sys.exit(main())
