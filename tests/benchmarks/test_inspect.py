"""The arithmetic of the benchmarks of inspection and of both trainings; what they measure is not measured here."""

from pathlib import Path

import pytest

from benchmarks import conditions_training, detection_training, inspect


def test_quantiles_are_of_all_calls_and_ratios_of_the_same_round():
    seen, other = [[["rock_toe", "normal"]], []], [[["rock_toe", "conditional"]], []]
    answers = {
        "torch": [{"ms": [10.0, 10.0], "found": seen}, {"ms": [30.0, 30.0], "found": seen}],
        "onnx": [{"ms": [5.0, 5.0], "found": seen}, {"ms": [15.0, 15.0], "found": seen}],
        "openvino_bf16": [{"ms": [10.0, 10.0], "found": other}, {"ms": [10.0, 10.0], "found": other}],
    }
    torch, onnx, rounded = inspect.rows_of(answers)
    assert (torch["p50_ms"], torch["p95_ms"], torch["calls"], torch["objects"]) == ("20.0", "30.0", 4, 1)
    assert (onnx["ratio_to_torch"], onnx["ratio_low"], onnx["ratio_high"]) == ("2.00", "2.00", "2.00")
    assert (rounded["ratio_low"], rounded["ratio_high"]) == ("1.00", "3.00")
    assert [row["same_conditions"] for row in (torch, onnx, rounded)] == ["yes", "yes", "no"]


def test_what_is_not_exported_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert inspect.main([]) == 2
    assert "dvc repro export@infrastructure" in capsys.readouterr().err


def test_features_computed_once_are_compared_round_by_round():
    row = conditions_training.row_of(cached=[1.0, 3.0, 1.0], recomputed=[12.0, 36.0, 9.0])
    assert (row["ratio"], row["least_ratio"], row["most_ratio"]) == ("12.00", "9.00", "12.00")
    assert (row["cached_seconds"], row["recomputed_seconds"]) == ("1.00", "12.00")


def test_a_detector_s_epochs_are_summed_with_the_first_and_without():
    seconds = {"assay": [5.0, 2.0, 2.0], "ultralytics": [6.0, 4.0, 4.0], "ultralytics_cores": [9.0, 3.0, 3.0]}
    ends = {name: {"map50": 0.5} for name in seconds}
    settings = detection_training.Settings(Path("b"), 96, 320, 3, 0, Path("w"))
    rows = {row["side"]: row for row in detection_training.rows_of(seconds, ends, settings, {})}
    assert rows["assay"]["ratio_of_assay"] == "1.00" and rows["assay"]["target"] == ""
    assert rows["ultralytics"]["ratio_of_assay"] == "1.56"
    assert rows["ultralytics"]["ratio_without_first"] == "2.00"
    assert (rows["ultralytics_cores"]["seconds"], rows["ultralytics_cores"]["others_median"]) == (
        "15.0",
        "3.00",
    )


def test_a_graph_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(SystemExit, match="2"):
        detection_training.main(["--build", str(tmp_path)])
