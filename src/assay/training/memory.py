"""Whether a model fits before its training starts: a process that runs out of memory says nothing a person can use."""

from collections.abc import Sequence
from typing import Any

from assay.errors import UserError

_LEARNT = 16  # bytes a learning number: fp32 with its gradient and Adam's two moments
_BASE = 1.0  # GB: the libraries, one layer's work in flight, the answers' logits
_GIGA = 1e9


def parameters_of(config: Any) -> int:
    """Numbers of a Qwen2-VL network (its Qwen2VLConfig), exactly: a test builds the networks and counts."""
    text, vision = config.text_config, config.vision_config
    wide, between, layers = text.hidden_size, text.intermediate_size, text.num_hidden_layers
    narrow = wide // text.num_attention_heads * text.num_key_value_heads
    attention = 2 * wide * wide + wide + 2 * narrow * (wide + 1)  # q, k, v have biases, o has none
    words = text.vocab_size * wide * (1 if config.tie_word_embeddings else 2)
    seen, merged = vision.embed_dim, vision.embed_dim * vision.spatial_merge_size**2
    patch = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2 * seen
    block = 4 * seen * (seen + 1) + seen * (2 * vision.mlp_ratio * seen + vision.mlp_ratio + 1) + 4 * seen
    merger = 2 * seen + merged * (merged + 1) + wide * (merged + 1)
    return (
        (words + layers * (attention + 3 * wide * between + 2 * wide) + wide)
        + (patch + vision.depth * block)
        + merger
    )


def adapters_of(config: Any, *, rank: int, targets: Sequence[str]) -> int:
    """Numbers that learn: rank x (inputs + outputs) of every layer that has an adapter."""
    return config.text_config.num_hidden_layers * rank * sum(sum(_sides(config)[name]) for name in targets)


def activations_of(config: Any, *, targets: Sequence[str], tokens: int, number: int) -> int:
    """Bytes that one sequence of `tokens` leaves for the way back through the text tower; the pictures' has none.

    Per layer and token 9 numbers of the layer's width and 3 of the MLP's, `number` bytes each, and of every adapter's
    input 2 in fp32 (dropout and what it lets through). Fused attention keeps no weights. Read off what autograd keeps
    of small networks, in fp32 and in bf16; a test holds the formula against it.
    """
    text = config.text_config
    flowing = (9 * text.hidden_size + 3 * text.intermediate_size) * number
    entering = 2 * 4 * sum(_sides(config)[name][0] for name in targets)
    return int(text.num_hidden_layers * tokens * (flowing + entering))


def _sides(config: Any) -> dict[str, tuple[int, int]]:
    """(inputs, outputs) of the layers an adapter may stand beside."""
    text = config.text_config
    wide, between = text.hidden_size, text.intermediate_size
    narrow = wide // text.num_attention_heads * text.num_key_value_heads
    return {
        "q_proj": (wide, wide),
        "k_proj": (wide, narrow),
        "v_proj": (wide, narrow),
        "o_proj": (wide, wide),
        "gate_proj": (wide, between),
        "up_proj": (wide, between),
        "down_proj": (between, wide),
    }


def needed_gb(
    config: Any, *, rank: int, targets: Sequence[str], batch: int, tokens: int, on_gpu: bool
) -> float:
    """GB of memory to train low-rank adapters on a Qwen2-VL network, about.

    parameters x 2 bytes (bf16, on a GPU) or 4 (fp32, elsewhere) + adapters x 16 + batch x activations + 1 GB.
    """
    number = 2 if on_gpu else 4
    learning = adapters_of(config, rank=rank, targets=targets) * _LEARNT
    flowing = batch * activations_of(config, targets=targets, tokens=tokens, number=number)
    return (parameters_of(config) * number + learning + flowing) / _GIGA + _BASE


def tokens_of(image_size: int, question: str) -> int:
    """About how many tokens a crop, its question and the answer are: 28 px a side, two letters, and the chat's marks."""
    return (image_size // 28) ** 2 + len(question) // 2 + 32


def free_gb() -> tuple[float, bool]:
    """GB of memory that a training may take now, and whether it is a GPU's."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0] / _GIGA, True
    return psutil.virtual_memory().available / _GIGA, False


def refuse_what_does_not_fit(
    experiment: str,
    backbone: str,
    *,
    weights: str | None,
    rank: int,
    targets: Sequence[str],
    batch: int,
    image_size: int,
    question: str,
) -> None:
    """Raise UserError, one line, where `backbone` with adapters needs more memory than is free. Reads no weights."""
    from pathlib import Path

    from assay.models.qwen_adapter import configuration, folder_of

    config = configuration(backbone, Path(weights) if weights else folder_of(backbone))
    free, on_gpu = free_gb()
    tokens = tokens_of(image_size, question)
    needed = needed_gb(config, rank=rank, targets=targets, batch=batch, tokens=tokens, on_gpu=on_gpu)
    if needed > free:
        smaller = "model.backbone=Qwen/Qwen2-VL-2B-Instruct, " if "7B" in backbone and not weights else ""
        raise UserError(
            f"experiment={experiment}: {backbone} with adapters needs about {needed:.1f} GB of "
            f"{'GPU memory' if on_gpu else 'memory'} ({parameters_of(config) / _GIGA:.2f} billion numbers, batches of "
            f"{batch} x {tokens} tokens), {free:.1f} GB are free here; take {smaller}a smaller train.batch, or a "
            "machine with more"
        )
