"""The tasks beside image classification: possible ranges, and the values that the sources publish."""

from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from assay.config import compose, expand_sweep
from assay.errors import ConfigError


@cache
def configuration(project: str, experiment: str, *changes: str) -> Any:
    return compose([f"project={project}", f"experiment={experiment}", "profile=full", *changes])


@pytest.mark.parametrize(
    ("project", "experiment", "change", "expected"),
    [
        # 650 is no multiple of the detector's coarsest stride
        ("documents", "yolo11s_tta", "model.image_size=650", "multiple of patch 32"),
        ("documents", "yolo11s_tta", "model.architecture=yolo11z", "model.architecture"),
        # the library's optimizer=auto would replace the learning rate in silence
        ("documents", "yolo11s_tta", "train.optimizer=auto", "sgd, adamw"),
        ("documents", "yolo11s_tta", "train.mosaic=1.5", "train.mosaic = 1.5"),
        ("documents", "yolo11s_tta", "train.batch=-1", "train.batch = -1"),
        ("documents", "yolo11s_tta", "train.perspective=0.1", "train.perspective"),
        ("documents", "yolo11s_tta", "train.mosiac=0.5", "'mosaic'"),
        ("documents", "yolo11s_tta", "evaluate.inference.grouping.iou=2", "evaluate.inference.grouping.iou"),
        ("conditions", "clip_b32_binary", "model.spatial=relative", "relational"),
        ("conditions", "clip_b32_binary", "model.dropout=1", "model.dropout"),
        # zero-shot needs prompts, a trained head has none
        ("conditions", "clip_b32_binary", "model.head=prompts", "prompts belong to head=prompts"),
        ("conditions", "qwen2vl_lora", "model.rank=0", "model.rank"),
        ("workzone", "temporal", "model.architecture=gru", "model.architecture"),
        ("workzone", "fusion_rules", "scoring.zone.exiting=0.9", "thresholds must rise"),
        ("workzone", "fusion_rules", "scoring.groups.personnel.classes=[wroker]", "wroker"),
        ("workzone", "self_supervised", "pretrain.method=simclr", "simsiam"),
        ("workzone", "ocr_signs", "model.confidence=50", "model.confidence"),
    ],
)
def test_impossible_value_is_refused_in_one_line(project, experiment, change, expected):
    with pytest.raises(ConfigError) as refusal:
        configuration(project, experiment, change)

    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("project", "experiment", "key", "value"),
    [
        # document 003, lines 72-166: the production run as its authors report it
        ("documents", "yolo11s_20251115_230142", "optimizer", "sgd"),
        ("documents", "yolo11s_20251115_230142", "lr0", 0.001),
        ("documents", "yolo11s_20251115_230142", "cosine", True),
        ("documents", "yolo11s_20251115_230142", "batch", 16),
        ("documents", "yolo11s_20251115_230142", "epochs", 60),
        ("documents", "yolo11s_20251115_230142", "freeze", 10),
        ("documents", "yolo11s_20251115_230142", "patience", 20),
        ("documents", "yolo11s_20251115_230142", "degrees", 10),
        ("documents", "yolo11s_20251115_230142", "flipud", 0.5),
        ("documents", "yolo11s_20251115_230142", "erasing", 0.4),
        # line 393: the winner's mosaic is 1.0, others had 0.8
        ("documents", "yolo11s_20251115_230142", "mosaic", 1.0),
        ("documents", "yolo11s_20251115_230522", "mosaic", 0.8),
        # the file, not document 001, lines 151-163 (mosaic .3, scale .7, hsv_h .08, shear 2)
        ("infrastructure", "yolo11s_epoch6", "mosaic", 0.2),
        ("infrastructure", "yolo11s_epoch6", "scale", 0.6),
        ("infrastructure", "yolo11s_epoch6", "hsv_h", 0.015),
        ("infrastructure", "yolo11s_epoch6", "shear", 0),
        ("infrastructure", "yolo11s_epoch6", "box", 10),
        ("infrastructure", "yolo11s_epoch6", "lr0", 1e-4),
        ("infrastructure", "yolo11s_baseline", "subset", "original_120"),
        ("infrastructure", "yolo11s_best", "subset", "merged_375"),
        # the file, not document 001, lines 257-259 (15 epochs, batch 16, lr 1e-4)
        ("conditions", "clip_b32_binary", "epochs", 8),
        ("conditions", "clip_b32_binary", "batch", 32),
        ("conditions", "clip_b32_binary", "lr", 1e-3),
        # document 000, lines 11-18 and 49-55
        ("workzone", "yolo12s_hardneg_1280", "hard_negatives", 134),
        ("workzone", "yolo12s_hardneg_1280", "patience", 20),
        ("workzone", "yolo12s_fusion_baseline", "epochs", 300),
        ("workzone", "yolo12s_fusion_baseline", "batch", 35),
    ],
)
def test_training_is_as_published(project, experiment, key, value):
    assert getattr(configuration(project, experiment).train, key) == value


def test_infrastructure_published_numbers():
    detector = configuration("infrastructure", "yolo11s_epoch6").experiment.published.model_dump()
    condition = configuration("conditions", "clip_b32_binary").experiment.published.model_dump()

    assert detector["unit"] == "percent"
    assert [detector[key] for key in ("map50", "map50_95", "precision", "recall")] == [
        87.2,
        59.14,
        85.73,
        84.64,
    ]
    for key in ("map50", "map50_95", "precision", "recall"):  # the overall numbers are the classes' means
        values = [scores[key] for scores in detector["per_class"].values()]
        assert sum(values) / len(values) == pytest.approx(detector[key], abs=0.02)
    # the confusion matrix and the accuracies by type both add up to 103 of 128
    (normal, missed), (alarm, conditional) = condition["confusion_matrix"]
    assert normal + missed + alarm + conditional == condition["test"]["n"]
    assert normal + conditional == condition["test"]["correct"]
    by_type = [round(kind["accuracy"] / 100 * kind["n"]) for kind in condition["per_class"].values()]
    assert sum(by_type) == condition["test"]["correct"]
    for part in ("validation", "test"):
        scores = condition[part]
        assert 100 * scores["correct"] / scores["n"] == pytest.approx(scores["accuracy"], abs=0.005)


def test_condition_head_has_the_published_number_of_parameters():
    cfg = configuration("conditions", "clip_b32_binary")
    clip_embedding, spatial_features, conditions = 512, 9, 2
    widths = [clip_embedding + cfg.model.type_embedding + spatial_features, *cfg.model.hidden, conditions]

    types = len(cfg.prepare.object_types) * cfg.model.type_embedding
    layers = sum(width * after + after for width, after in pairwise(widths))

    assert types + layers == cfg.experiment.published.model_dump()["parameters_trainable"] == 175_106


def test_logged_learning_rates_follow_from_the_arguments_as_logged():
    cfg = configuration("documents", "yolo11s_20251115_230142_as_logged")
    train, batches = cfg.train, -(-51 // cfg.train.batch)

    def rate(epoch: int) -> float:
        """Ultralytics' rate after the last batch of an epoch: linear decay, times linear warm-up."""
        decay = (1 - (epoch - 1) / train.epochs) * (1 - train.lrf) + train.lrf
        return train.lr0 * decay * min((epoch * batches - 1) / (train.warmup_epochs * batches), 1)

    assert not train.cosine
    for epoch, published in cfg.experiment.published.model_dump()["lr_by_epoch"].items():
        assert rate(int(epoch)) == pytest.approx(published, rel=0.06)  # most are printed with two digits


def test_false_positives_fall_as_published():
    before = configuration("workzone", "yolo12s_fusion_baseline").experiment.published.model_dump()
    after = configuration("workzone", "yolo12s_hardneg_1280").experiment.published.model_dump()

    reduction = 1 - after["false_positives"] / before["false_positives"]

    assert reduction == pytest.approx(after["false_positive_reduction"], abs=0.0005)
    assert sum(after["hard_negatives"].values()) == 134


def test_rules_are_as_published():
    scoring = configuration("workzone", "fusion_rules").scoring

    assert {name: group.confidence for name, group in scoring.groups.items()} == {
        "channelization": 0.25,
        "signage": 0.35,
        "personnel": 0.5,
        "equipment": 0.45,
        "infrastructure": 0.6,
    }
    assert [group.objects for group in scoring.groups.values()] == [2, 1, 1, 1, 1]
    assert [group.weight for group in scoring.groups.values()] == [1.0, 1.2, 0.9, 1.0, 0.8]


@pytest.mark.parametrize("project", ["workzone", "infrastructure", "documents"])
def test_baseline_is_a_detector_of_the_project(project):
    some = {"workzone": "ocr_signs", "infrastructure": "yolo11s_tta", "documents": "yolo11s_cbam"}[project]
    cfg = configuration(project, some)
    published = configuration(project, cfg.project.baseline)

    assert cfg.baseline.task == "detection"
    assert (cfg.baseline.model, cfg.baseline.train) == (published.model, published.train)


def test_ablation_changes_one_argument_at_a_time():
    (_, reference), *variants = expand_sweep("documents_ablation", profile="full")

    changed = []
    for _, cfg in variants:
        before, after = ({**c.model.model_dump(), **c.train.model_dump()} for c in (reference, cfg))
        changed.append([key for key in before if before[key] != after[key]])

    order = "optimizer freeze architecture architecture batch batch mosaic erasing"
    assert changed == [[key] for key in order.split()]
