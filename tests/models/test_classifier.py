import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.files import read_json, write_json
from assay.models.classifier import (
    NORMALISATION,
    load_classifier,
    predict,
    save_classifier,
    to_input,
)
from assay.models.timm_adapter import build
from assay.models.weights import Weights

RESNET = "test_resnet.r160_in1k"
INFO = {"architecture": RESNET, "classes": ["clean", "pit"], "image_size": 32, "input_mode": "norm"}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def module():
    torch.manual_seed(0)
    network = build(RESNET, classes=2, image_size=32, weights=Weights("random", "test"), seed=3)
    network.train()
    network(torch.randn(8, 3, 32, 32))  # batch-norm statistics that are not the starting ones
    return network


@pytest.mark.parametrize("mode", ["raw", "norm"])
def test_input_is_what_mean_and_std_say(images, mode):
    mean, std = NORMALISATION[mode]
    expected = (images / 255 - np.array(mean)) / np.array(std)
    found = to_input(torch.from_numpy(images), mode)
    assert found.shape == (7, 3, 32, 32)
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, rtol=1e-5, atol=1e-4)


def test_raw_input_is_exact(images):
    assert np.array_equal(to_input(torch.from_numpy(images), "raw").permute(0, 2, 3, 1).numpy(), images)


def test_a_saved_classifier_predicts_the_same_when_loaded(tmp_path, module, images):
    other = {name: 2 * tensor for name, tensor in module.state_dict().items()}
    save_classifier(tmp_path, module.to(memory_format=torch.channels_last), INFO, as_published=other)
    loaded, info = load_classifier(tmp_path)
    before, after = (predict(network, images, input_mode="norm") for network in (module, loaded))
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert not loaded.training
    published, _ = load_classifier(tmp_path, "as_published")
    assert all(torch.equal(other[name], tensor) for name, tensor in published.state_dict().items())
    assert info["ids"]["as_published"] != info["ids"]["clean"] == info["id"]
    assert info["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    assert info["size_mb"] == pytest.approx((tmp_path / "model.safetensors").stat().st_size / 1e6, abs=1e-3)


def test_probabilities_are_float32_rows_that_sum_to_one(module, images):
    found = predict(module, images, input_mode="raw", batch=3)
    assert found.dtype == np.float32
    assert found.shape == (7, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found, predict(module, images, input_mode="raw"), atol=1e-5)


def test_predicting_leaves_the_mode_and_takes_no_images(module, images):
    module.train()
    predict(module, images, input_mode="raw")
    assert module.training
    assert predict(module, images[:0], input_mode="raw").shape == (0, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "test_efficientnet.r160_in1k"},
            "not of test_efficientnet",
        ),  # another network's weights
        ({"classes": ["a", "b", "c"]}, "not of test_resnet.r160_in1k with 3 classes"),  # another head
        ({"architecture": "resnet_of_mine"}, "unknown to timm"),
    ],
)
def test_two_files_that_do_not_belong_together_are_refused(tmp_path, module, changes, message):
    save_classifier(tmp_path, module, INFO, as_published=module.state_dict())
    write_json(tmp_path / "model.json", {**read_json(tmp_path / "model.json"), **changes})
    with pytest.raises(UserError, match=message):
        load_classifier(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path, module):
    with pytest.raises(UserError, match=r"model.json: no such file"):
        load_classifier(tmp_path)
    save_classifier(tmp_path, module, INFO, as_published=module.state_dict())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"model.safetensors: damaged"):
        load_classifier(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(UserError, match=r"model.json: damaged"):
        load_classifier(tmp_path)
