"""What the deployment benchmark reads and writes; how fast a model is, is not tested."""

import csv

import pytest

from assay.errors import UserError
from benchmarks import deployment
from benchmarks.deployment_models import CPU, Model, chosen_models
from benchmarks.hardware import merge_table

RESNET = Model("resnet18.a1_in1k", "resnet18.a1_in1k", 32, ("torch", "onnx"))
FOUND = {"milliseconds": [20.0, 10.0, 30.0] * 7, "memory_mb": 812.4, "size_mb": 44.7}


def test_document_000s_models_are_the_default_in_every_runtime_but_int8() -> None:
    models = chosen_models(deployment.DEFAULT.split(","), [])
    assert [model.said for model in models] == ["yolo12s:1280", "yolo12s:960", "yolo11n:640"]
    assert all(model.task == "detection" for model in models)
    assert set(models[0].runtimes) - {"tensorrt"} == {*CPU, "torch_fp16"} - {"openvino_int8"}


@pytest.mark.parametrize(
    ("names", "runtimes", "said"),
    [
        (["yolo11n:600"], [], "yolo11n:600: expected the side of the input in px, a multiple of 32"),
        (["resnet19.a1_in1k:128"], [], "resnet19"),
        (["yolo11n:640"], ["onxx"], "--runtime onxx: expected some of torch, "),
        (["cherry-classifier@production"], [], "no such registered model"),
        (["registered"], [], "no model is registered"),
        ([], [], "--model: no model"),
    ],
)
def test_a_mistake_is_one_line(names, runtimes, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match=said) as caught:
        chosen_models(names, runtimes)
    assert "\n" not in str(caught.value)


def test_a_row_says_speed_of_a_single_frame_and_of_a_batch() -> None:
    asked = {"runtime": "onnx", "batch": 1, "threads": 2, "parameters": 11}
    one = deployment.row_of(RESNET, asked, FOUND)
    assert (one["fps_single_frame"], one["median_ms"], one["p95_ms"]) == ("50.0", "20.00", "30.00")
    assert (one["memory_mb"], one["size_mb"], one["precision"], one["device"]) == (
        "812",
        "44.7",
        "fp32",
        "cpu",
    )
    few = deployment.row_of(RESNET, asked, FOUND | {"milliseconds": [20.0] * 19})
    assert (few["calls"], few["median_ms"], few["p95_ms"]) == (
        19,
        "20.00",
        "",
    )  # its 95th percentile is one call
    many = deployment.row_of(RESNET, {**asked, "batch": 16, "runtime": "torch_fp16"}, FOUND)
    assert (many["fps_single_frame"], many["images_per_second"]) == ("", "800.0")
    assert (many["precision"], many["device"]) == ("fp16", "gpu")


def test_the_table_says_calls_and_whose_memory_it_is() -> None:
    asked = {"batch": 1, "threads": 2}
    cpu = deployment.row_of(RESNET, {**asked, "runtime": "onnx"}, FOUND)
    gpu = deployment.row_of(RESNET, {**asked, "runtime": "tensorrt"}, FOUND | {"gpu_memory_mb": 93.0})
    head, first, second = deployment.shown([cpu, gpu]).splitlines()
    assert head.split()[4] == "calls" and first.split()[4] == "21"
    assert first.split()[-2] == "812" and second.split()[-3:-1] == ["GPU", "93"]


def test_a_cell_that_fails_says_why_and_the_others_go_on(monkeypatch) -> None:
    def worker(task, request):
        if task == "prepare":
            return {"parameters": 11}
        return {"failed": "no onnx here"} if request["runtime"] == "onnx" else FOUND

    monkeypatch.setattr(deployment, "worker", worker)
    rows = list(deployment.measure([RESNET], [1], threads=1, seconds=0.1, gpu=None))
    assert [row.get("failed") for row in rows] == [None, "no onnx here"]
    assert "failed: no onnx here" in deployment.shown(rows) and "50.0" in deployment.shown(rows)


def test_the_gpus_runtimes_are_measured_where_there_is_one(monkeypatch) -> None:
    monkeypatch.setattr(deployment, "worker", lambda task, request: {} if task == "prepare" else FOUND)
    model = Model("yolo11n", "yolo11n", 64, ("torch", "torch_fp16"), task="detection")
    without = deployment.measure([model], [1], threads=1, seconds=0.1, gpu=None)
    there = deployment.measure([model], [1], threads=1, seconds=0.1, gpu="H200")
    assert [[row["runtime"] for row in rows] for rows in (without, there)] == [
        ["torch"],
        ["torch", "torch_fp16"],
    ]


def test_a_gpus_runtime_without_a_gpu_is_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setattr(deployment, "worker", lambda task, request: {"gpu": None})
    assert deployment.main(["--model", "yolo11n:64", "--runtime", "onnx,tensorrt"]) == 2
    error = capsys.readouterr().err
    assert "--runtime tensorrt: no NVIDIA GPU is visible here" in error and error.count("\n") == 1


def test_rows_of_other_models_stay(tmp_path) -> None:
    table, key, columns = tmp_path / "t.csv", ("model", "batch"), ("model", "batch", "median_ms")
    merge_table(table, [{"model": "a", "batch": 1, "median_ms": 5}, {"model": "b", "batch": 1}], columns, key)
    merge_table(table, [{"model": "a", "batch": 1, "median_ms": 4}], columns, key)
    with table.open() as stream:
        assert [(row["model"], row["median_ms"]) for row in csv.DictReader(stream)] == [("a", "4"), ("b", "")]


@pytest.mark.slow
def test_a_tiny_network_is_measured_in_processes_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(deployment, "RESULTS", tmp_path / "results")
    asked = ["--model", "yolo11n:64,resnet18.a1_in1k:32", "--runtime", "torch,torchscript,onnx,openvino_bf16"]
    assert deployment.main([*asked, "--batch", "1,2", "--seconds", "0.05", "--threads", "1"]) == 0
    (table,) = (tmp_path / "results").glob("benchmark-*.csv")
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 16 and not any(row["failed"] for row in rows)
    assert all(float(row["memory_mb"]) > 20 and float(row["median_ms"]) > 0 for row in rows)
    assert all(float(row["size_mb"]) > 1 for row in rows)
    assert "torch " in rows[0]["versions"]
