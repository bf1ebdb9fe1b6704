import logging

import pytest
import torch
from safetensors.torch import save_file

from assay.errors import UserError
from assay.models import timm_adapter
from assay.models.weights import read_state, resolve

RESNET = "test_resnet.r160_in1k"
LITE0 = "tf_efficientnet_lite0.in1k"
NOTHING_ALLOWED = {"pretrained": True, "allow_download": False, "allow_random_init": False}


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_named_file_wins_over_the_weights_folder(tmp_path):
    (tmp_path / "weights").mkdir()
    save_file({"a": torch.zeros(1)}, tmp_path / "weights" / f"{RESNET}.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "mine.safetensors")
    found = resolve(RESNET, **{**NOTHING_ALLOWED, "path": "mine.safetensors"})
    assert found.origin == "file"
    assert found.state["a"].item() == 1
    assert "mine.safetensors sha256 " in found.detail


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_the_weights_folder_wins_over_the_package(tmp_path, suffix):
    (tmp_path / "weights").mkdir()
    save = save_file if suffix == ".safetensors" else torch.save
    save({"a": torch.zeros(1)}, tmp_path / "weights" / f"{LITE0}{suffix}")
    assert resolve(LITE0, path=None, **NOTHING_ALLOWED).origin == "file"


def test_the_installed_package_fills_lite0_completely():
    found = resolve(LITE0, path=None, **NOTHING_ALLOWED)
    assert found.origin == "package"
    module = timm_adapter.build(LITE0, classes=1000, image_size=128, weights=found)
    assert set(found.state) == set(module.state_dict())
    # the package lists its tensors in the order in which timm defines them: the renaming must agree with it
    assert list(found.state) == list(module.state_dict())
    assert torch.equal(module.state_dict()["classifier.weight"], found.state["classifier.weight"])


def test_a_chosen_random_start_is_silent_and_a_forced_one_is_loud(caplog):
    with caplog.at_level(logging.WARNING):
        chosen = resolve(RESNET, path=None, pretrained=False, allow_download=False, allow_random_init=False)
    assert (chosen.origin, chosen.state, caplog.records) == ("random", None, [])
    with caplog.at_level(logging.WARNING):
        forced = resolve(RESNET, path=None, pretrained=True, allow_download=False, allow_random_init=True)
    assert forced.origin == "random"
    assert "RANDOM" in caplog.text


def test_nothing_found_says_where_to_put_the_file():
    with pytest.raises(UserError, match=rf"no pretrained weights.*weights/{RESNET}.safetensors"):
        resolve(RESNET, path=None, **NOTHING_ALLOWED)


def test_a_download_is_tried_only_where_allowed(monkeypatch):
    monkeypatch.setattr(timm_adapter, "download", lambda architecture: {"a": torch.zeros(1)})
    allowed = resolve(RESNET, path=None, pretrained=True, allow_download=True, allow_random_init=False)
    assert allowed.origin == "download"
    with pytest.raises(UserError):
        resolve(RESNET, path=None, **NOTHING_ALLOWED)


class Foreign:
    """Something a pickle could run code with."""

    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.pth", None),  # no such file
        ("cut.safetensors", b"\x10\x00\x00"),  # truncated
        ("cut.pth", b"PK\x03\x04 half a file"),  # truncated
        ("empty.pth", b""),
        ("foreign.pth", Foreign()),  # a pickle with code in it
        ("list.pth", [1, 2]),  # plain, but no tensors
    ],
)
def test_files_that_are_no_weights_are_named(tmp_path, capsys, name, content):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=f"weights file .*{name}"):
        read_state(path)
    assert "executed" not in capsys.readouterr().out


def test_a_training_checkpoint_with_a_state_dict_inside_is_read(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(2)}, "epoch": 3}, tmp_path / "x.pth")
    assert list(read_state(tmp_path / "x.pth")) == ["a"]
