"""What an object's type and its place add to its picture: every choice of both, by several seeds, on cached features.

    python -m benchmarks.conditions [--seeds 5] [--experiment lite0_binary] [--profile cpu]

The same trainings as `make sweep EXP=conditions_ablation`, without a process, a record and a page for each: minutes
become seconds. Reads build/conditions/dataset (`python -m pipelines.prepare project=conditions`) and the features in
runs/features, which are computed the first time. Every seed holds out other photos of train to choose its epoch by.

Beside them stands the baseline that takes no picture: each object type's more frequent training label.

Intervals (95 %) draw whole photos; a row's accuracy is the mean over its seeds, and so is its difference from the
baseline. Writes results/conditions/ablation-<backbone>-<source>.csv and .md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from assay.config import compose
from assay.data.condition import held_out, read_manifest
from assay.data.condition_features import Spatial, feature_names, missed, spatial_of
from assay.data.source import read_source
from assay.environment import describe
from assay.evaluation.intervals import Interval, bootstrap
from assay.files import atomic_write
from assay.models.backbones import Backbone, resolve
from assay.models.condition import probabilities_of
from assay.training.condition import Examples, train_condition
from assay.training.precision import start_torch
from benchmarks.hardware import made_on, slug, write_table
from pipelines.condition.features import image_features

SPATIAL: tuple[Spatial, ...] = (
    *("none", "geometric", "relational", "recomputed", "both", "both_recomputed"),
)  # fmt: skip
DRAWS = 2000
RESULTS = Path("results/conditions")
BASELINE = "majority of the type"


class Known(nn.Module):
    """Stands for a frozen backbone whose features are known."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def unfreeze(self, last: int | str) -> list[nn.Module]:
        """Nothing learns."""
        return []


@dataclass(frozen=True)
class Bench:
    """What every training shares. features: (N, width) of the manifest's rows; settings: of `train_condition`."""

    manifest: pd.DataFrame
    features: NDArray[np.float32]
    classes: Sequence[str]
    object_types: Sequence[str]
    validation_share: float
    settings: dict[str, Any]

    def examples(self, rows: NDArray[np.bool_], spatial: Spatial) -> Examples:
        """The chosen rows for a head with the chosen spatial features."""
        part = self.manifest[rows]
        return Examples(
            visual=self.features[rows],
            types=part["object_type"].map(list(self.object_types).index).to_numpy(np.int64, copy=True),
            spatial=spatial_of(part, feature_names(spatial)),
            labels=part["label"].map(list(self.classes).index).to_numpy(np.int64, copy=True),
        )

    def right(self, spatial: Spatial, type_embedding: int, seed: int) -> NDArray[np.bool_]:
        """(test instances,) whether one training gets them right."""
        watched = held_out(self.manifest, self.validation_share, seed).to_numpy(bool)
        train = (self.manifest["split"] == "train").to_numpy() & ~watched
        trained = train_condition(
            backbone=Known(self.features.shape[1]),  # type: ignore[arg-type]
            train=self.examples(train, spatial),
            val=self.examples(watched, spatial),
            types=len(self.object_types),
            classes=len(self.classes),
            type_embedding=type_embedding,
            unfrozen_blocks=0,
            seed=seed,
            log=lambda name, value, epoch: None,
            **self.settings,
        )
        test = self.examples((self.manifest["split"] == "test").to_numpy(), spatial)
        found = probabilities_of(trained.module, test.visual, test.types, test.spatial)
        return found.argmax(axis=1) == test.labels


def majority(manifest: pd.DataFrame) -> NDArray[np.bool_]:
    """(test instances,) whether their type's more frequent training label is theirs."""
    train, test = (manifest[manifest["split"] == name] for name in ("train", "test"))
    usual = train.groupby("object_type")["label"].agg(lambda labels: labels.value_counts().index[0])
    return (test["label"].to_numpy() == usual.reindex(test["object_type"]).to_numpy()).astype(bool)


def summary(
    right: NDArray[np.bool_], base: NDArray[np.bool_], test: pd.DataFrame, classes: Sequence[str]
) -> dict[str, Any]:
    """One row's numbers; right: (seeds, test instances), base: (test instances,) of the baseline."""
    share = right.mean(axis=0)
    gap = share - base

    def metrics(weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
        total = weights.sum(axis=1)
        return {"accuracy": weights @ share / total, "gap": weights @ gap / total}

    ends = bootstrap(metrics, test["group"].to_numpy(), draws=DRAWS)
    labels, gone = test["label"].to_numpy(), missed(test)
    kinds = test["object_type"].to_numpy()
    by_seed = right.mean(axis=1)
    return {
        "seeds": len(right),
        "correct": round(float(right.sum(axis=1).mean()), 1),
        "n": len(test),
        **_ends("accuracy", ends["accuracy"]),
        "sd_seeds": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else 0.0,
        "balanced_accuracy": float(np.mean([share[labels == name].mean() for name in classes])),
        **_ends("over_baseline", ends["gap"]),
        **{f"accuracy_{kind}": float(share[kinds == kind].mean()) for kind in sorted(set(kinds))},
        "accuracy_found": float(share[~gone].mean()),
        "accuracy_missed": float(share[gone].mean()) if gone.any() else float("nan"),
        "by_seed": " ".join(f"{value:.4f}" for value in by_seed),
    }


def rows_of(bench: Bench, backbone: str, seeds: Sequence[int], embedding: int) -> list[dict[str, Any]]:
    """The baseline's row and one for each choice of spatial features, with the object's type and without."""
    test = bench.manifest[bench.manifest["split"] == "test"]
    base = majority(bench.manifest)
    rows = [
        {"backbone": "none", "spatial": BASELINE, "type_embedding": ""}
        | summary(base[None], base, test, bench.classes)
    ]
    for size in (embedding, 0):
        for spatial in SPATIAL:
            right = np.stack([bench.right(spatial, size, seed) for seed in seeds])
            rows.append(
                {"backbone": backbone, "spatial": spatial, "type_embedding": size}
                | summary(right, base, test, bench.classes)
            )
            print(f"{backbone} {spatial} type {size}: {100 * rows[-1]['accuracy']:.1f} %", flush=True)
    return rows


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table of shares in percent."""
    head = (
        *("backbone", "spatial features", "type", "seeds", "accuracy (95 %)", "sd of seeds", "balanced"),
        *("over the majority of the type (95 %)", "detector found / missed it"),
    )
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [
            row["backbone"],
            row["spatial"],
            {"": "", 0: "no"}.get(row["type_embedding"], "yes"),
            row["seeds"],
            _text(row, "accuracy", "", " %"),
            f"{100 * row['sd_seeds']:.1f}",
            f"{100 * row['balanced_accuracy']:.1f} %",
            _text(row, "over_baseline", "+", ""),
            f"{100 * row['accuracy_found']:.1f} % / {100 * row['accuracy_missed']:.1f} %",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _text(row: dict[str, Any], name: str, sign: str, unit: str) -> str:
    value, low, high = (100 * row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:{sign}.1f}{unit} ({low:{sign}.1f} to {high:{sign}.1f})"


def _ends(name: str, found: Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train, print and store; returns the Markdown file."""
    parser = argparse.ArgumentParser("python -m benchmarks.conditions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each choice (default: 5)")
    parser.add_argument("--experiment", default="lite0_binary")
    parser.add_argument("--profile", default="cpu")
    chosen = parser.parse_args(arguments)
    cfg: Any = compose(["project=conditions", f"experiment={chosen.experiment}", f"profile={chosen.profile}"])
    start_torch(cfg.seed, threads=1)
    dataset = Path(cfg.build) / "dataset"
    manifest, source = read_manifest(dataset), read_source(dataset)
    weights = resolve(cfg.model.backbone, path=cfg.model.weights, **cfg.profile.weights.model_dump())
    backbone = Backbone(cfg.model.backbone, weights, seed=cfg.seed).eval()
    learning = {"epochs", "batch", "lr", "weight_decay", "class_weights", "patience"}
    bench = Bench(
        manifest=manifest,
        features=image_features(cfg, manifest, backbone),
        classes=cfg.project.classes,
        object_types=cfg.prepare.object_types,
        validation_share=cfg.train.validation_share,
        settings=cfg.train.model_dump(include=learning)
        | {"hidden": cfg.model.hidden, "dropout": cfg.model.dropout},
    )
    name = cfg.model.backbone + ("" if weights.origin != "random" else " (RANDOM weights)")
    torch.set_num_threads(1)
    rows = rows_of(bench, name, range(chosen.seeds), cfg.model.type_embedding)
    machine = made_on(describe(), ("torch", "timm"))
    stem = RESULTS / f"ablation-{slug(name)}-{source['source'].split()[0]}"
    write_table(stem.with_suffix(".csv"), rows, list(rows[0]))
    text = [
        "# Conditions: what an object's type and place add to its picture",
        "",
        f"- command: `python -m benchmarks.conditions --seeds {chosen.seeds} --experiment {chosen.experiment} "
        f"--profile {chosen.profile}`",
        f"- data: {source['source']}, content `{source['content'][:16]}`; {len(manifest)} instances, "
        f"{(manifest['split'] == 'test').sum()} of them test, on "
        f"{manifest.loc[manifest['split'] == 'test', 'group'].nunique()} photos",
        f"- backbone: {name}, weights: {weights.origin}, {weights.detail}",
        f"- hardware: {machine['hardware']}; {machine['versions']}; git {machine['git_revision']}; {machine['date']}",
        f"- {cfg.train.epochs} epochs, batch {cfg.train.batch}, lr {cfg.train.lr:g}; the epoch is chosen on "
        f"{100 * cfg.train.validation_share:g} % of the training photos, others for each seed",
        "",
        markdown(rows),
        "",
        "Relational: as published, from boxes of a detector that are not published; recomputed: the",
        "same definitions on the boxes of conditions.csv. Both: with the nine geometric features. Intervals draw",
        "whole photos. Missed: objects whose confidence in conditions.csv is exactly 0.5, a default.",
        "",
    ]
    with atomic_write(stem.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join(text), "utf-8")
    print(stem.with_suffix(".md"))
    return stem.with_suffix(".md")


if __name__ == "__main__":
    main()
