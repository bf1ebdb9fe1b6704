"""Scores of what tells a state in every frame of clips: frames of one clip are no independent observations.

All intervals draw whole recordings (`intervals.bootstrap`), and so does the p of a comparison.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation import classification
from assay.evaluation.comparison import SIGNIFICANCE
from assay.evaluation.detection_comparison import DRAWS_PER_PAIR, HOW_P, bootstrap_p, verdict_of
from assay.evaluation.intervals import CONFIDENCE, Interval, bootstrap, resample
from assay.evaluation.metrics import weighted_share
from assay.evaluation.predictions import Predictions

__all__ = ["HOW_P", "compare_frames", "draw_strips", "score_frames"]


def score_frames(rows: pd.DataFrame, classes: Sequence[str], *, draws: int, seed: int) -> dict[str, Any]:
    """`classification.score` of one model's frames, with the accuracy's interval drawn by recording too.

    rows: of `Predictions.of`; group is the recording.
    """
    scores = classification.score(rows, classes, draws=draws, seed=seed)
    for part, kept in (("all", rows), ("without_leaks", rows[~rows["leak"].to_numpy(bool)])):
        right = classification.decide(kept, classes).correct

        def accuracy(weights: np.ndarray, right: np.ndarray = right) -> dict[str, np.ndarray]:
            return {"accuracy": weighted_share(weights, right)}

        found = bootstrap(accuracy, kept["group"].to_numpy(str), draws=draws, seed=seed)
        scores[part]["accuracy"] = found["accuracy"].as_dict()
    return scores


def compare_frames(
    predictions: Predictions,
    models: Sequence[str],
    classes: Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Every pair of `models`, or those of `pairs`, by frame accuracy, with p_holm (Holm 1979).

    One dict per pair, in the form of `comparison.compare_all`: candidate, reference, n, groups, accuracy_difference
    (paired bootstrap that draws whole recordings), candidate_only and reference_only (frames that only one gets right),
    p (`detection_comparison.HOW_P`), p_holm, verdict (p_holm < .05 and the interval leaves 0 out).
    """
    from statsmodels.stats.multitest import multipletests

    pairs = list(combinations(models, 2) if pairs is None else pairs)
    draws = max(draws, DRAWS_PER_PAIR * len(pairs))
    results: list[dict[str, Any]] = []
    for candidate, reference in pairs:
        ours, theirs = predictions.of(candidate), predictions.of(reference)
        groups = ours["group"].to_numpy(str)
        a, b = (classification.decide(rows, classes).correct for rows in (ours, theirs))
        gap = a.astype(float) - b.astype(float)
        clusters = len(np.unique(groups))
        drawn = np.empty(0)
        if clusters > 1:
            drawn = np.concatenate(
                [weights @ gap / weights.sum(axis=1) for weights in resample(groups, draws=draws, seed=seed)]
            )
        ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
        low, high = np.quantile(drawn, ends) if len(drawn) else (np.nan, np.nan)
        results.append(
            {
                "candidate": candidate,
                "reference": reference,
                "n": len(ours),
                "groups": clusters,
                "accuracy_difference": Interval(float(gap.mean()), float(low), float(high)).as_dict(),
                "candidate_only": int((a & ~b).sum()),
                "reference_only": int((b & ~a).sum()),
                "p": bootstrap_p(drawn, clusters),
            }
        )
    if results:
        adjusted = multipletests([one["p"] for one in results], alpha=SIGNIFICANCE, method="holm")[1]
        for one, p in zip(results, adjusted, strict=True):
            one["p_holm"] = float(p)
            one["verdict"] = verdict_of(Interval(**one["accuracy_difference"]), float(p))
    return results


def draw_strips(
    path: Path, clips: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str]
) -> None:
    """One strip per clip: the annotated state above, the decided one below. clips: name -> (truth, decided) indices."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    from assay.evaluation.plots import COLOURS, figure

    colours = COLOURS[: len(classes)]
    with figure(path, 90 + 46 * len(clips)) as drawn:
        grid = drawn.subplots(len(clips), 1, squeeze=False)[:, 0]
        for axes, (name, (truth, decided)) in zip(grid, clips.items(), strict=True):
            axes.imshow(
                np.stack([truth, decided]),
                aspect="auto",
                interpolation="nearest",
                cmap=ListedColormap(colours),
                vmin=-0.5,
                vmax=len(classes) - 0.5,
            )
            axes.set(xticks=[], yticks=[])
            axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        handles = [Patch(color=colour, label=name) for colour, name in zip(colours, classes, strict=True)]
        drawn.legend(handles=handles, loc="lower center", ncols=len(classes), fontsize=9)
