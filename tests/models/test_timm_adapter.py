import pytest
import torch

from assay.errors import UserError
from assay.models import timm_adapter
from assay.models.timm_adapter import build, features_of, freeze, head_of, parameter_groups
from assay.models.weights import Weights

RESNET = "test_resnet.r160_in1k"
TINY = [RESNET, "test_efficientnet.r160_in1k", "test_vit.r160_in1k", "test_convnext.r160_in1k"]
RANDOM = Weights("random", "test")


def state_of(architecture, classes=5, image_size=32, seed=7):
    module = build(architecture, classes=classes, image_size=image_size, weights=RANDOM, seed=seed)
    return module.state_dict()


def test_the_seed_decides_a_random_start_and_nothing_else_does():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = state_of(RESNET)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = state_of(RESNET), state_of(RESNET, seed=8)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("architecture", TINY)
def test_the_head_on_the_features_is_the_network(architecture):
    module = build(architecture, classes=3, image_size=32, weights=RANDOM).eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(head_of(module)(features_of(module, images)), module(images), atol=1e-6)


@pytest.mark.parametrize("architecture", TINY)
def test_a_backbone_for_other_classes_is_kept_and_gets_a_new_head(architecture):
    given = state_of(architecture)
    module = build(architecture, classes=2, image_size=32, weights=Weights("file", "x", given), seed=1)
    head = next(name for name, part in module.named_modules() if part is head_of(module))
    for name, tensor in module.state_dict().items():
        assert name.startswith(f"{head}.") or torch.equal(tensor, given[name]), name
    assert (
        head_of(module).weight.abs().max() < 0.3
    )  # small first logits, whatever the family's habit for 1000 classes


def test_a_head_for_the_same_number_of_classes_is_kept():
    given = state_of(RESNET)
    module = build(RESNET, classes=5, image_size=32, weights=Weights("file", "x", given), seed=1)
    assert torch.equal(head_of(module).weight, given["fc.weight"])


def test_a_transformer_takes_position_embeddings_of_another_image_size():
    given = state_of("test_vit.r160_in1k", image_size=160)
    module = build("test_vit.r160_in1k", classes=5, image_size=64, weights=Weights("file", "x", given))
    assert module.pos_embed.shape != given["pos_embed"].shape
    assert torch.equal(module.state_dict()["blocks.0.attn.qkv.weight"], given["blocks.0.attn.qkv.weight"])
    assert module(torch.zeros(1, 3, 64, 64)).shape == (1, 5)


def test_weights_of_another_architecture_are_refused():
    wrong = Weights("file", "resnet.pth", state_of(RESNET))
    with pytest.raises(UserError, match=r"resnet.pth: not of test_efficientnet"):
        build("test_efficientnet.r160_in1k", classes=5, image_size=32, weights=wrong)


def test_weights_that_lack_one_tensor_are_refused():
    given = state_of(RESNET)
    del given["layer1.0.conv1.weight"]
    with pytest.raises(UserError, match=r"1 tensors are missing.*layer1.0.conv1.weight"):
        build(RESNET, classes=5, image_size=32, weights=Weights("file", "x", given))


@pytest.mark.parametrize(
    ("architecture", "image_size", "message"),
    [
        ("resnet81", 32, r"'resnet81'.*did you mean.*resnet\d"),  # unknown family member
        ("convnextv2_tiny.fmae", 32, r"no tag 'fmae'.*convnextv2_tiny.fcmae"),  # unknown tag
        ("test_vit.r160_in1k", 40, r"image_size 40.*patches of 16.*32 or 48"),  # not a multiple of the patch
    ],
)
def test_what_cannot_be_built_is_said_in_a_line(architecture, image_size, message):
    with pytest.raises(UserError, match=message):
        build(architecture, classes=2, image_size=image_size, weights=RANDOM)


@pytest.mark.parametrize("architecture", TINY)
def test_a_frozen_backbone_leaves_the_head_to_learn(architecture):
    module = build(architecture, classes=2, image_size=32, weights=RANDOM)
    freeze(module, "backbone")
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in trainable} == {id(p) for p in head_of(module).parameters()}


def test_named_children_are_frozen_and_returned():
    module = build(RESNET, classes=2, image_size=32, weights=RANDOM)
    frozen = freeze(module, ["conv1", "layer1"])
    assert frozen == [module.conv1, module.layer1]
    fixed = {
        name.split(".")[0] for name, parameter in module.named_parameters() if not parameter.requires_grad
    }
    assert fixed == {"conv1", "layer1"}
    assert freeze(module, "none") == []


def test_parameters_are_grouped_by_the_longest_matching_name():
    module = build(RESNET, classes=2, image_size=32, weights=RANDOM)
    freeze(module, ["conv1"])
    groups = {
        group["lr"]: group["params"] for group in parameter_groups(module, 1.0, {"layer1": 0.1, "fc": 0.01})
    }
    assert {id(p) for p in groups[0.1]} == {id(p) for p in module.layer1.parameters()}
    assert {id(p) for p in groups[0.01]} == {id(p) for p in module.fc.parameters()}
    grouped = sum(len(parameters) for parameters in groups.values())
    assert grouped == sum(1 for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("frozen", "rates", "message"),
    [
        (["layer9"], {}, "freeze: the network has no part 'layer9'; its parts: conv1"),  # no such child
        ("none", {"layre1": 0.1}, "group_lrs: the network has no part 'layre1'"),  # no such child
        (
            ["layer1"],
            {"layer1": 0.1},
            "group_lrs.layer1: every parameter in it is frozen",
        ),  # nothing to learn
    ],
)
def test_names_that_fit_nothing_are_refused(frozen, rates, message):
    module = build(RESNET, classes=2, image_size=32, weights=RANDOM)
    with pytest.raises(UserError, match=message):
        freeze(module, frozen)
        parameter_groups(module, 1.0, rates)


def test_without_network_the_download_is_one_warning(monkeypatch, caplog):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *names: None)
    assert timm_adapter.download("resnet18.a1_in1k") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "does not answer" in caplog.text
