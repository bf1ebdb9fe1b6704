"""A real SQLite store with models whose predictions were made up, made once and copied for each test."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay import registry
from assay.evaluation.boxes import BOX_COLUMNS, IMAGE_COLUMNS, TRUTH_COLUMNS, BoxPredictions, write_boxes
from assay.evaluation.predictions import Predictions, write_predictions
from assay.files import write_json
from assay.tracking import record

SERVED_BY = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Nothing(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

set_model(Nothing())
"""
PROMOTION = "max_recall_drop: 0.02\ndraws: 400\nseed: 0\n"
DATA = {"project": "cherry", "source": "sample", "content": "c" * 64, "counts": {"train": 12}}
IMAGES = 200  # the second half are pits


def answers(model, wrong, *, prefix="", images=IMAGES):
    """Rows of a classifier that is wrong about the images numbered `wrong`; groups of two."""
    pit = np.arange(images) >= images // 2
    said = pit ^ np.isin(np.arange(images), list(wrong))
    return pd.DataFrame(
        {
            "model": model,
            "image": [f"{prefix}{i:03d}.png" for i in range(images)],
            "group": [str(i // 2) for i in range(images)],
            "label": np.where(pit, "pit", "clean"),
            "leak": np.arange(images) < 4,
            "p_clean": np.where(said, 0.1, 0.9),
            "p_pit": np.where(said, 0.9, 0.1),
        }
    )


def store_answers(folder, model, wrong, **changes):
    """Predictions of a classifier and of a baseline that is wrong about three images in ten."""
    tables = [answers("model", wrong, **changes), answers("baseline", range(0, IMAGES, 3), **changes)]
    about = {
        "model": {"hash": model, "experiment": "resnet18"},
        "baseline": {"hash": "b", "experiment": "first"},
    }
    made = Predictions(pd.concat(tables), ("clean", "pit"), about, DATA)
    write_predictions(folder / "predictions.parquet", made)
    right = 1 - len(set(wrong)) / IMAGES
    part = {
        "n": IMAGES,
        "accuracy": {"value": right, "low": round(right - 0.04, 3), "high": round(right + 0.04, 3)},
    }
    part |= {"classes": ["clean", "pit"], "confusion": [[90, 10], [5, 95]]}
    write_json(folder / "metrics.json", {"all": part, "without_leaks": part})


def store_boxes(folder, model, *, found, extra):
    """Boxes of a detector that finds the objects `found` and draws `extra` boxes on nothing, as sure, in each image."""
    images = [(f"{i:02d}.png", "test", "", False, 100, 100) for i in range(40)]
    truth = [(name, "cone", 0, 0, 10, 10, False) for name, *_ in images]
    boxes = []
    for name, hits, wrong in (("model", found, extra), ("baseline", range(0, 40, 2), 2)):
        boxes += [(name, f"{i:02d}.png", "cone", 0, 0, 10, 10, 0.9) for i in hits]
        boxes += [
            (name, f"{i:02d}.png", "cone", 50, 50 + k, 60, 60 + k, 0.9)
            for i in range(40)
            for k in range(wrong)
        ]
    about = {"model": {"hash": model, "experiment": "yolo"}, "baseline": {"hash": "b", "experiment": "first"}}
    tables = ((boxes, BOX_COLUMNS), (truth, TRUTH_COLUMNS), (images, IMAGE_COLUMNS))
    frames = [pd.DataFrame(rows, columns=list(columns)) for rows, columns in tables]
    write_boxes(folder / "predictions.parquet", BoxPredictions(*frames, ("cone",), about, DATA))
    value = {"value": 0.7, "low": 0.6, "high": 0.8}
    part = {"n": 40, "classes": ["cone"], "map50": value, "recall": {"micro": value, "cone": value}}
    part |= {"false_positives": {"all": value}, "counts": {"false_positives": 28}}
    write_json(folder / "metrics.json", {"test": {"all": part, "without_leaks": part}})


def make_version(name, model, store, *, milliseconds=5.0, **what):
    """Record the training, evaluation and export of a model; its bundles lie in build/<model>."""
    project = name.partition("-")[0]
    build = Path("build", model)
    classes = ["cone"] if store is store_boxes else ["clean", "pit"]

    def run(kind, **more):
        folder = build / "runs" / kind
        return record(
            folder, kind=kind, project=project, name=f"{kind} {model}", run_id=more.pop("id", None), **more
        )

    config = {"seed": 1, "train": {"lr": 0.1, "epochs": 3}, "profile": {"scaled": {"train.epochs": [60, 3]}}}
    with run("train", config=config, id=model) as training:
        training.data(DATA)
        info = {
            "architecture": "resnet18.a1_in1k",
            "image_size": 64,
            "parameters": 11_177_538,
            "size_mb": 44.76,
        }
        chosen = {"as_published": {"epoch": 3}, "clean": {"epoch": 2}}
        kept = {"selections": chosen} if project == "cherry" else {"best_epoch": 2}
        weights = {"origin": "random", "detail": "none found"}
        info |= {"classes": classes, "epochs_run": 3, "weights": weights} | kept
        write_json(build / "model/model.json", info)
        training.artifact(build / "model/model.json")
    with run("evaluate", model_id=model) as evaluation:
        store(build / "evaluation", model, **what)
        evaluation.metric("accuracy", 0.9)
        evaluation.metric("accuracy/low", 0.85)
        evaluation.metric("accuracy/high", 0.95)
        for path in (build / "evaluation").iterdir():
            evaluation.artifact(path)
    with run("export", model_id=model) as export:
        folder = build / "export"
        task = {"task": "detection"} if store is store_boxes else {}
        about = {"source": DATA, "thresholds": dict.fromkeys(classes, 0.25)}
        write_json(folder / "metadata.json", about | task)
        write_json(folder / "parity.json", {"runtimes": {"onnx": {"within_budget": True}}})
        (folder / "model.onnx").write_bytes(b"0" * 2_000_000)
        export.metric("export/onnx/latency_median_ms", milliseconds)
        for path in ("metadata.json", "parity.json"):
            export.artifact(folder / path)
        tags = {
            "model": model,
            "project": project,
            "experiment": "resnet18",
            "source": "sample",
            "verified": "onnx",
        }
        export.model(name, folder, tags=tags | {"variant": f"resnet18_{model}_64"}, aliases=["candidate"])


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """cherry-classifier 1: as good as the baseline; 2: far better; 3: as good as 2; 4: better than 1, misses pits.

    workzone-detector 1: half of the objects, three boxes on nothing an image; 2: the same objects, one on nothing.
    """
    root = tmp_path_factory.mktemp("made") / "repository"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
        Path("pyfunc.py").write_text(SERVED_BY)
        Path("conf").mkdir()
        Path("conf/promotion.yaml").write_text(PROMOTION)
        make_version("cherry-classifier", "weak", store_answers, wrong=range(1, IMAGES, 3))
        make_version("cherry-classifier", "good", store_answers, wrong=range(0, IMAGES, 20), milliseconds=4.0)
        make_version("cherry-classifier", "alike", store_answers, wrong=range(0, IMAGES - 20, 20))
        make_version("cherry-classifier", "blind", store_answers, wrong=range(150, IMAGES))
        make_version("workzone-detector", "loud", store_boxes, found=range(0, 40, 2), extra=3)
        make_version("workzone-detector", "quiet", store_boxes, found=range(0, 40, 2), extra=1)
        report = registry.sync([Path("build")], pyfunc=Path("pyfunc.py"))
        assert report.problems == []
        assert len(report.versions) == 6
    return root


@pytest.fixture
def repository(made, tmp_path, monkeypatch):
    """The store of `made` in a repository of the test's own, as current folder."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "a repository"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def refused(assay):
    """Call `assay models …` with what it refuses; the one line."""

    def refused(*arguments):
        status, _, err = assay("models", *arguments)
        assert status == 2 and err.startswith("assay: ") and err.count("\n") == 1, err
        return err

    return refused


@pytest.fixture
def done(assay):
    """Call `assay models …`; what it printed."""

    def done(*arguments):
        status, out, err = assay("models", *arguments)
        assert (status, err) == (0, ""), err
        return out

    return done
