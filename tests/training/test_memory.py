from pathlib import Path

import pytest
import torch

from assay.errors import UserError
from assay.models.qwen_adapter import adapt, configuration
from assay.training import memory
from assay.training.memory import activations_of, adapters_of, free_gb, needed_gb, parameters_of
from tests.models.tiny_qwen import tiny_config

SMALL, LARGE = "Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"
FEW = ("q_proj", "v_proj")
ALL = (*FEW, "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ASKED = {"rank": 8, "targets": FEW, "batch": 8}


def published(name):
    return configuration(name, Path("nowhere"))


@pytest.mark.parametrize(("name", "count"), [(SMALL, 2_208_985_600), (LARGE, 8_291_375_616)])
def test_parameters_are_counted_exactly(name, count):
    from transformers import Qwen2VLForConditionalGeneration

    with torch.device("meta"):
        network = Qwen2VLForConditionalGeneration(published(name))
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters_of(published(name)) == count


@pytest.mark.parametrize("targets", [FEW, ALL])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("wide", "between"), [(64, 64), (64, 640), (128, 256)])
def test_the_formula_is_what_autograd_keeps(targets, kind, wide, between):
    from transformers import Qwen2VLForConditionalGeneration

    batch, tokens, layers = 4, 120, 4
    config = tiny_config(
        hidden_size=wide,
        intermediate_size=between,
        num_hidden_layers=layers,
        num_attention_heads=wide // 8,
        num_key_value_heads=wide // 16,
    )
    network = Qwen2VLForConditionalGeneration(config).to(kind).requires_grad_(False)
    network = adapt(network, rank=2, alpha=4, dropout=0.05, targets=targets, seed=0).train()
    learning = sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
    assert learning == adapters_of(config, rank=2, targets=targets)
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    words = torch.randint(0, 250, (batch, tokens))
    mask = torch.ones_like(words)
    mask[0, :5] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(input_ids=words, attention_mask=mask, logits_to_keep=3, use_cache=False)
    own = {tensor.untyped_storage().data_ptr() for tensor in network.parameters()}
    found = sum(size for place, (size, _) in kept.items() if place not in own)
    formula = batch * activations_of(config, targets=targets, tokens=tokens, number=kind.itemsize)
    assert 0.8 * found < formula < 1.4 * found


def test_the_authors_try_does_not_fit_where_theirs_did_not():
    needed = needed_gb(published(LARGE), **ASKED, tokens=140, on_gpu=False)
    assert 42 < needed < 50  # document 001, line 208: about 42 GB, and 32 were there
    small = [needed_gb(published(SMALL), **ASKED, tokens=140, on_gpu=on_gpu) for on_gpu in (True, False)]
    assert small[0] < small[1] < needed
    assert needed_gb(published(SMALL), **ASKED | {"batch": 64}, tokens=140, on_gpu=True) > 3 * small[0]


def test_what_does_not_fit_is_refused_in_one_line(monkeypatch):
    def refuse(backbone):
        asked = {
            "weights": None,
            "image_size": 224,
            "question": "Which word describes this: normal or blocked?",
        }
        memory.refuse_what_does_not_fit("qwen2vl_lora", backbone, **ASKED, **asked)

    monkeypatch.setattr(memory, "free_gb", lambda: (32.0, False))
    with pytest.raises(
        UserError,
        match=r"7B.* about 4\d\.\d GB of memory .8\.29 billion.*, 32\.0 GB are free here; take .*2B",
    ) as refusal:
        refuse(LARGE)
    assert "\n" not in str(refusal.value)
    refuse(SMALL)
    monkeypatch.setattr(memory, "free_gb", lambda: (4.0, True))
    with pytest.raises(
        UserError, match=r"GB of GPU memory .*4\.0 GB are free here; take a smaller train\.batch"
    ):
        refuse(SMALL)


def test_a_folder_says_its_own_size(tmp_path, monkeypatch):
    tiny_config().save_pretrained(tmp_path)
    monkeypatch.setattr(memory, "free_gb", lambda: (1.1, False))
    asked = {"weights": str(tmp_path), "image_size": 56, "question": "Which?"}
    memory.refuse_what_does_not_fit("qwen2vl_lora", SMALL, **ASKED, **asked)
    with pytest.raises(UserError, match=r"1\.1 GB are free"):
        memory.refuse_what_does_not_fit("qwen2vl_lora", SMALL, **ASKED | {"batch": 2000}, **asked)


def test_this_machine_has_some_memory():
    free, on_gpu = free_gb()
    assert 0.01 < free < 100_000 and isinstance(on_gpu, bool)
