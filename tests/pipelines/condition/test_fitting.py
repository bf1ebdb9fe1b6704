"""Which instances a condition classifier learns from, and which choose its epoch."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from assay.config import compose
from pipelines.condition import features, fitting

CLASSES = ["normal", "conditional"]


class Run:
    """A run that keeps nothing."""

    def tag(self, *_):
        """Nothing."""

    metric = tag


def row(name, group, label, split="train"):
    return {"image": name, "group": group, "label": label, "split": split, "pixels": name, "photo": group}


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Train on three instances of each of four photos and one drawn there; the instances of train and val."""
    own = [row(f"{g}{k}", g, CLASSES[k > 0]) for g in "abcd" for k in range(3)]
    drawn = [row(f"{g}#drawn", g, "", "pool") for g in "abcd"]
    folder = tmp_path / "hard_examples"
    folder.mkdir()
    said = [(one["image"], "normal") for one in drawn] + [(f"{g}1", "normal") for g in "abcd"]
    for name, lines in (("examples.csv", [("b0", "unusable")]), ("drawn.csv", said)):
        pd.DataFrame(lines, columns=["image", "label"]).assign(at="2026").to_csv(folder / name, index=False)
    (folder / "report.json").write_text(json.dumps({"mined_by": {"experiment": "e", "profile": "p"}}))
    chosen = ["project=conditions", "experiment=clip_b32_reviewed", "profile=full", f"build={tmp_path}"]
    cfg = compose(
        [*chosen, "train.selection=best", "train.validation_share=0.5", "train.hard_examples.repeat=1"]
    )
    monkeypatch.setattr(features, "image_features", lambda _, rows, *__: np.zeros((len(rows), 2)))
    seen = {}
    monkeypatch.setattr(fitting, "_examples", lambda rows, *_: rows)
    monkeypatch.setattr(
        "assay.training.condition.train_condition", lambda **given: seen.update(given) or SimpleNamespace()
    )
    info = {"classes": CLASSES, "object_types": ["rock_toe"]}
    fitting._train(cfg, pd.DataFrame([*own, *drawn]), info, None, Run())
    return seen


def test_what_is_drawn_on_a_watched_photo_is_not_learnt(parts):
    watched, learnt = set(parts["val"]["group"]), parts["train"]["image"]
    assert watched and learnt.str.endswith("#drawn").any()
    assert not watched & set(learnt.str[0])


def test_an_epoch_is_chosen_by_reviewed_labels(parts):
    val = parts["val"].set_index("image")["label"]
    assert len(val) >= 5 and set(val[val.index.str.endswith("1")]) == {"normal"}
    assert "b0" not in val.index and "b0" not in set(parts["train"]["image"])
