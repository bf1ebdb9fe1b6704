"""Ranking classified images by how much they are worth a person's look."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def rank_candidates(
    images: pd.DataFrame,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    uncertain_below: float,
    max_candidates: int,
) -> pd.DataFrame:
    """Choose and order what a reviewer should see first: the model's misses and what it is unsure of.

    The order is by surprise: 1 - p(label) for a labelled image, 1 - max p for one without a label. A confident miss
    comes first, then unsure ones. Of images that show the same thing (one group) the most surprising is shown.
    Where there are more than fit, misses and unsure ones get half the places each.

    Args:
        images: rows with `image`, `label` (empty without one), `split`, `group`, `sha256`; never validation images.
        probabilities: (N, C), rows sum to 1.
        classes: C names, in the columns' order.
        uncertain_below: a top probability under this makes an image a candidate, 0-1.
        max_candidates: at most so many rows come back.

    Returns:
        Columns candidate (12 hex digits of the file's hash), image, split, label, group, group_size, predicted,
        confidence, reason ("miss" | "uncertain"), surprise, p_<class>; most surprising first.

    Raises:
        ValueError: validation images are among the rows; what is evaluated must not be mined.
    """
    if (images["split"] == "val").any():
        raise ValueError("validation images must not be mined: a reviewed one would be trained on")
    known = {name: column for column, name in enumerate(classes)}
    labelled = images["label"].isin(known).to_numpy()
    column = images["label"].map(known).fillna(0).astype(int).to_numpy()
    rows = np.arange(len(images))
    confidence = probabilities.max(axis=1)
    predicted = probabilities.argmax(axis=1)
    surprise = 1 - np.where(labelled, probabilities[rows, column], confidence)
    miss = labelled & (predicted != column)

    table = pd.DataFrame(
        {
            "candidate": images["sha256"].str[:12].to_numpy(),
            "image": images["image"].to_numpy(),
            "split": images["split"].to_numpy(),
            "label": images["label"].to_numpy(),
            "group": images["group"].to_numpy(),
            "predicted": np.asarray(classes, dtype=object)[predicted],
            "confidence": confidence.astype(float),
            "reason": np.where(miss, "miss", "uncertain"),
            "surprise": surprise.astype(float),
            **{f"p_{name}": probabilities[:, i].astype(float) for i, name in enumerate(classes)},
        }
    )
    table.insert(5, "group_size", table.groupby("group")["image"].transform("size"))
    table = table[miss | (confidence < uncertain_below)]
    table = table.sort_values(["surprise", "image"], ascending=[False, True]).drop_duplicates("group")
    turn = table.groupby("reason").cumcount().sort_values(kind="stable")  # misses and unsure ones take turns
    return table.loc[sorted(turn.index[:max_candidates], key=table.index.get_loc)].reset_index(drop=True)
