import os
import pickle
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.data.conditions_pickles import convert_pickles, load_plain
from assay.data.conditions_table import COLUMNS, read_conditions
from assay.errors import UserError

TYPES = ("rock_toe", "slope_drain", "toe_drain", "vegetation")


def instance(image="a.jpg", **changes):
    return {
        "image_path": f"../../quen2-vl.yolov11/train/images/{image}",
        "bbox": [10.0, np.float64(20), 110.0, 120.0],
        "object_type": "toe_drain",
        "object_type_id": 2,
        "spatial_features": np.linspace(0, 0.8, 9, dtype=np.float32),
        "binary_label": 1,
        "original_class": "Toe drain- Blocked",
        "yolo_confidence": 0.75,
    } | changes


@pytest.fixture
def convert(tmp_path):
    (tmp_path / "data/merged/train/images").mkdir(parents=True)
    Image.new("RGB", (200, 400)).save(tmp_path / "data/merged/train/images/a.jpg")
    (tmp_path / "pickles").mkdir()

    def convert(protocol=4, **samples):
        for split, rows in samples.items():
            content = rows if isinstance(rows, bytes) else pickle.dumps(rows, protocol=protocol)
            (tmp_path / f"pickles/{split}_detections.pkl").write_bytes(content)
        convert_pickles(tmp_path / "pickles", tmp_path / "data/conditions.csv", data=tmp_path / "data")
        return tmp_path / "data/conditions.csv"

    return convert


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles_become_the_table(convert, tmp_path, protocol):
    path = convert(protocol, train=[instance()], test=[instance(original_class="rock toe", binary_label=0)])
    table, bad = read_conditions(path, object_types=TYPES, data=tmp_path / "data")
    assert bad == [] and tuple(pd.read_csv(path)) == COLUMNS
    assert table["split"].tolist() == ["train", "test"]
    assert table["condition"].tolist() == ["blocked", "normal"]
    assert table["image"].tolist() == ["merged/train/images/a.jpg"] * 2
    assert table.loc[0, ["x1", "y1", "x2", "y2"]].tolist() == [0.05, 0.05, 0.55, 0.3]
    assert table.loc[0, ["y_center", "below_slope_drain"]].tolist() == [0.0, 0.8]


def test_rows_without_a_published_image_are_left_out(convert):
    assert len(pd.read_csv(convert(valid=[instance("gone.jpg")] * 3, train=[instance()]))) == 1


class Shell:
    def __reduce__(self):
        return os.system, ("touch /tmp/should-not-exist",)


class Import:
    def __reduce__(self):
        return __import__, ("antigravity",)


@pytest.mark.parametrize(
    "evil, name",
    [
        (Shell(), "posix.system"),
        (Import(), "builtins.__import__"),
        (PurePosixPath("a"), "pathlib"),
        (np.memmap, "numpy.memmap"),
        (np.load, "numpy.load"),
        (eval, "builtins.eval"),
    ],
    ids=["system", "import", "path", "memmap", "load", "eval"],
)
def test_whatever_is_no_plain_data_is_refused_by_name(convert, tmp_path, evil, name):
    with pytest.raises(UserError, match=rf"train_detections.pkl: the pickle asks for {name}"):
        convert(train=[instance(), evil])
    assert not (tmp_path / "data/conditions.csv").exists()


def test_arrays_of_objects_are_refused(convert):
    with pytest.raises(UserError, match="only arrays of numbers"):
        convert(train=[instance(spatial_features=np.array([object], dtype=object))])


def test_numbers_of_either_byte_order_survive():
    for kind in (">f4", "<f8", ">i2", "u1"):
        array = np.arange(6).astype(kind).reshape(2, 3)
        for one in (array, array.T.copy(order="F")):
            read = np.asarray(load_plain(pickle.dumps([one]))[0])
            assert read.shape == one.shape and (read == one).all()
    assert load_plain(pickle.dumps(np.float32(0.5))) == 0.5


@pytest.mark.parametrize(
    "samples, message",
    [
        (b"no pickle", "damaged pickle"),
        (pickle.dumps([instance()])[:-40], "damaged pickle"),
        ({"a": 1}, "holds a dict; expected a list"),
        ([{"image_path": "a.jpg"}], "instance 0: no bbox, object_type"),
        ([instance(spatial_features=np.zeros(8))], "instance 0"),
    ],
    ids=["text", "truncated", "dict", "keys", "features"],
)
def test_damaged_and_unexpected_pickles_are_one_line(convert, samples, message):
    with pytest.raises(UserError, match=rf"train_detections.pkl: .*{message}"):
        convert(train=samples)


def test_an_empty_folder_is_named(convert):
    with pytest.raises(UserError, match=r"no \*_detections.pkl"):
        convert()
