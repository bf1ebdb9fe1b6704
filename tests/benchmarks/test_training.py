"""The benchmark's own arithmetic and order; what it measures is not measured here."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import training
from benchmarks.training_sides import SIDES, Settings, read


@pytest.fixture
def data(tmp_path):
    """Six readable images of each class and part, one damaged file first."""
    for part in ("train", "val"):
        for label in ("cherry_clean", "cherry_pit"):
            folder = tmp_path / "data" / part / label
            folder.mkdir(parents=True)
            (folder / "a.png").write_bytes(b"no image")
            for number in range(6):
                Image.fromarray(np.full((40, 32, 3), number, np.uint8)).save(folder / f"b{number}.png")
    return tmp_path / "data"


def test_more_images_and_fewer_seconds_are_better():
    faster = training.row_of("loop", "training images/s", [30, 20, 50], [10, 10, 10], detail="")
    assert (faster["ratio"], faster["least_ratio"], faster["most_ratio"]) == ("3.00", "2.00", "5.00")
    assert (faster["assay"], faster["obvious"], faster["target"]) == ("30.00", "10.00", "2")
    shorter = training.row_of("probe", "seconds of 30 epochs", [1, 2], [20, 20], detail="")
    assert (shorter["ratio"], shorter["target"], shorter["all_obvious"]) == ("15.00", "10", "20.00 20.00")


def test_both_sides_read_the_same_readable_images(data, tmp_path):
    found = training.copy(Settings(data, 8, 32), tmp_path / "copy")
    assert found == Settings(tmp_path / "copy", 8, 32)
    images, labels = read(found, "train")
    assert images.shape == (8, 32, 32, 3) and labels.tolist() == [0] * 4 + [1] * 4
    assert len(read(found, "val")[0]) == 12


def test_sides_alternate_after_a_round_that_does_not_count(data, tmp_path, monkeypatch):
    log = tmp_path / "log"
    code = (
        "import sys\n"
        "for number, _ in enumerate(sys.stdin):\n"
        "    open(sys.argv[1], 'a').write(sys.argv[2]); print(number, flush=True)"
    )

    def start(name, settings):
        command = [sys.executable, "-c", code, str(log), name]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(training, "start", start)
    found = training.alternate(["a", "b"], Settings(data, 8, 32), rounds=3)
    assert found == {"a": [1, 2, 3], "b": [1, 2, 3]}
    assert log.read_text() == "ab" + "ab" + "ba" + "ab"


def test_a_side_that_fails_ends_the_benchmark(data):
    command = [sys.executable, "-c", "raise ValueError"]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as side,
        pytest.raises(SystemExit, match="failed, see above"),
    ):
        training.ask(side)


def test_answers_are_apart_from_what_libraries_print():
    code = (
        "from benchmarks.training import serve\n"
        "def speeds():\n"
        "    while True:\n        print('a library says hello'); yield 2.5\n"
        "serve(speeds())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="go\ngo\n", capture_output=True, text=True, check=True
    )
    assert done.stdout == "2.5\n2.5\n"


def test_a_wrong_call_is_one_line(data, capsys):
    for arguments, said in (
        (["--only", "lop"], "--only lop: expected some of loop, probe, augmentation"),
        (["--rounds", "0"], "at least 1 round"),
        (["--data", "nowhere"], "nowhere/train/cherry_clean: no images; `make data` makes some"),
    ):
        with pytest.raises(SystemExit) as stop:
            training.main(["--data", str(data), *arguments])
        assert stop.value.code == 2 and said in capsys.readouterr().err
    assert set(SIDES) == {"assay", "obvious", "obvious_workers", "probe", "probe_obvious"}


def test_rows_of_other_names_stay(tmp_path):
    target = tmp_path / "training.csv"
    target.write_text("name,ratio\nloop,1\nprobe,2\n")
    assert training.kept(target, ["loop"]) == [{"name": "probe", "ratio": "2"}]
    assert training.kept(tmp_path / "none.csv", ["loop"]) == []
