"""A folder in which the clips of workzone were mined: 6 clips of 10 candidates, frames 0-4 and 5-9 near-duplicates."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.review.offered import Offered

LABELS = (
    "random_cones",
    "roadside_signs",
    "orange_trucks",
    "weather_artifacts",
    "other_lookalike",
    "work_zone",
)
CLIPS, FRAMES = 6, 10


def write_candidates(folder, clips=CLIPS, first=0):
    random = np.random.default_rng(first)
    rows = []
    for clip in range(clips):
        scenes = random.integers(0, 255, (2, 9, 16, 3)).astype(np.uint8)
        for frame in range(FRAMES):
            name = f"clip_{clip}/clip_{clip}_f{frame:06d}.jpg"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(scenes[frame // 5]).resize((320, 180), Image.Resampling.BICUBIC)
            picture.save(folder / name, quality=90)
            score = round(0.5 + 0.4 * random.random(), 6)
            box = {"label": "cone", "box": [20, 20, 60, 90], "score": 0.61, "origin": "model"}
            rows.append(
                {
                    "candidate": f"{first + clip * 100 + frame:012x}",
                    "image": name,
                    "label": "",
                    "reason": "score",
                    "group": f"clip_{clip}",
                    "surprise": score,
                    "frame": frame,
                    "time_sec": frame / 5,
                    "fused_score_ema": score,
                    "state": "INSIDE",
                    "p1_num_sustained": 1,
                    "boxes": json.dumps([box]),
                    "model": "f" * 32,
                }
            )
    table = pd.DataFrame(rows)
    table.to_parquet(folder / "candidates.parquet", index=False)
    table.to_csv(folder / "candidates.csv", index=False)
    (folder / "mined_by.json").write_text(json.dumps({"id": "f" * 32}))
    return table


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """Mined candidates of workzone, in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_candidates(tmp_path / "build/workzone/candidates")
    return Offered(
        "workzone", "clips", "build/workzone", "data/workzone", (*LABELS, "unusable"), ("cone", "drum")
    )


@pytest.fixture
def more(tmp_path):
    """Candidates of another machine: a clip of the same name, and one that both have."""
    folder = tmp_path / "elsewhere"
    table = write_candidates(folder, clips=1, first=5000)
    both = table.assign(candidate=[f"{n:012x}" if n < 3 else one for n, one in enumerate(table["candidate"])])
    both.to_parquet(folder / "candidates.parquet", index=False)
    return folder
