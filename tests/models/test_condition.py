import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import UserError
from assay.models import clip_adapter
from assay.models.backbones import Backbone, parameter_count, resolve
from assay.models.condition import (
    ConditionClassifier,
    ConditionHead,
    PromptHead,
    features_of,
    load_condition,
    probabilities_of,
    save_condition,
    to_pixels,
)
from assay.models.weights import Weights

CLIP = "openai/clip-vit-base-patch32"
LITE = "tf_efficientnet_lite0.in1k"
RANDOM = Weights("random", "test")


def head(width, **changes):
    settings = {"type_embedding": 32, "spatial": 9, "hidden": [256, 128], "classes": 2, "dropout": 0.3}
    return ConditionHead(features=width, types=4, **settings | changes)


def test_the_published_model_has_the_published_number_of_parameters():
    # document 001, lines 59-61, exactly; built from CLIP's configuration, without weights
    with torch.device("meta"):
        backbone = Backbone(CLIP, RANDOM)
    backbone.unfreeze(0)
    module = ConditionClassifier(backbone, head(backbone.width))
    assert backbone.width == 512
    assert module.parameters_by_use() == {
        "trainable": 175_106,
        "frozen": 151_277_313,
        "total": 151_452_419,
    }


def test_unfrozen_blocks_move_from_frozen_to_trainable():
    with torch.device("meta"):
        backbone = Backbone(CLIP, RANDOM)
    learning = backbone.unfreeze(2)
    module = ConditionClassifier(backbone, head(backbone.width))
    counts = module.parameters_by_use()
    assert counts["total"] == 151_452_419 and len(learning) == 4  # two blocks, norm, projection
    block = sum(p.numel() for p in clip_adapter.blocks(backbone.network)[-1].parameters())
    assert counts["trainable"] == 175_106 + 2 * block + 2 * 768 + 768 * 512
    with pytest.raises(UserError, match="has 12 blocks"):
        backbone.unfreeze(13)


@pytest.fixture(scope="module")
def lite():
    backbone = Backbone(LITE, RANDOM, seed=3)
    backbone.unfreeze(0)
    return backbone.eval()


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 255, (3, 224, 224, 3)).astype(np.uint8)


def test_features_have_unit_length_and_do_not_depend_on_their_neighbours(lite, crops):
    features = features_of(lite, crops)
    assert features.shape == (3, 1280) and features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(features_of(lite, crops[1:2])[0], features[1], atol=1e-5)
    assert features_of(lite, crops[:0]).shape == (0, 1280)


def test_imagenet_normalisation_is_inside(lite, crops):
    pixels = to_pixels(crops[:1])
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        by_hand = nn.functional.normalize(lite.network((pixels / 255 - mean) / std), dim=1)
        torch.testing.assert_close(lite(pixels), by_hand, rtol=1e-4, atol=1e-5)


def test_a_network_without_blocks_refuses_to_unfreeze_some(lite):
    with pytest.raises(UserError, match="no transformer"):
        lite.unfreeze(2)
    assert parameter_count(lite) == sum(p.numel() for p in lite.parameters())


def test_a_model_comes_back_as_it_was_saved(lite, crops, tmp_path):
    torch.manual_seed(0)
    module = ConditionClassifier(lite, head(1280, spatial=2)).eval()
    info = {
        "backbone": LITE,
        "head": "mlp",
        "classes": ["normal", "conditional"],
        "object_types": ["a", "b", "c", "d"],
        "spatial_features": ["x", "y"],
        "type_embedding": 32,
        "hidden": [256, 128],
        "dropout": 0.3,
    }
    save_condition(tmp_path, module, info)
    again, found = load_condition(tmp_path)
    assert found["parameters"]["trainable"] == sum(p.numel() for p in module.head.parameters())
    features, types = features_of(lite, crops), np.array([0, 3, 1])
    spatial = np.ones((3, 2), np.float32)
    expected = probabilities_of(module, features, types, spatial)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities_of(again, features, types, spatial), expected)
    assert np.abs(probabilities_of(again, features, np.array([1, 1, 1]), spatial) - expected)[0].max() > 1e-4

    (tmp_path / "model.json").write_text((tmp_path / "model.json").read_text().replace("256", "64"))
    with pytest.raises(UserError, match="put the two files of one model together"):
        load_condition(tmp_path)
    with pytest.raises(UserError, match="train a model"):
        load_condition(tmp_path / "nothing")


def test_a_linear_head_without_type_or_place_ignores_both():
    torch.manual_seed(0)
    linear = head(5, type_embedding=0, spatial=0, hidden=[])
    assert sum(p.numel() for p in linear.parameters()) == 5 * 2 + 2
    features = torch.ones(2, 5)
    logits = linear(features, torch.tensor([0, 3]), torch.empty(2, 0))
    torch.testing.assert_close(logits[0], logits[1])


def test_prompts_of_the_object_type_answer():
    texts = torch.zeros(2, 2, 3)
    texts[0, 0, 0] = texts[0, 1, 1] = 10.0  # type 0: normal looks like axis 0, conditional like axis 1
    texts[1, 0, 2] = texts[1, 1, 0] = 10.0
    logits = PromptHead(texts)(torch.eye(3)[[0, 0]], torch.tensor([0, 1]), torch.empty(2, 0))
    assert logits.tolist() == [[10.0, 0.0], [0.0, 10.0]]


def test_clip_without_weights_is_refused_or_loudly_random(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="weights/clip-vit-base-patch32/") as refusal:
        resolve(CLIP, path=None, allow_download=False, allow_random_init=False)
    assert "\n" not in str(refusal.value)
    found = resolve(CLIP, path=None, allow_download=False, allow_random_init=True)
    assert found.origin == "random" and "RANDOM" in caplog.text
    with pytest.raises(UserError, match="pretrained weights"):
        clip_adapter.embed_texts(CLIP, found, ["a photo"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds neither"):
        resolve(CLIP, path="empty", allow_download=False, allow_random_init=True)


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"visual_projection.weight": torch.zeros(3, 3)}, tmp_path / "model.safetensors")
    weights = resolve(CLIP, path=str(tmp_path), allow_download=False, allow_random_init=False)
    assert weights.origin == "file"
    with torch.device("meta"), pytest.raises(UserError, match="not of openai/clip-vit-base-patch32"):
        clip_adapter.build_vision(CLIP, weights)
