"""Tell the state of every annotated frame, by a network that learnt from other recordings, and score it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.config.timeline import TimelineConfig
from assay.evaluation.predictions import Predictions
from assay.tracking import Run
from pipelines.timeline.fitting import STATES, indices, inputs_of, shape_of

if TYPE_CHECKING:
    import pandas as pd


def predict_all(cfg: TimelineConfig, name: str, trained: Path) -> Predictions:
    """The states' probabilities in every annotated frame that is looked at; of the rules, 0 and 1."""
    import pandas as pd

    from assay.data.source import read_source
    from assay.evaluation.predictions import table_of
    from assay.files import read_json
    from assay.models.weights import read_state
    from assay.models.zone_head import ZoneHead
    from assay.training.timeline import state_probabilities
    from pipelines.timeline.signals import clips_of, signals

    info = read_json(trained / "model.json")
    clips, states = clips_of(cfg)
    told, _ = signals(cfg, clips)
    tensors = read_state(trained / "model.safetensors") if cfg.model.architecture != "rules" else {}
    tables = []
    for number, held_out in enumerate(info["folds"]):
        head = None
        if tensors:
            head = ZoneHead(inputs_of(cfg, told[held_out[0]]).shape[1], len(STATES), **shape_of(cfg))
            prefix = f"{number}."
            head.load_state_dict(
                {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            )
            head.eval()
        for clip in held_out:
            one = told[clip]
            found = (
                np.eye(len(STATES))[indices(one.rules)]
                if head is None
                else state_probabilities(head, inputs_of(cfg, one))
            )
            row = clips[clips["clip"] == clip].iloc[0]
            rows = pd.DataFrame(
                {
                    "image": [f"{clip}_f{frame:06d}" for frame in one.frames],
                    "group": row["recording"],
                    "label": states[clip][one.frames],
                    "leak": bool(row["leak"]),
                }
            )
            said = (rows["label"] != "").to_numpy()
            tables.append(table_of(name, rows[said], found[said], known=STATES, classes=STATES))
    about = {"hash": info["id"], **{key: info[key] for key in ("experiment", "profile", "weights")}}
    data = read_source(Path(cfg.build) / "dataset")
    return Predictions(pd.concat(tables, ignore_index=True), STATES, {name: about}, data)


def score_into(cfg: TimelineConfig, out: Path, name: str, trained: Path, run: Run) -> dict[str, Any]:
    """Evaluate one model by itself, as a sweep's job does; returns its row of the sweep's table."""
    from assay.evaluation.classification import flat
    from assay.evaluation.frames import score_frames
    from assay.evaluation.predictions import write_predictions
    from assay.evaluation.timeline_report import write_timeline_metrics
    from assay.files import fresh_folder, read_json, write_json
    from pipelines.timeline.signals import clips_of

    predictions, info = predict_all(cfg, name, trained), read_json(trained / "model.json")
    run.data(predictions.data)
    rows = predictions.of(name)
    scores = score_frames(rows, STATES, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed)
    everything = scores["all"]
    for metric, value in flat(everything).items():
        run.metric(metric, value)
    counts = counts_of(rows, clips_of(cfg)[1], tolerances=cfg.mine.tolerances)
    with fresh_folder(out) as folder:
        write_predictions(folder / "predictions.parquet", predictions)
        write_json(folder / "metrics.json", scores)
        along = write_timeline_metrics(
            folder,
            counts,
            tolerances=cfg.mine.tolerances,
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )["metrics"]
        _draw(cfg, folder, predictions, name, scores=scores, info=info)
        run.artifact(folder / "report.html")
        run.artifact(folder / "timeline_metrics.md", "evaluation")
        for picture in sorted(folder.glob("*.png")):
            run.artifact(picture, "evaluation")
    return {
        "source": predictions.data["source"],
        "weights": info["weights"]["origin"],
        "reads": info["reads"],
        "clip": info["clip"],
        "n": everything["n"],
        "groups": everything["groups"],
        "clips": int(rows["image"].str.rpartition("_f")[0].nunique()),
        "trained_on": info["trained_on"],
        **_cells("", everything["accuracy"], plain="accuracy"),
        **_cells("balanced_accuracy", everything["balanced_accuracy"]),
        **{
            key: value
            for state in STATES
            for key, value in _cells(f"recall_{state}", everything["recall"][state]).items()
        },
        **{
            key: value
            for metric, interval in along.items()
            if metric != "frame_accuracy"
            for key, value in _cells(
                metric, {end: np.nan if at is None else at for end, at in interval.items()}
            ).items()
        },
        "without_leaks": scores["without_leaks"]["accuracy"]["value"],
        "majority_share": everything["majority"]["share"],
        "collapsed": everything["collapsed"] and f"every frame is called {everything['collapsed']}",
    }


def counts_of(
    rows: "pd.DataFrame", marked: Mapping[str, "np.ndarray"], *, tolerances: Sequence[int]
) -> "pd.DataFrame":
    """What `timeline.count_clip` counts, one row per clip: clip, recording and the counts.

    A state that was told stays until the next frame that was looked at.

    Args:
        rows: of `Predictions.of`, the frame's number at the end of `image`.
        marked: clip -> state of each of its frames.
        tolerances: of transitions, frames.
    """
    import pandas as pd

    from assay.evaluation.classification import decide
    from assay.evaluation.timeline import count_clip, every_frame

    parts = rows["image"].str.rpartition("_f")
    told = rows.assign(
        clip=parts[0], frame=parts[2].astype(int), said=np.array(STATES)[decide(rows, STATES).decided]
    )
    counts = []
    for (clip, recording), one in told.groupby(["clip", "group"], sort=True):
        said = every_frame(dict(zip(one["frame"], one["said"], strict=True)), len(marked[str(clip)]))
        found = count_clip(said, list(marked[str(clip)]), tolerances=tolerances)
        counts.append({"clip": clip, "recording": recording, **found})
    return pd.DataFrame(counts)


def _cells(name: str, found: dict[str, float], *, plain: str | None = None) -> dict[str, float]:
    """Three cells of a row; `plain` names the value where its ends are just low and high."""
    prefix = f"{name}_" if name else ""
    return {plain or name: found["value"], f"{prefix}low": found["low"], f"{prefix}high": found["high"]}


def _draw(
    cfg: TimelineConfig,
    folder: Path,
    predictions: Predictions,
    name: str,
    *,
    scores: dict[str, Any],
    info: dict[str, Any],
) -> None:
    """Confusion matrix, a strip per clip, and the page."""
    from assay.evaluation import plots
    from assay.evaluation.frames import draw_strips
    from assay.evaluation.report import write_report
    from pipelines.heading import heading

    plots.plot_confusion(folder / "confusion.png", scores["all"]["confusion"], STATES)
    draw_strips(folder / "strips.png", strips_of(predictions.of(name)), STATES)
    facts = {
        "reads": info["reads"],
        "second opinion": info["clip"],
        "learnt from": f"{info['trained_on']} clips, {len(info['folds'])} folds"
        if info["trained_on"]
        else "nothing",
    }
    doubts = not_comparable(cfg, predictions.data["source"], info["weights"]["origin"])
    if info["detector_profile"] != cfg.profile.name:
        doubts.append(f"a detector of the {info['detector_profile']} profile")
    published = {"accuracy": value} if not doubts and (value := _frame_accuracy(cfg)) is not None else {}
    write_report(
        folder / "report.html",
        **heading(cfg, info, predictions.data, doubts=doubts, facts=facts),
        scores=scores,
        comparison=None,
        published=published,
        figures=[
            ("Confusion matrix, frames", folder / "confusion.png"),
            ("Annotated above, told below", folder / "strips.png"),
        ],
    )


def strips_of(rows: "pd.DataFrame", most: int = 24) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Annotated and told class indices of at most `most` clips, by name. rows: of `Predictions.of`, sorted."""
    from assay.evaluation.classification import decide

    answer, clip = decide(rows, STATES), rows["image"].str.rpartition("_f")[0].to_numpy()
    names = list(dict.fromkeys(clip))[:most]
    return {name: (answer.truth[clip == name], answer.decided[clip == name]) for name in names}


def _frame_accuracy(cfg: TimelineConfig) -> float | None:
    return cfg.experiment.published.share("frame_accuracy") if cfg.experiment.published else None


def not_comparable(cfg: TimelineConfig, source: str, weights: str) -> list[str]:
    """Why a measured number does not stand beside the published one; empty where it does."""
    reasons = [] if source == "original" else [f"{source} data"]
    if weights in ("random", "starter"):
        reasons.append(f"the detector started from {weights} weights")
    return reasons + [f"{key} {old} -> {new}" for key, (old, new) in cfg.profile.scaled.items()]
