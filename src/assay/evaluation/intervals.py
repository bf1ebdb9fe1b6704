"""95 % intervals: Wilson for a share, and a bootstrap that keeps near-duplicates together."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

CONFIDENCE = 0.95
_CHUNK = 1000  # draws held at once: 1000 x 1226 weights are 10 MB, 100,000 would be 1 GB
Metrics = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Weights (draws, rows) -> each metric's values (draws,), NaN where a draw leaves it undefined."""


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """{"value", "low", "high"}, for JSON."""
        return asdict(self)


def wilson(successes: int, n: int) -> Interval:
    """Wilson score interval of a share (Wilson 1927; statsmodels). NaN everywhere when n is 0."""
    from statsmodels.stats.proportion import proportion_confint

    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    low, high = proportion_confint(successes, n, alpha=1 - CONFIDENCE, method="wilson")
    return Interval(successes / n, float(low), float(high))


def resample(groups: np.ndarray, *, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield row weights (up to 1000 draws, rows): how often each row is in each bootstrap sample.

    Whole groups are drawn with replacement, as many as there are, because near-duplicate images are not
    independent observations (Davison & Hinkley 1997, section 3.8). Every row its own group gives the
    ordinary bootstrap.
    """
    names, index = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(seed)
    share = np.full(len(names), 1 / max(len(names), 1))
    for start in range(0, draws, _CHUNK):
        counts = random.multinomial(len(names), share, size=min(_CHUNK, draws - start))
        yield counts[:, index].astype(np.float64)


def bootstrap(
    metrics: Metrics,
    groups: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
    raised: Collection[str] = (),
) -> dict[str, Interval]:
    """Percentile intervals of several metrics from the same clustered bootstrap samples.

    metrics: a function of row weights, so that many draws are one array operation: a loop over a library's
        metrics takes minutes where this takes a fraction of a second.
    groups: (rows,) the cluster of each row.
    raised: metrics of at least 0 that resampling itself raises, as it adds noise to a mean of absolute values. Their
        ends are the basic bootstrap's, 2 * value - quantile, which turns the bias round (Davison & Hinkley 1997,
        section 5.2.1), cut at 0.

    The value is the metric with every weight 1; where it is undefined the ends are too. Draws that leave it
    undefined are left out. With fewer than two groups there is nothing to resample and the ends are NaN.
    """
    values = {name: float(value[0]) for name, value in metrics(np.ones((1, len(groups)))).items()}
    samples: dict[str, list[np.ndarray]] = {name: [] for name in values}
    if len(np.unique(groups)) > 1:
        for weights in resample(groups, draws=draws, seed=seed):
            for name, drawn in metrics(weights).items():
                samples[name].append(drawn[np.isfinite(drawn)])
    intervals = {}
    for name, value in values.items():
        low, high = _ends(samples[name]) if np.isfinite(value) else (np.nan, np.nan)
        if name in raised:
            low, high = max(2 * value - high, 0.0), max(2 * value - low, 0.0)
        intervals[name] = Interval(value, low, high)
    return intervals


def _ends(chunks: list[np.ndarray]) -> tuple[float, float]:
    drawn = np.concatenate([*chunks, np.empty(0)])
    if not drawn.size:
        return np.nan, np.nan
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
