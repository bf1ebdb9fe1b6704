import json

import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.models import qwen_adapter
from assay.models.qwen_adapter import Asker, adapt, find, load, load_adapters, probabilities_of, save_adapters
from tests.models.tiny_qwen import write_tiny

NAME = "Qwen/Qwen2-VL-2B-Instruct"
ADAPTERS = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ("q_proj", "v_proj"), "seed": 0}
CROPS = np.random.default_rng(0).integers(0, 255, (3, 56, 56, 3), dtype=np.uint8)
ASKED = ["Is this rock toe normal or blocked?", "Is this vegetation normal or blocked?", "Which?"]
WORDS = ["normal", "so blocked"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def asker(folder):
    network = load(find(NAME, path=str(folder), allow_download=False), torch.device("cpu"))
    return Asker(adapt(network, **ADAPTERS).eval(), folder)


def spoilt(folder, tmp_path, change):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    change(tmp_path)
    return tmp_path


def test_the_likelihood_is_that_of_the_answer_token_by_token(asker):
    """One crop, no padding: the chat as text, one token after the other, is what the library itself would be fed."""
    likely, exact = asker.log_likelihood(CROPS[:1], ASKED[:1], ["normal"])
    chat = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
        + "<|image_pad|>" * 4  # 56 px: 2 x 2 tokens of 28 px
        + f"<|vision_end|>{ASKED[0]}<|im_end|>\n<|im_start|>assistant\nnormal<|im_end|>"
    )
    row = asker.tokenizer(chat, return_tensors="pt")["input_ids"]
    assert row[0, -2:].tolist() == asker.tokenizer.convert_tokens_to_ids(["normal", "<|im_end|>"])
    pixels = asker.pictures(images=[CROPS[0]], return_tensors="pt")
    with torch.no_grad():
        logits = asker.network(
            input_ids=row, mm_token_type_ids=(row == asker.image_token).int(), **pixels
        ).logits[0]
    by_hand = [logits[place - 1].log_softmax(0)[row[0, place]].item() for place in (-2, -1)]
    assert likely.item() == pytest.approx(sum(by_hand), rel=1e-4)
    assert not exact.item()


def test_neighbours_and_padding_change_nothing(asker):
    answers = ["normal", WORDS[1], "normal"]
    with torch.no_grad():
        together, _ = asker.log_likelihood(CROPS, ASKED, answers)
        alone = [
            asker.log_likelihood(CROPS[i : i + 1], ASKED[i : i + 1], answers[i : i + 1])[0] for i in range(3)
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_the_picture_and_the_question_are_seen(asker):
    with torch.no_grad():
        same, _ = asker.log_likelihood(CROPS[[0, 1, 0]], [ASKED[0], ASKED[0], ASKED[2]], ["normal"] * 3)
    assert same[0] != same[1] and same[0] != same[2]


def test_probabilities_are_the_words_among_themselves(asker):
    found = probabilities_of(asker, CROPS, ASKED, WORDS)
    assert found.shape == (3, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    with torch.no_grad():
        each = torch.stack([asker.log_likelihood(CROPS, ASKED, [word] * 3)[0] for word in WORDS], dim=1)
    np.testing.assert_allclose(found, each.softmax(dim=1).numpy(), rtol=1e-4)
    assert probabilities_of(asker, CROPS[:0], [], WORDS).shape == (0, 2)


def test_adapters_start_as_nothing_and_come_back_as_they_were(folder, asker, tmp_path):
    found = find(NAME, path=str(folder), allow_download=False)
    plain = probabilities_of(Asker(load(found, torch.device("cpu")), folder), CROPS, ASKED, WORDS)
    np.testing.assert_allclose(probabilities_of(asker, CROPS, ASKED, WORDS), plain, rtol=1e-5)
    network = adapt(load(found, torch.device("cpu")), **ADAPTERS)
    names = [name for name, tensor in network.named_parameters() if tensor.requires_grad]
    assert all("lora_" in name and "visual" not in name for name in names) and len(names) == 2 * 2 * 2
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if "lora_B" in name:
                tensor.normal_(generator=torch.Generator().manual_seed(1))
    changed = probabilities_of(Asker(network, folder), CROPS, ASKED, WORDS)
    assert not np.allclose(changed, plain, rtol=0.1)
    save_adapters(network, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    again = load_adapters(load(found, torch.device("cpu")), tmp_path)
    np.testing.assert_array_equal(probabilities_of(Asker(again, folder), CROPS, ASKED, WORDS), changed)


def test_the_global_random_state_is_left_alone(folder):
    network = load(find(NAME, path=str(folder), allow_download=False), torch.device("cpu"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    adapt(network, **ADAPTERS)
    assert torch.equal(torch.rand(3), expected)


def test_missing_files_are_one_line_that_says_where_they_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"weights/Qwen2-VL-2B-Instruct/ has no config\.json, ") as refusal:
        find(NAME, path=None, allow_download=False)
    assert "\n" not in str(refusal.value)
    (tmp_path / "weights/Qwen2-VL-2B-Instruct").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "weights/Qwen2-VL-2B-Instruct" / name).write_text("{}")
    with pytest.raises(UserError, match=r"has no tokenizer\.json; put"):
        find(NAME, path=None, allow_download=False)


def test_without_peft_one_line_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr(qwen_adapter, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"install the extra `assay\[lora\]`"):
        find(NAME, path=str(folder), allow_download=False)


def test_the_hub_is_asked_only_where_the_profile_allows_it(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(qwen_adapter, "_download", lambda name: folder)
    with pytest.raises(UserError, match="no pretrained weights"):
        find(NAME, path=None, allow_download=False)
    assert find(NAME, path=None, allow_download=True).weights.origin == "download"
    monkeypatch.setattr(qwen_adapter, "_download", lambda name: None)
    with pytest.raises(UserError, match="no pretrained weights"):
        find(NAME, path=None, allow_download=True)


def test_a_damaged_configuration_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{ of nothing")
    with pytest.raises(UserError, match=r"config\.json: not of a Qwen2-VL network") as refusal:
        qwen_adapter.configuration(NAME, tmp_path)
    assert "\n" not in str(refusal.value)


def cut_off(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def deepen(folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 3
    config["text_config"]["layer_types"] = ["full_attention"] * 3
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "said"), [(cut_off, "not a Qwen2-VL network"), (deepen, "tensors are missing")]
)
def test_damaged_weights_never_start_at_random_in_silence(folder, tmp_path, change, said):
    found = find(NAME, path=str(spoilt(folder, tmp_path, change)), allow_download=False)
    with pytest.raises(UserError, match=said) as refusal:
        load(found, torch.device("cpu"))
    assert "\n" not in str(refusal.value)


def test_adapters_of_another_network_are_refused(folder, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="no adapters of this network"):
        load_adapters(load(find(NAME, path=str(folder), allow_download=False), torch.device("cpu")), tmp_path)
