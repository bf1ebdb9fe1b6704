"""A sweep's jobs on disk, without training any: which of them count as done."""

from dataclasses import replace
from pathlib import Path

import pytest

from assay.config import compose
from assay.data.classification import source_of
from assay.data.source import write_source
from assay.errors import UserError
from assay.evaluation.boxes import write_boxes
from assay.files import read_json, write_json
from pipelines.detection import gathering as detection
from pipelines.gathering import lay_out, parent_id, same_seed, trainings_of
from pipelines.presenting import table_of_jobs
from tests.evaluation.detectors import random_boxes


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Lay out a sweep of two seeds over prepared data that a test may change."""
    monkeypatch.chdir(tmp_path)
    for name in ("src", "pipelines", "requirements.lock"):
        (tmp_path / name).symlink_to(Path(__file__).parents[2] / name)
    for name in ("dataset/manifest.parquet", "hard_examples/examples.csv"):
        path = tmp_path / "build/cherry" / name
        path.parent.mkdir(parents=True)
        path.write_text("first")

    def jobs(*changes, seeds=(1, 2)):
        resolved = []
        for seed in seeds:
            overrides = [
                "project=cherry",
                "experiment=cherry/resnet18_reviewed",
                "profile=smoke",
                f"seed={seed}",
                *changes,
            ]
            resolved.append({"overrides": overrides, "config": compose(overrides).model_dump(mode="json")})
        return lay_out("tiny", resolved)

    return jobs


@pytest.fixture
def detectors(tmp_path, monkeypatch):
    """Lay out jobs of infrastructure, given as (experiment, seed, changes), over prepared data."""
    monkeypatch.chdir(tmp_path)
    for name in ("src", "pipelines", "requirements.lock"):
        (tmp_path / name).symlink_to(Path(__file__).parents[2] / name)
    for name in ("manifest", "boxes"):
        path = tmp_path / f"build/infrastructure/dataset/{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("first")

    def detectors(*asked):
        resolved = []
        for experiment, seed, *changes in asked:
            chosen = [f"experiment=infrastructure/{experiment}", "profile=smoke", f"seed={seed}"]
            overrides = ["project=infrastructure", *chosen, *changes]
            resolved.append({"overrides": overrides, "config": compose(overrides).model_dump(mode="json")})
        return lay_out("tiny", resolved)

    return detectors


def end(job, status="ok", **more):
    request = read_json(job.folder / "request.json")
    inputs = {part: request[part] for part in ("training", "scoring")}
    write_json(job.folder / "status.json", {"status": status, **inputs, **more})


def test_a_job_keeps_its_folder_while_its_configuration_is_the_same(jobs):
    first = jobs()
    assert [job.name for job in first] == ["resnet18_reviewed seed 1", "resnet18_reviewed seed 2"]
    assert [job.folder for job in jobs()] == [job.folder for job in first]
    other = jobs("train.lr=0.5")
    assert not {job.folder for job in other} & {job.folder for job in first}
    assert other[0].name == "resnet18_reviewed train.lr=0.5 seed 1"
    assert jobs(seeds=(2,))[0].folder == first[1].folder  # another request finds what another one did


def test_the_same_request_is_the_same_run_and_another_is_not():
    assert parent_id("a", [{"x": 1}]) == parent_id("a", [{"x": 1}])
    assert len({parent_id("a", [{"x": 1}]), parent_id("b", [{"x": 1}]), parent_id("a", [{"x": 2}])}) == 3


@pytest.mark.parametrize("changed", ["dataset/manifest.parquet", "hard_examples/examples.csv"])
def test_a_result_of_other_data_is_no_result(jobs, tmp_path, changed):
    job = jobs()[0]
    assert job.status() == {"status": "waiting"}
    end(job, metrics={"source": "sample"})
    assert jobs()[0].status()["status"] == "ok"
    (tmp_path / "build/cherry" / changed).write_text("second")
    assert jobs()[0].status() == {"status": "waiting"}
    assert table_of_jobs(jobs())["status"].tolist() == ["failed", "failed"]


def test_a_new_scoring_needs_no_new_training(jobs):
    first = jobs()[0]
    before = read_json(first.folder / "request.json")
    after = jobs("evaluate.bootstrap_draws=777")[0]
    assert after.folder == first.folder
    wanted = read_json(after.folder / "request.json")
    assert wanted["training"] == before["training"] and wanted["scoring"] != before["scoring"]


def test_an_earlier_failure_is_no_news_of_the_next_call(jobs):
    end(jobs()[0], "failed", error="ValueError: on purpose")
    assert jobs()[0].status() == {"status": "waiting"}


def test_the_table_says_how_each_job_ended(jobs):
    killed, raised = jobs()
    end(killed, "running")
    end(raised, "failed", error="ValueError: on purpose", traceback="…")
    errors = table_of_jobs([killed, raised])["error"].tolist()
    assert errors == ["killed before it ended; the same command runs it again", "ValueError: on purpose"]


def test_a_variant_of_a_sweep_stands_beside_no_published_number(detectors):
    asked = [("yolo11s_best", 0), ("yolo11s_best", 0, "train.box=1")]
    plain, variant = detectors(*asked)
    for job in (plain, variant):
        end(job, metrics={"source": "original", "weights": "file", "map50": 0.5, "n": 45})
    table = table_of_jobs([plain, variant])
    assert table["published"].tolist() == [pytest.approx(0.8608), pytest.approx(float("nan"), nan_ok=True)]
    assert table["changed"].tolist()[1] == "train.box=1"
    # asked of every job it is no variant: the reasons why it does not compare tell it
    assert table_of_jobs([variant], ["train.box=1"])["published"].tolist() == [pytest.approx(0.8608)]


def test_data_that_was_not_prepared_is_one_line(jobs, tmp_path):
    (tmp_path / "build/cherry/hard_examples/examples.csv").unlink()
    with pytest.raises(UserError, match=r"examples\.csv: no such file; `dvc repro` writes it"):
        jobs()


def after(job):
    return read_json(job.folder / "request.json")["after"]


def test_a_job_goes_on_from_the_model_of_the_same_seed_and_changes(detectors):
    chain = ("yolo11s_expanded_reduced_aug", "yolo11s_best", "yolo11s_epoch6")  # the later name the earlier
    first, second, third = detectors(*((name, 0) for name in chain))
    assert [after(job) for job in (first, second, third)] == [None, str(first.folder), str(second.folder)]
    asked = [(name, seed, change) for name in chain[:2] for seed in (1, 2) for change in ("train.box=1",)]
    jobs = detectors(*asked, ("yolo11s_best", 1))
    assert [after(job) for job in jobs[2:4]] == [str(job.folder) for job in jobs[:2]]
    assert after(jobs[4]) == str(jobs[0].folder)  # nothing better is there
    assert after(detectors(("yolo11s_best", 0))[0]) is None  # alone in its sweep


def test_another_training_before_is_another_training_after(detectors, tmp_path):
    def training(*jobs):
        return [read_json(job.folder / "request.json")["training"] for job in jobs]

    asked = [("yolo11s_best", 0), ("yolo11s_expanded_reduced_aug", 0)]  # in whatever order
    alone = training(*detectors(asked[0]))
    first = training(*detectors(*asked))
    assert first[0] != alone[0]
    (tmp_path / "build/infrastructure/dataset/boxes.parquet").write_text("second")
    assert not set(training(*detectors(*asked))) & set(first)
    again = training(*detectors(*asked))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/yolo11n.pt").write_text("came later")
    assert not set(training(*detectors(*asked))) & set(again)


def test_reviewed_pictures_count_where_they_are_used(detectors):
    detectors(("yolo11s_expanded", 0))
    with pytest.raises(UserError, match=r"hard_examples/examples\.csv: no such file"):
        detectors(("yolo11s_reviewed", 0))


def test_pairs_share_a_seed_and_trainings_are_repeated_ones(detectors):
    jobs = detectors(*((name, seed) for name in ("yolo11s_baseline", "yolov8s_baseline") for seed in (1, 2)))
    assert same_seed(jobs) == [
        (f"yolo11s_baseline seed {seed}", f"yolov8s_baseline seed {seed}") for seed in (1, 2)
    ]
    assert trainings_of(jobs)["yolo11s_baseline"] == [f"yolo11s_baseline seed {seed}" for seed in (1, 2)]
    assert trainings_of(jobs[::2]) == {}


def test_detectors_are_compared_split_by_split_the_later_at_the_recall_of_the_earlier(detectors, tmp_path):
    drawn = random_boxes(40, skill={"yolo11s_baseline seed 0": 0.5, "yolo11s_expanded seed 0": 0.9})
    write_source(tmp_path / "build/infrastructure/dataset", project="infrastructure", kind="sample", note="-")
    content = source_of(tmp_path / "build/infrastructure/dataset")["content"]
    # the names of the project's classes, so that its confidences apply
    names = dict(zip(drawn.classes, ("rock_toe", "slope_drain", "toe_drain"), strict=True))
    boxes = drawn.boxes.assign(label=drawn.boxes["label"].map(names))
    truth = drawn.truth.assign(label=drawn.truth["label"].map(names).fillna(""))
    jobs = detectors(("yolo11s_baseline", 0), ("yolo11s_expanded", 0))
    for job in jobs:
        one = replace(
            drawn,
            boxes=boxes[boxes["model"] == job.name].reset_index(drop=True),
            truth=truth,
            classes=tuple(job.cfg.project.classes),
            models={job.name: {}},
            data={"source": "sample", "content": content},
        )
        (job.folder / "evaluation").mkdir()
        write_boxes(job.folder / "evaluation/predictions.parquet", one)
    stored = detection.predictions_of(jobs)
    pairs, experiments = detection.compare(stored, jobs, same_seed(jobs))
    assert stored.data["source"] == "sample" and experiments == []
    assert [pair["split"] for pair in pairs] == ["val", "test"]
    assert {pair["reference"] for pair in pairs} == {"yolo11s_baseline seed 0"}
    assert all(pair["map50_difference"]["value"] > 0 for pair in pairs)
    assert all(
        pair["matched_recall"]["recall"]["candidate"] >= pair["matched_recall"]["recall"]["reference"]
        for pair in pairs
    )
    other = replace(one, images=one.images.assign(leak=True))
    write_boxes(jobs[1].folder / "evaluation/predictions.parquet", other)
    with pytest.raises(UserError, match="were not run on the same images"):
        detection.predictions_of(jobs)


def test_a_published_map50_stands_in_the_column_of_map50s_whichever_metric_keeps_the_epochs():
    cfg = compose(["project=documents", "experiment=documents/yolo11s_20251115_230142", "profile=smoke"])
    assert cfg.project.main_metric == "map50_95"
    assert detection.published(cfg) == pytest.approx(0.983)
