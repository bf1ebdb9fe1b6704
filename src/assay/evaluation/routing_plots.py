"""Pictures of routing: what each way costs, and what it misses for how many looks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from assay.evaluation.plots import COLOURS, STYLES, figure
from assay.evaluation.routing import PIT
from assay.evaluation.thresholds import NEVER


def plot_costs(path: Path, costs: pd.DataFrame) -> None:
    """Cost per 1000 fruits against the price of a missed pit, a panel per price of a look; bands are 95 % intervals.

    costs: the table of `costs.expected_costs`.
    """
    looks = sorted(costs["look"].unique())
    with figure(path, 330 + 20 * costs["way"].nunique()) as drawn:
        panels = np.atleast_1d(drawn.subplots(1, len(looks), sharey=True))
        for axes, look in zip(panels, looks, strict=True):
            for index, (way, rows) in enumerate(costs[costs["look"] == look].groupby("way", sort=False)):
                colour = COLOURS[index % len(COLOURS)]
                axes.plot(
                    rows["missed"],
                    rows["cost"],
                    color=colour,
                    linestyle=STYLES[index % len(STYLES)],
                    label=str(way),
                )
                axes.fill_between(
                    rows["missed"], rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0
                )
            axes.set(xscale="log", yscale="log", title=f"a look costs {look:g}")
        panels[len(panels) // 2].set_xlabel("price of a missed pit (a false alarm costs 1)")
        panels[0].set_ylabel("cost per 1000 fruits")
        drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", fontsize=9)


def plot_trade(
    path: Path,
    curves: Sequence[tuple[str, np.ndarray, np.ndarray, float]],
    points: Sequence[tuple[str, float, float]],
) -> None:
    """Missed pits against looks: a line per two-class model as its maybe threshold falls, a point per way.

    curves: (model, pit probabilities, truth, pit_at). points: (way, share of maybe, share of pits missed).
    """
    with figure(path, 460 + 16 * len(points)) as drawn:
        axes = drawn.subplots()
        for index, (model, pit, truth, pit_at) in enumerate(curves):
            ends = np.unique(np.append(pit[pit < pit_at], min(pit_at, NEVER)))
            looks = [float(((pit >= end) & (pit < pit_at)).mean()) for end in ends]
            missed = [float((pit[truth == PIT] < end).mean()) for end in ends]
            axes.plot(
                looks,
                missed,
                color=COLOURS[index % len(COLOURS)],
                linestyle=STYLES[index % len(STYLES)],
                label=f"{model}, pit from {pit_at:.2f}",
            )
        for index, (way, looks_at, missed_at) in enumerate(points):
            axes.plot(
                looks_at,
                missed_at,
                marker="os^Dv*PX"[index % 8],
                color=COLOURS[(index + len(curves)) % len(COLOURS)],
                linestyle="none",
                label=way,
            )
        axes.set(
            xlabel="share of maybe (images for a person)", ylabel="share of pits missed", ylim=(-0.005, None)
        )
        drawn.legend(loc="outside lower left", fontsize=9)
