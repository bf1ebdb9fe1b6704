"""What a routing costs per 1000 fruits, for a range of prices nobody here knows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from assay.evaluation.intervals import bootstrap
from assay.evaluation.routing import CLEAN, MAYBE, PIT

MISSED = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LOOK = (0.1, 0.3, 1.0)


def expected_costs(
    truth: np.ndarray, routes: Mapping[str, np.ndarray], groups: np.ndarray, *, draws: int, seed: int
) -> pd.DataFrame:
    """Expected cost per 1000 fruits of each way to route, for every pair of prices.

    The unit is one false alarm: a clean fruit called pit and thrown away. missed: the price of a pit called clean,
    1 to 1000 such units (`MISSED`); look: of a person's look at a maybe (`LOOK`). The person is taken to decide
    rightly, so that a maybe costs its look alone.

    truth: (rows,) CLEAN or PIT; routes: name -> (rows,) answers; groups: (rows,) near-duplicates share one. The share
    of pits is that of these images, nearly half; on a line it is smaller, and then misses weigh less.

    Returns columns way, missed, look, cost, low, high (95 %, bootstrap clustered by group), one row per way and pair.
    """
    counts = {
        name: np.stack(
            [(truth == PIT) & (answer == CLEAN), (truth == CLEAN) & (answer == PIT), answer == MAYBE], axis=1
        ).astype(np.float64)
        for name, answer in routes.items()
    }
    prices = [(missed, look) for missed in MISSED for look in LOOK]
    weigh = np.array([[missed, 1.0, look] for missed, look in prices]).T  # (3, prices)

    def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, count in counts.items():
            costs = 1000 * (weights @ count @ weigh) / weights.sum(axis=1, keepdims=True)
            found |= {f"{name}\n{index}": costs[:, index] for index in range(len(prices))}
        return found

    intervals = bootstrap(metrics, groups, draws=draws, seed=seed)
    return pd.DataFrame(
        [
            {
                "way": name,
                "missed": missed,
                "look": look,
                "cost": found.value,
                "low": found.low,
                "high": found.high,
            }
            for name in routes
            for index, (missed, look) in enumerate(prices)
            for found in [intervals[f"{name}\n{index}"]]
        ]
    )


def cheapest(costs: pd.DataFrame, look: float) -> list[tuple[str, float, float]]:
    """(way, from, to): the cheapest way for each stretch of prices of a missed pit, at one price of a look."""
    stretches: list[tuple[str, float, float]] = []
    of_look = costs[costs["look"] == look].pivot_table(
        index="missed", columns="way", values="cost", sort=False
    )
    best = of_look.sort_index().idxmin(axis=1)
    for price, way in zip(best.index.astype(float), best.astype(str), strict=True):
        if stretches and stretches[-1][0] == way:
            stretches[-1] = (way, stretches[-1][1], price)
        else:
            stretches.append((way, price, price))
    return stretches
