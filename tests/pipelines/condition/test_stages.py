"""All stages of condition classification on drawn boxes, with a small stand-in for the image backbone."""

import csv
import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from assay.config import compose
from assay.data.conditions_table import COLUMNS, FEATURES
from assay.data.source import write_source
from assay.errors import UserError
from assay.models import backbones, condition
from assay.review.decisions import Decision, append_decisions
from pipelines.condition import baseline, evaluate, export, mine, prepare, review, train

pytestmark = pytest.mark.slow  # eight stages and an ONNX export

TYPES = ("rock_toe", "slope_drain", "toe_drain", "vegetation")
CHANGES = ["train.epochs=12", "train.max_images=null", "train.lr=0.01", "evaluate.bootstrap_draws=100"]
CHANGES.append("mine.max_candidates=200")  # the baseline of so few boxes hardly knows more than chance


class Tiny(nn.Module):
    """Mean colours of nine fields of a crop: says how yellow it is."""

    width, clip = 27, False

    def __init__(self, name, weights, seed=0):
        super().__init__()
        self.name = name
        self.scale = nn.Parameter(torch.ones(27))

    def forward(self, pixels):
        fields = nn.functional.avg_pool2d(pixels / 255, 74, 74).flatten(1)
        return nn.functional.normalize(fields * self.scale, dim=1)

    def unfreeze(self, last):
        self.requires_grad_(last != 0)
        return [self] if last else []


def draw(data):
    """18 photos of six boxes; conditional ones are yellowish, two are mislabelled. One row is damaged."""
    draw = np.random.default_rng(0)
    rows, wrong = [], []
    for number in range(18):
        photo, name = draw.integers(150, 255, (60, 90, 3)), f"photos/p{number}.png"
        for place in range(6):
            x, y = 30 * (place % 3), 30 * (place // 3)
            yellow = bool(draw.random() < 0.5)
            photo[y : y + 30, x : x + 30, 2] //= 1 + 3 * yellow
            label = int(yellow)
            if number == 3 and place < 2:
                label = 1 - label
                wrong.append((f"{name}#{len(rows) + 2}", label))
            box = (x / 90, y / 60, (x + 30) / 90, (y + 30) / 60)
            row = dict.fromkeys(FEATURES, 0.5) | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
            condition = "blocked" if label else "normal"
            row |= {"split": "test" if number > 12 else "train", "image": name, "label": label}
            row |= {"object_type": TYPES[place % 4], "original_class": f"thing {condition}"}
            rows.append(row | {"condition": condition})
        (data / "photos").mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo.astype(np.uint8)).save(data / name)
    rows.append(rows[0] | {"x1": "nan"})
    with (data / "conditions.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    truth = [
        {"instance": name, "truth": ("conditional", "normal")[label], "note": ""} for name, label in wrong
    ]
    pd.DataFrame(truth).to_csv(data / "truth_conditions.csv", index=False)
    write_source(data, project="infrastructure", kind="sample", note="drawn by a test")
    return [name for name, _ in wrong]


def configure(experiment="clip_b32_reviewed", *changes):
    return compose(
        ["project=conditions", f"experiment={experiment}", "profile=demo", "seed=0", *CHANGES, *changes]
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Every stage has run in .folder; .results holds what each returned."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for module in (backbones, condition):
            patch.setattr(module, "Backbone", Tiny)
        wrong = draw(folder / "data/infrastructure")
        cfg = configure()
        results = {
            stage.__name__.rpartition(".")[2]: stage.main(cfg)
            for stage in (prepare, baseline, mine, review, train, evaluate, export)
        }
        yield SimpleNamespace(folder=folder, build=folder / "build/conditions", results=results, wrong=wrong)


def test_the_damaged_row_is_set_aside(done):
    assert done.results["prepare"]["instances"] == 108 and done.results["prepare"]["quarantined"] == 1
    assert "line 110" in (done.build / "dataset/quarantine.csv").read_text()


def test_wrong_labels_are_offered_reviewed_and_mended(done):
    candidates = pd.read_parquet(done.build / "candidates/candidates.parquet")
    assert set(done.wrong) <= set(candidates["image"]) and (candidates["split"] == "train").all()
    page = (done.build / "candidates/index.html").read_text()
    assert "slope_drain" in page and "data:image/png" in page
    assert done.results["review"]["relabelled"] == len(done.wrong) == 2
    assert done.results["review"]["reviewed_by_human"] == 0


def test_the_model_is_trained_on_reviewed_labels_and_says_what_it_is(done):
    info = json.loads((done.build / "model/model.json").read_text())
    assert (
        info["experiment"] == "clip_b32_reviewed" and info["trained_on"] == 78 and info["collapsed"] is None
    )
    assert info["backbone"] == "tf_efficientnet_lite0.in1k"  # the demo profile's stand-in
    head = 4 * 32 + (27 + 32 + 9 + 1) * 256 + 257 * 128 + 129 * 2
    assert info["parameters"] == {"trainable": head, "frozen": 27, "total": head + 27}
    again = json.loads((done.build / "baseline/model.json").read_text())
    assert again["parameters"]["trainable"] == 27 * 2 + 2 and again["spatial_features"] == []


def test_the_test_instances_are_scored_with_intervals_and_by_type(done):
    summary, metrics = (
        json.loads((done.build / name).read_text()) for name in ("metrics.json", "evaluation/metrics.json")
    )
    assert summary["main"]["n"] == 30 and summary["main"]["value"] > 0.9 and summary["source"] == "sample"
    assert summary["main"]["low"] < summary["main"]["value"]
    by_type = metrics["all"]["by_type"]
    assert sum(found["n"] for found in by_type.values()) == 30
    right = sum(found["n"] * found["value"] for found in by_type.values())
    assert right == pytest.approx(30 * metrics["all"]["accuracy"]["value"])
    assert 0 < metrics["all"]["type_alone"]["value"] < summary["main"]["value"]
    report = (done.build / "evaluation/report.html").read_text()
    assert "accuracy, vegetation" in report and "Sample data" in report and "80.47" not in report


def test_the_export_is_verified_and_asks_for_registration(done):
    assert done.results["export"]["runtimes"]["onnx"]["within_budget"]
    asked = json.loads((done.build / "runs/export/model.json").read_text())
    assert asked["name"] == "infrastructure-conditions" and asked["aliases"] == ["candidate"]


def test_features_are_computed_once(done, monkeypatch):
    def never(backbone, crops):
        raise AssertionError("computed again")

    monkeypatch.setattr(condition, "features_of", never)
    assert len(list((done.folder / "runs/features").iterdir())) == 1
    train.main(configure())


def test_a_human_decision_outweighs_the_generator(done):
    candidates = pd.read_parquet(done.build / "candidates/candidates.parquet").set_index("image")
    name = done.wrong[0]
    decision = Decision(
        candidate=candidates.loc[name, "candidate"],
        image=name,
        label="unusable",
        reviewer="ada",
        kind="human",
        at=datetime.now(UTC),
    )
    append_decisions(done.folder / "reviews/conditions", [decision])
    try:
        assert review.main(configure())["labels"]["unusable"] == 1
        assert train.main(configure())["trained_on"] == 77
    finally:
        (done.folder / "reviews/conditions/ada.jsonl").unlink()
        review.main(configure())


def test_objects_that_a_person_drew_are_learnt_from(done, assay):
    pool = done.folder / "data/infrastructure/pool/new.png"
    pool.parent.mkdir()
    shade = np.random.default_rng(99).integers(150, 255, (60, 90, 3))
    Image.fromarray(shade.astype(np.uint8)).save(pool)
    sha = hashlib.sha256(pool.read_bytes()).hexdigest()
    row = {
        "image": "images/pool/new.png",
        "source": "pool/new.png",
        "split": "pool",
        "group": "",
        "sha256": sha,
    }
    dataset = done.folder / "build/infrastructure/dataset"  # what the first stage knows of the photo
    dataset.mkdir(parents=True)
    pd.DataFrame([row | {"width": 90, "height": 60}]).to_parquet(dataset / "manifest.parquet")
    head = "image,label,x1,y1,x2,y2,condition\n"
    (done.folder / "t.csv").write_text(
        f"{head}new.png,rock_toe,0,0,30,30,blocked\nnew.png,vegetation,30,0,60,30,normal\n"
    )
    asked = ("conditions", "t.csv", "--reviewer", "ada", "--kind", "human")
    status, out, _ = assay("review", "boxes", *asked)
    assert status == 0 and "2 boxes on 1 images recorded" in out
    try:
        summary = review.main(configure())
        assert (summary["instances_drawn"], summary["photos_refused"], summary["not_in_data"]) == (2, 0, 0)
        labels = pd.read_csv(done.build / "hard_examples/drawn.csv")["label"]
        assert labels.tolist() == ["conditional", "normal"]
        assert train.main(configure())["trained_on"] == 80
        assert (
            train.main(configure("clip_b32_binary"))["trained_on"] == 78
        )  # it takes its labels as published
    finally:
        (done.folder / "reviews/conditions/ada.jsonl").unlink()
        review.main(configure())


def test_finer_classes_are_compared_as_two(done):
    cfg = configure("clip_b32_three_class")
    with pytest.raises(UserError, match="'damaged': 0 training images"):
        train.main(cfg)  # the drawn boxes are normal or blocked
    cfg = configure("clip_b32_binary", "model.classes=nine")
    assert train.main(cfg)["two"] == {"thing blocked": "conditional", "thing normal": "normal"}
    summary = evaluate.main(cfg)
    assert summary["main"]["value"] > 0.8
    own = json.loads((done.build / "evaluation/metrics_own.json").read_text())
    assert own["all"]["classes"] == ["thing blocked", "thing normal"]


def test_prompts_need_clip_and_say_so_in_one_line(done):
    with pytest.raises(UserError, match="head=prompts needs CLIP, and the demo profile") as refusal:
        train.main(configure("clip_zero_shot"))
    assert "\n" not in str(refusal.value)


def test_a_backbone_that_learns_sees_crops(done):
    cfg = configure("clip_b32_unfrozen", "train.epochs=1", "train.selection=best")
    info = train.main(cfg)
    assert info["held_out"] > 0 and info["trained_on"] + info["held_out"] == 78
    assert info["parameters"]["trainable"] > info["parameters"]["frozen"] == 0
