"""How long one prediction takes."""

from collections.abc import Callable
from time import perf_counter

import numpy as np


def latency(predict_one: Callable[[], object], *, warmup: int = 10, runs: int = 50) -> dict[str, float]:
    """Median and 95th percentile of one call, in milliseconds: {"median_ms", "p95_ms"}.

    The first `warmup` calls are not counted: they allocate, compile and wake threads.
    """
    for _ in range(warmup):
        predict_one()
    times = []
    for _ in range(runs):
        start = perf_counter()
        predict_one()
        times.append(1000 * (perf_counter() - start))
    return {"median_ms": float(np.median(times)), "p95_ms": float(np.quantile(times, 0.95))}
