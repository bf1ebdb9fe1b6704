"""A sweep's jobs on disk, without training any: which of them count as done."""

from pathlib import Path

import pytest

from assay.config import compose
from assay.errors import UserError
from assay.files import read_json, write_json
from pipelines.gathering import lay_out, parent_id
from pipelines.presenting import table_of_jobs


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


def test_data_that_was_not_prepared_is_one_line(jobs, tmp_path):
    (tmp_path / "build/cherry/hard_examples/examples.csv").unlink()
    with pytest.raises(UserError, match=r"examples\.csv: no such file; `dvc repro` writes it"):
        jobs()
