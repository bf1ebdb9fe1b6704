import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.evaluation.frames import compare_frames, draw_strips, score_frames
from assay.evaluation.intervals import wilson
from assay.evaluation.predictions import Predictions

CLASSES = ("outside", "inside")


def table(model, right):
    """right: recording -> how many of its 50 frames are right; every frame is inside."""
    rows = []
    for group, count in right.items():
        for frame in range(50):
            p = 1.0 if frame < count else 0.0
            rows.append((model, f"{group}_f{frame:06d}", group, "inside", False, 1 - p, p))
    return pd.DataFrame(rows, columns=["model", "image", "group", "label", "leak", "p_outside", "p_inside"])


def predictions(**models):
    about = {name: {"hash": name, "experiment": name} for name in models}
    return Predictions(
        pd.concat([table(*one) for one in models.items()]), CLASSES, about, {"source": "sample"}
    )


def test_frames_of_a_recording_are_no_independent_observations():
    halves = {f"r{k}": 50 * (k % 2) for k in range(6)}  # three recordings all right, three all wrong
    scores = score_frames(predictions(one=halves).of("one"), CLASSES, draws=500, seed=0)["all"]
    accuracy, frames_alone = scores["accuracy"], wilson(150, 300)
    assert accuracy["value"] == 0.5 and (scores["n"], scores["groups"]) == (300, 6)
    assert accuracy["high"] - accuracy["low"] > 4 * (frames_alone.high - frames_alone.low)


def test_a_difference_in_every_recording_is_beyond_noise_and_in_one_is_not():
    base = {f"r{k}": 30 for k in range(8)}
    stored = predictions(base=base, better=dict.fromkeys(base, 34), lucky=base | {"r0": 50}, same=dict(base))
    pairs = [("better", "base"), ("lucky", "base"), ("same", "base")]
    better, lucky, same = compare_frames(stored, [], CLASSES, pairs=pairs, draws=400, seed=0)
    assert better["accuracy_difference"] == pytest.approx({"value": 0.08, "low": 0.08, "high": 0.08})
    assert (better["verdict"], better["candidate_only"], better["reference_only"]) == (
        "better beyond noise",
        32,
        0,
    )
    assert better["p"] == pytest.approx(0.5**7) and better["p_holm"] == pytest.approx(3 * 0.5**7)
    assert lucky["verdict"] == same["verdict"] == "no evidence of a difference"
    assert (same["p"], same["n"], same["groups"]) == (1.0, 400, 8)


def test_strips_are_drawn(tmp_path):
    clips = {name: (np.array([0, 0, 1]), np.array([0, 1, 1])) for name in ("a", "b")}
    draw_strips(tmp_path / "strips.png", clips, CLASSES)
    assert (
        len(np.unique(np.asarray(Image.open(tmp_path / "strips.png").convert("RGB")).reshape(-1, 3), axis=0))
        > 3
    )
