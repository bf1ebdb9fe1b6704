"""Training what tells zone states along clips: one small network per fold, or the rules, which learn nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.timeline import TimelineConfig
from assay.tracking import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from assay.mining.frame_signals import Signals

STATES = ("outside", "approaching", "inside", "exiting")
FOLD_SEED = 0  # of the folds: every job of a sweep has the same


def train_into(cfg: TimelineConfig, out: Path, *, work: Path, run: Run) -> dict[str, Any]:
    """Learn from the annotated clips and write the networks and their curves to `out`; returns model.json.

    work: as every task's training has it; nothing is left there, a killed one starts anew.
    """
    from assay.training.precision import start_torch

    start_torch(cfg.seed)
    import pandas as pd
    from safetensors.torch import save

    from assay.data.source import read_source
    from assay.files import atomic_write, fresh_folder, read_json, sha256_file, write_json
    from pipelines.timeline.signals import clips_of, signals

    clips, states = clips_of(cfg)
    told, detector = signals(cfg, clips)
    run.data(read_source(Path(cfg.build) / "dataset"))
    run.tag("weights", detector["weights"]["root"])
    folds = _folds(cfg, clips, states)
    state, history, learnt = _train(cfg, clips, states, told, folds=folds, run=run)
    info: dict[str, Any] = {
        "architecture": cfg.model.architecture,
        "reads": reads(cfg),
        "clip": cfg.model.clip,
        "detector": detector["id"],
        "detector_profile": detector["profile"],
        "classes": list(STATES),
        "folds": folds,
        "weights": {
            "origin": detector["weights"]["root"],
            "detail": f"of the detector, {cfg.model.detector} {detector['id'][:12]}, {detector['profile']} profile; the "
            "heads start at random",
        },
        "experiment": cfg.experiment.id,
        "profile": cfg.profile.name,
        "seed": cfg.seed,
        "trained_on": learnt,
        "epochs_run": cfg.train.epochs,
        "best_epoch": cfg.train.epochs,
        "collapsed": None,
    }
    with fresh_folder(out) as folder:
        with atomic_write(folder / "model.safetensors") as temporary:
            temporary.write_bytes(save(state, metadata={"scoring": cfg.scoring.model_dump_json()}))
        write_json(folder / "model.json", info | {"id": sha256_file(folder / "model.safetensors")[:32]})
        pd.DataFrame(history, columns=["epoch", "train/loss"]).to_csv(folder / "history.csv", index=False)
    for name in ("model.json", "history.csv"):
        run.artifact(out / name)
    found: dict[str, Any] = read_json(out / "model.json")
    return found


def reads(cfg: TimelineConfig) -> str:
    """What the states follow from, in words."""
    if cfg.model.architecture == "rules":
        return "the rules' smoothed score and gate"
    return {"scores": "the rules' scores", "features": "features of detector and CLIP"}[cfg.model.inputs]


def inputs_of(cfg: TimelineConfig, told: "Signals") -> "np.ndarray":
    """(T, D) of a clip, as the experiment's network reads it."""
    return told.scores if cfg.model.inputs == "scores" else told.features


def shape_of(cfg: TimelineConfig) -> dict[str, Any]:
    """What `ZoneHead` is built from, beside inputs and classes."""
    return {
        "kind": cfg.model.architecture,
        **cfg.model.model_dump(include={"hidden", "layers", "window", "dropout"}),
    }


def _folds(cfg: TimelineConfig, clips: "pd.DataFrame", states: "dict[str, np.ndarray]") -> list[list[str]]:
    from assay.training.timeline import split_folds

    names = clips["clip"].tolist()
    return split_folds(
        names,
        clips["recording"].tolist(),
        [bool((states[name] == "inside").any()) for name in names],
        folds=cfg.train.folds,
        seed=FOLD_SEED,
    )


def _train(
    cfg: TimelineConfig,
    clips: "pd.DataFrame",
    states: "dict[str, np.ndarray]",
    told: "dict[str, Signals]",
    *,
    folds: list[list[str]],
    run: Run,
) -> "tuple[dict[str, Tensor], list[dict[str, float]], int]":
    """Tensors of every fold's network, the mean loss by epoch, and how many clips the largest fold learnt from."""
    import numpy as np

    from assay.training.timeline import train_head

    if cfg.model.architecture == "rules":
        return {}, [], 0
    tensors: dict[str, Tensor] = {}
    losses = np.zeros(cfg.train.epochs)
    most = 0
    for number, held_out in enumerate(folds):
        names = [name for name in clips["clip"] if name not in held_out]
        if cfg.train.max_clips and len(names) > cfg.train.max_clips:
            chosen = np.random.default_rng(cfg.seed).permutation(len(names))[: cfg.train.max_clips]
            names = [names[k] for k in sorted(chosen)]

        def add(_name: str, value: float, epoch: int) -> None:
            losses[epoch - 1] += value / len(folds)

        head = train_head(
            [inputs_of(cfg, told[name]) for name in names],
            [indices(states[name][told[name].frames]) for name in names],
            classes=len(STATES),
            shape=shape_of(cfg),
            seed=cfg.seed * 101 + number,
            log=add,
            **cfg.train.model_dump(include={"epochs", "batch", "lr", "weight_decay", "class_weights"}),
        )
        most = max(most, len(names))
        tensors |= {f"{number}.{name}": tensor for name, tensor in head.state_dict().items()}
    for epoch, loss in enumerate(losses, 1):
        run.metric("train/loss", float(loss), epoch)
    rows = [{"epoch": epoch, "train/loss": float(loss)} for epoch, loss in enumerate(losses, 1)]
    return tensors, rows, most


def indices(states: "np.ndarray") -> "np.ndarray":
    """Class indices of states, -1 where nobody said."""
    import numpy as np

    number = {state: k for k, state in enumerate(STATES)}
    return np.array([number.get(str(state), -1) for state in states], np.int64)
