"""What the page of every evaluated model says at its top."""

import pytest

from assay.config import compose
from pipelines.heading import heading

INFO = {"weights": {"origin": "random", "detail": ""}, "collapsed": None}


@pytest.mark.parametrize(
    ("source", "doubts", "published", "said"),
    [
        (
            "original",
            ["random weights"],
            True,
            ["Not comparable with the published numbers: random weights."],
        ),
        ("original", [], True, []),
        ("original", ["random weights"], False, []),  # nothing was published
        ("sample", ["sample data"], True, []),  # the page says what sample data are anyway
    ],
)
def test_doubts_are_said_where_there_is_something_to_compare_with(source, doubts, published, said):
    cfg = compose(["project=cherry", "experiment=resnet18", "profile=smoke"])
    assert cfg.experiment.published
    if not published:
        experiment = cfg.experiment.model_copy(update={"published": None})
        cfg = cfg.model_copy(update={"experiment": experiment})
    assert heading(cfg, INFO, {"source": source}, doubts=doubts, facts={})["warnings"] == said


def test_a_failed_training_comes_first():
    cfg = compose(["project=cherry", "experiment=resnet18", "profile=smoke"])
    info = INFO | {"collapsed": "calls everything cherry_pit"}
    warnings = heading(cfg, info, {"source": "original"}, doubts=["a", "b"], facts={})["warnings"]
    assert warnings[0] == "Training failed: the model calls everything cherry_pit." and len(warnings) == 2


def test_facts_stand_between_the_experiment_and_what_was_scaled():
    cfg = compose(["project=cherry", "experiment=resnet18", "profile=smoke"])
    facts = heading(cfg, INFO, {"source": "sample"}, doubts=[], facts={"image size": "64 px"})["facts"]
    assert list(facts)[:2] == ["experiment", "image size"] and facts["experiment"] == cfg.experiment.id
    old, new = cfg.profile.scaled["train.epochs"]
    assert facts["scaled: train.epochs"] == f"{old} → {new}"
