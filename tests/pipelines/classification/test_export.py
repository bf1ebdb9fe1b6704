"""Which thresholds an exported classifier takes along."""

from types import SimpleNamespace

import pandas as pd
import pytest

from assay.evaluation.classification import decide
from assay.evaluation.out_of_fold import FILE
from assay.evaluation.thresholds import searched
from pipelines.classification.export import _thresholds

CLASSES = ["clean", "pit"]
PIT = [0.1, 0.2, 0.3, 0.9, 0.4, 0.6, 0.8, 0.95]


def settings(routing):
    return SimpleNamespace(
        evaluate=SimpleNamespace(routing=routing), project=SimpleNamespace(classes=CLASSES)
    )


@pytest.fixture
def routing():
    return SimpleNamespace(pit=0.75, maybe=0.5, recall=1.0)


def test_productions_rule_where_no_image_was_judged_unseen(tmp_path, routing):
    assert _thresholds(settings(routing), tmp_path) == {"pit": 0.75, "maybe": 0.5}
    assert _thresholds(settings(None), tmp_path) == {}


def test_the_searched_rule_where_folds_judged_the_training_images(tmp_path, routing):
    table = pd.DataFrame({"image": [f"{row}.png" for row in range(8)], "label": ["clean"] * 4 + ["pit"] * 4})
    table = table.assign(group=table["image"], fold=0, p_clean=[1 - p for p in PIT], p_pit=PIT)
    table.to_parquet(tmp_path / FILE)
    found = _thresholds(settings(routing), tmp_path)
    rule = searched(decide(table, CLASSES), production=(0.75, 0.5), recall=1.0)
    assert found == {"pit": rule.pit_at, "maybe": rule.maybe_at}
    assert found["maybe"] == 0.4  # the pit that is hardest to see; production's 0.5 would miss it
