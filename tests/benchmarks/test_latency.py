"""The benchmarks' own arithmetic; what they measure is not measured here."""

import numpy as np
import pytest

from assay.errors import UserError
from assay.files import write_json
from benchmarks import denormals, latency, latency_worker

RANDOM = {
    "architecture": "resnet18.a1_in1k",
    "image_size": 128,
    "weights": "random",
    "trained": None,
    "export": "x",
}


def test_a_ratio_is_of_the_same_round_and_torchs_same_threads() -> None:
    # the machine is three times slower in the second round, for everybody
    taken = {
        ("torch", 1): [[10.0, 10.0], [30.0, 30.0], [10.0, 11.0]],
        ("onnx", 1): [[5.0, 5.0], [15.0, 15.0], [2.0, 2.0]],
        ("torch", 2): [[4.0], [4.0], [4.0]],
        ("onnx", 2): [[4.0], [4.0], [4.0]],
    }
    answers = {key: np.array([[0.5, 0.5]]) for key in taken} | {("onnx", 1): np.array([[0.4, 0.6]])}
    rows = {(row["runtime"], row["threads"]): row for row in latency.rows_of(RANDOM, taken, answers)}
    one = rows["onnx", 1]
    assert (one["ratio_to_torch"], one["ratio_low"], one["ratio_high"]) == ("2.00", "2.00", "5.25")
    assert (one["calls"], one["median_ms"], one["max_probability_difference"]) == (6, "5.00", "1.0e-01")
    assert rows["onnx", 2]["ratio_to_torch"] == rows["torch", 1]["ratio_to_torch"] == "1.00"
    assert "accuracy_drop" not in one  # nobody trained it


def test_accuracy_is_what_the_export_stage_found(tmp_path) -> None:
    found = {"accuracy": 0.99, "accuracy_drop": 0.004, "accuracy_drop_low": 0.0, "accuracy_drop_high": 0.008}
    write_json(tmp_path / "parity.json", {"images": 1226, "runtimes": {"openvino_int8": found}})
    taken = {("torch", 1): [[2.0]], ("openvino_int8", 1): [[1.0]]}
    answers = {key: np.ones((1, 2)) for key in taken}
    torch, int8 = latency.rows_of({**RANDOM, "trained": "x", "export": str(tmp_path)}, taken, answers)
    assert "accuracy" not in torch
    assert (int8["accuracy_drop"], int8["accuracy_drop_high"], int8["images"]) == ("0.0040", "0.0080", 1226)


def test_rows_of_other_models_stay(tmp_path) -> None:
    row = {"model": "resnet18", "image_size": 128, "weights": "random", "runtime": "onnx", "threads": 1}
    latency.store(tmp_path / "t.csv", [{**row, "median_ms": "5"}, {**row, "threads": 2, "median_ms": "3"}])
    latency.store(tmp_path / "t.csv", [{**row, "median_ms": "4"}])
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 3 and ",4," in lines[1] and ",3," in lines[2]


def test_what_cannot_be_measured_is_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="--model resnet19: expected some of resnet18, "):
        latency.random_model("resnet19")
    with pytest.raises(
        UserError, match=r"model/model\.json: not found; run the export stage with export\.runtimes="
    ):
        latency.trained_model(tmp_path)


def test_processes_inherit_no_thread_pool_settings(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("KEPT", "1")
    found = latency.environment()
    assert found["KEPT"] == "1" and not [key for key in found if key.startswith(("OMP_", "KMP_", "MKL_"))]


def test_a_round_warms_up_and_has_five_calls_at_least() -> None:
    calls: list[int] = []
    assert len(latency_worker.measure(lambda: calls.append(1), seconds=0.0)) == 5 < len(calls)


def test_slow_is_told_against_the_same_runtime_without_denormals() -> None:
    counted = {"denormal_weights": 9408, "denormal_activation_share": 0.5}
    row = denormals.row_of([60.0, 70.0, 80.0], 10.0, counted)
    assert (row["median_ms"], row["times_slower"], row["denormal_weights"]) == ("70.00", "7.00", "9408")
