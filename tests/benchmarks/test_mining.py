import csv

import numpy as np
import pytest

from assay.sample.video import write_h264
from benchmarks import mining


@pytest.mark.slow
def test_a_tiny_run_writes_what_it_measured(tmp_path):
    draw = np.random.default_rng(0)
    frames = [
        np.kron(draw.integers(0, 255, (6, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8) for _ in range(40)
    ]
    write_h264(tmp_path / "a.mp4", iter(frames), fps=15)
    out = tmp_path / "mining.csv"
    arguments = ["--clips", str(tmp_path), "--pairs", "2", "--frames", "6", "--architecture", "yolo11n"]
    mining.main([*arguments, "--size", "96", "--parked", "1", "--out", str(out)])
    with out.open(newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    assert (
        len(rows["ratio as it comes"]["all"].split()) == 2 and rows["ratio with every core"]["limit"] == "1.8"
    )
    assert {f"{part}, ms on one core" for part in mining.PARTS} <= set(rows)
    assert float(rows["parked car: share of frames inferred"]["median"]) < 0.5
    assert rows["ours, frames/s"]["network"].startswith("yolo11n random")


def test_no_clips_are_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        mining.main(["--clips", str(tmp_path)])
    assert "expected MP4 files" in capsys.readouterr().err
