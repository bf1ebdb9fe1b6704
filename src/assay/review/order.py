"""In which order candidates come to a reviewer: the most surprising, the least certain, near-duplicates together."""

import json
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

Order = Literal["surprise", "uncertainty", "cluster", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
NEAR = 0.18  # share of differing hash bits up to which two pictures of one group are answered together
LARGEST = 12  # pictures of a cluster: all of them are on the screen when it is answered


def score(candidates: pd.DataFrame) -> pd.Series:
    """The score each candidate was chosen by, 0 to 1: a clip's smoothed fused score, otherwise the confidence."""
    return candidates["fused_score_ema" if "fused_score_ema" in candidates else "confidence"].astype(float)


def uncertainty(candidates: pd.DataFrame) -> pd.Series:
    """How undecided the model is about each candidate, 0 (sure) to 1.

    Classified: 1 less the margin between the two most likely classes. Clips: 1 - |2s - 1| of the fused score s.
    Images: the same of the box whose score is nearest to a half; 0 where the model found none.
    """
    chances = [column for column in map(str, candidates.columns) if column.startswith("p_")]
    if chances:
        likely = np.sort(candidates[chances].to_numpy(float), axis=1)
        return pd.Series(1 - (likely[:, -1] - likely[:, -2]), candidates.index)
    if "fused_score_ema" in candidates:
        return 1 - (2 * score(candidates) - 1).abs()
    return candidates["boxes"].map(_least_certain)


def in_order(candidates: pd.DataFrame, order: Order, *, seed: int = 0) -> pd.DataFrame:
    """The candidates as they come, with a column `cluster`.

    Args:
        candidates: the table, with a column `cluster` (see `clusters`) where `order` is cluster.
        order: surprise: as mined, groups (clips, neighbouring photos) taking turns; uncertainty: the least certain
            first; cluster: the largest cluster of near-duplicates first, its most surprising picture first; random.
        seed: of random.
    """
    if order == "random":
        return candidates.sample(frac=1, random_state=seed)
    ranked = candidates.sort_values("surprise", ascending=False, kind="stable")
    if order == "uncertainty":
        by = uncertainty(ranked).sort_values(ascending=False, kind="stable")
        return ranked.loc[by.index]
    if order == "cluster":
        size = ranked.groupby("cluster")["candidate"].transform("size")
        first = pd.Series(np.arange(len(ranked)), ranked.index).groupby(ranked["cluster"]).transform("min")
        return ranked.assign(size=size, first=first).sort_values(
            ["size", "first"], ascending=[False, True], kind="stable"
        )[[*ranked.columns]]
    turn = ranked.groupby("group").cumcount().sort_values(kind="stable")
    return ranked.loc[turn.index]


def clusters(
    candidates: pd.DataFrame, bits: Callable[[str], np.ndarray], *, near: float = NEAR, largest: int = LARGEST
) -> list[str]:
    """The cluster of near-duplicates that each candidate is in, named by the id of its first one.

    Only pictures of one group (a clip, neighbouring photos) may be together, and every two of a cluster are near each
    other (complete linkage): a chain of small steps does not join its ends.

    Args:
        candidates: with the columns candidate, image, group.
        bits: image -> hash of the picture, bool (B,).
        near: share of differing bits, 0 to 1.
        largest: a larger cluster is cut.
    """
    from sklearn.cluster import AgglomerativeClustering

    name = pd.Series(candidates["candidate"].to_numpy(), candidates.index)
    for _, own in candidates.groupby("group"):
        if len(own) == 1:
            continue
        hashes = np.stack([bits(image) for image in own["image"]])
        linked = AgglomerativeClustering(
            n_clusters=None, metric="hamming", linkage="complete", distance_threshold=near
        ).fit_predict(hashes)
        part = pd.Series(linked, own.index).groupby(linked).cumcount() // largest
        first = own["candidate"].groupby([linked, part.to_numpy()]).transform("first")
        name.loc[own.index] = first
    return name.tolist()


def choose(
    candidates: pd.DataFrame,
    *,
    score_range: tuple[float, float] | None = None,
    labels: Sequence[str] | None = None,
    per_label: int | None = None,
    size: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The candidates that a command is about.

    Args:
        candidates: the table; with a column `decided` where `labels` or `per_label` is given.
        score_range: both ends included, see `score`.
        labels: of `decided`.
        per_label: at most so many of each `decided`, the most surprising.
        size: a random sample of so many.
        seed: of the sample.
    """
    if score_range is not None:
        candidates = candidates[score(candidates).between(*score_range)]
    if labels is not None:
        candidates = candidates[candidates["decided"].isin(labels)]
    if per_label is not None:
        ranked = candidates.sort_values("surprise", ascending=False, kind="stable")
        candidates = ranked.groupby("decided").head(per_label)
    if size is not None and size < len(candidates):
        candidates = candidates.sample(size, random_state=seed)
    return candidates


def _least_certain(boxes: str) -> float:
    scores = [box["score"] for box in json.loads(boxes) if box["origin"] != "label"]
    return max((1 - abs(2 * float(one) - 1) for one in scores), default=0.0)
