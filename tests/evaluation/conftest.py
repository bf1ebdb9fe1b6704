import numpy as np
import pandas as pd
import pytest

from assay.evaluation.predictions import Predictions


@pytest.fixture(scope="session")
def predictions() -> Predictions:
    """Two models of different skill on 120 images of two classes, a few of them leaked."""
    random = np.random.default_rng(0)
    truth = np.arange(120) % 2
    tables = []
    for model, noise in (("model", 0.7), ("baseline", 1.3)):
        pit = 1 / (1 + np.exp(-3 * (2 * truth - 1 + random.normal(0, noise, 120))))
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "image": [f"{i:03d}.png" for i in range(120)],
                    "group": [str(i // 2) for i in range(120)],
                    "label": np.where(truth, "pit", "clean"),
                    "leak": np.arange(120) < 6,
                    "p_clean": 1 - pit,
                    "p_pit": pit,
                }
            )
        )
    return Predictions(pd.concat(tables), ("clean", "pit"), {"model": {}, "baseline": {}}, {"content": "c"})
