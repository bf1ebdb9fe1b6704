"""What a split is worth: only photos that both splits hold out are compared, and only models of one experiment."""

from dataclasses import replace

import pytest

from assay.errors import UserError
from assay.evaluation.boxes import write_boxes
from assay.files import write_json
from benchmarks import scoring, split_cost


@pytest.fixture
def evaluated(tmp_path):
    """Write one evaluation: images 0-39 under another folder each, the boxes of "candidate" or of "reference"."""

    def write(name, *, kept, of, experiment="yolo"):
        drawn = scoring.drawn(40, 6)
        names = drawn.images["image"].tolist()[kept]
        tables = {
            key: (table := getattr(drawn, key))[table["image"].isin(names)].assign(
                image=lambda rows: f"{name}/" + rows["image"].str.replace("/", "_")
            )
            for key in ("boxes", "truth", "images")
        }
        boxes = tables["boxes"]
        tables["images"] = tables["images"].assign(width=scoring.SIDE, height=scoring.SIDE)
        tables["boxes"] = boxes[boxes["model"] == of].assign(model="model")
        about = {"hash": "x", "experiment": experiment, "profile": "cpu", "weights": {}}
        data = {"source": "original", "content": "c"}
        folder = tmp_path / name
        write_boxes(
            folder / "predictions.parquet", replace(drawn, **tables, models={"model": about}, data=data)
        )
        interval = {"value": 0.5, "low": 0.4, "high": 0.6}
        part = {"n": 1, "groups": 1, "objects": {"a": 2}, "map50": interval, "map50_95": interval}
        write_json(folder / "metrics.json", {"val": {"all": part}})
        write_json(folder / "thresholds.json", {"thresholds": dict.fromkeys(drawn.classes, 0.5)})
        return folder

    return write


def test_the_difference_is_of_the_photos_that_both_hold_out(evaluated):
    worse = evaluated("images/val", kept=slice(0, 30), of="reference")
    better = evaluated("images/test", kept=slice(10, 40), of="candidate")
    rows, source = split_cost.measure([better, worse])
    assert source == "original"
    assert [row["photos"] for row in rows] == ["published val", "grouped val", "held out by both"]
    shared = rows[-1]
    assert shared["images"] == 20 and shared["groups"] == 4
    back = split_cost.measure([worse, better])[0][-1]
    assert back["map50"] == -shared["map50"] != 0
    same = split_cost.measure([worse, worse])[0][-1]
    assert (same["map50"], same["map50_low"], same["map50_high"]) == (0, 0, 0)


def test_other_experiments_and_photos_are_refused(evaluated):
    first = evaluated("images/val", kept=slice(0, 20), of="reference")
    with pytest.raises(UserError, match=r"experiment other, but .* has yolo"):
        split_cost.measure([first, evaluated("o", kept=slice(0, 20), of="reference", experiment="other")])
    with pytest.raises(UserError, match="no photo is held out by both"):
        split_cost.measure([first, evaluated("images/rest", kept=slice(20, 40), of="reference")])
