import logging

import pytest
import torch
from safetensors.torch import save_file

from assay.errors import UserError
from assay.files import write_json
from assay.models import detector_weights, yolo_adapter
from assay.models.detector_weights import resolve_detector

NOTHING_ALLOWED = {"path": None, "pretrained": True, "allow_download": False, "allow_random_init": False}


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    """No weights folder, no starter, and no network: a download that is tried fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(detector_weights, "STARTERS", tmp_path / "starters")
    monkeypatch.setattr(yolo_adapter, "download", lambda architecture: pytest.fail("a download was tried"))


def stored(path, value, classes=None):
    """A weights file of one tensor that tells where it came from, and its classes beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"a": torch.full((2,), float(value))}, path)
    if classes:
        write_json(path.with_suffix(".json"), {"classes": classes})
    return path


@pytest.fixture
def trained(tmp_path):
    """The folder of a trained detector."""
    stored(tmp_path / "trained/model.safetensors", 2)
    about = {"experiment": "EXP-1", "id": "0123456789abcdef", "classes": ["cone"]}
    write_json(tmp_path / "trained/model.json", {**about, "weights": {"origin": "starter"}})
    return tmp_path / "trained"


def value(found):
    return found.state["a"][0].item()


def test_a_named_file_wins_over_everything(tmp_path, trained):
    stored(tmp_path / "weights/yolo11n.safetensors", 3)
    path = stored(tmp_path / "mine.safetensors", 1, ["cone", "drum"])
    found = resolve_detector("yolo11n", **NOTHING_ALLOWED | {"path": str(path)}, trained=trained)
    assert (found.origin, value(found), found.classes) == ("file", 1, ("cone", "drum"))
    assert "mine.safetensors sha256 " in found.detail
    random = NOTHING_ALLOWED | {"path": str(path), "pretrained": False}
    assert resolve_detector("yolo11n", **random).origin == "file"


def test_a_trained_detector_wins_over_the_weights_folder(tmp_path, trained):
    stored(tmp_path / "weights/yolo11n.safetensors", 3)
    found = resolve_detector("yolo11n", **NOTHING_ALLOWED, trained=trained)
    assert (found.origin, value(found), found.classes) == ("experiment", 2, ("cone",))
    assert (found.detail, found.root) == ("EXP-1 0123456789ab", "starter")


def test_the_weights_folder_wins_over_download_and_starter(tmp_path):
    stored(tmp_path / "weights/yolo11n.safetensors", 3)
    stored(tmp_path / "starters/yolo11n.safetensors", 4, ["cone"])
    everything = NOTHING_ALLOWED | {"allow_download": True, "allow_random_init": True}
    found = resolve_detector("yolo11n", **everything)
    assert (found.origin, value(found), found.classes) == ("file", 3, ())


def test_ultralytics_files_in_the_weights_folder_are_read(tmp_path):
    (tmp_path / "weights").mkdir()
    torch.save({"model": yolo_adapter.build("yolo11n", ["cone", "drum"])}, tmp_path / "weights/yolo11n.pt")
    found = resolve_detector("yolo11n", **NOTHING_ALLOWED)
    assert (found.origin, found.classes) == ("file", ("cone", "drum"))
    assert "model.0.conv.weight" in found.state


def test_a_download_is_tried_only_where_allowed_and_wins_over_the_starter(tmp_path, monkeypatch, caplog):
    stored(tmp_path / "starters/yolo11n.safetensors", 4, ["cone"])
    random = NOTHING_ALLOWED | {"allow_random_init": True}
    assert resolve_detector("yolo11n", **random).origin == "starter"  # and no download
    monkeypatch.setattr(
        yolo_adapter, "download", lambda architecture: ({"a": torch.full((2,), 5.0)}, ["dog"])
    )
    found = resolve_detector("yolo11n", **random | {"allow_download": True})
    assert (found.origin, value(found), found.classes) == ("download", 5, ("dog",))
    monkeypatch.setattr(yolo_adapter, "download", lambda architecture: None)  # no network
    assert resolve_detector("yolo11n", **random | {"allow_download": True}).origin == "starter"


def test_the_starter_is_loud_and_of_its_architecture(tmp_path, caplog):
    path = stored(tmp_path / "starters/yolo11n.safetensors", 4, ["cone", "drum"])
    save_file({"a": torch.full((2,), 4.0, dtype=torch.float16)}, path)
    random = NOTHING_ALLOWED | {"allow_random_init": True}
    with caplog.at_level(logging.WARNING):
        found = resolve_detector("yolo11n", **random)
    assert (found.origin, value(found), found.classes) == ("starter", 4, ("cone", "drum"))
    assert found.state["a"].dtype == torch.float32
    assert "generated scenes" in caplog.text and "weights/yolo11n.pt" in caplog.text
    assert resolve_detector("yolo12n", **random).origin == "random"


def test_a_chosen_random_start_is_silent_and_a_forced_one_is_loud(tmp_path, caplog):
    stored(tmp_path / "weights/yolo11n.safetensors", 3)
    with caplog.at_level(logging.WARNING):
        chosen = resolve_detector("yolo11n", **NOTHING_ALLOWED | {"pretrained": False})
    assert (chosen.origin, chosen.state, caplog.records) == ("random", {}, [])
    with caplog.at_level(logging.WARNING):
        forced = resolve_detector("yolo12n", **NOTHING_ALLOWED | {"allow_random_init": True})
    assert (forced.origin, forced.state) == ("random", {})
    assert "RANDOM" in caplog.text and "weights/yolo12n.pt" in caplog.text


def test_nothing_allowed_says_where_to_put_the_file(tmp_path):
    stored(tmp_path / "starters/yolo11n.safetensors", 4, ["cone"])
    with pytest.raises(UserError, match=r"no pretrained weights for yolo11n: .*weights/yolo11n.pt") as caught:
        resolve_detector("yolo11n", **NOTHING_ALLOWED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.safetensors", "none.pt", "cut.safetensors", "cut.pt"])
def test_files_that_are_no_weights_are_named(tmp_path, name):
    if name.startswith("cut"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 half")
    with pytest.raises(UserError, match=f"weights file {name}"):
        resolve_detector("yolo11n", **NOTHING_ALLOWED | {"path": name})


@pytest.mark.parametrize(
    "text", ['{"classes": ["con', "[]", "{}", '{"classes": "cone"}', '{"classes": [1]}', "\xff"]
)
def test_a_damaged_list_of_classes_is_named(tmp_path, trained, text):
    path = stored(tmp_path / "mine.safetensors", 1)
    for damaged, asked in (
        (path.with_suffix(".json"), {"path": str(path)}),
        (trained / "model.json", {"path": None, "trained": trained}),
    ):
        damaged.write_text(text, "latin-1")
        with pytest.raises(UserError, match="damaged") as caught:
            resolve_detector("yolo11n", **NOTHING_ALLOWED | asked)
        assert str(caught.value).startswith(f"{damaged}: ")
